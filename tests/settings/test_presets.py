"""The presets of the package: what each asks for, and what must never be shipped (RFC 8252 §8.5, RFC 9700 §2.3)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import llm_orc
from llm_orc.catalog.table import PROVIDERS
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import SCOPES as SANDBOX_SCOPES
from llm_orc.sandbox.server import USUAL_PORT
from llm_orc.settings.model import OAuthSettings

if TYPE_CHECKING:
    from tests.settings.conftest import Place

SCOPES = {
    "openrouter": (),
    "huggingface": ("inference-api",),
    "anthropic-claude-pro-max": ("org:create_api_key", "user:profile", "user:inference"),
    "sandbox": ("inference",),
    "sandbox-plan": ("openid", "profile", "email", "offline_access", "inference"),
    "chatgpt": (
        "openid",
        "profile",
        "email",
        "offline_access",
        "resource.invoke",
        "chatgpt.tokens.use.direct",
    ),
}
_SHIPPED = [p for p in Path(llm_orc.__file__).parent.rglob("*") if p.suffix in {".py", ".yaml", ".json"}]


def presets(place: Place) -> dict[str, OAuthSettings]:
    return {name: p.oauth for name, p in place.load().providers.items() if p.oauth is not None}


def test_a_preset_asks_for_these_scopes_and_no_more(place: Place) -> None:
    assert {name: oauth.scopes for name, oauth in presets(place).items()} == SCOPES


def test_only_the_sandbox_s_own_client_is_shipped(place: Place) -> None:
    clients = {name: oauth.client_id for name, oauth in presets(place).items() if oauth.client_id}

    assert clients == {
        "sandbox": "llm-orc-sandbox-client",
        "sandbox-plan": "sandbox-new-client",
        "chatgpt": "dynamic_agent_client",  # no client: what OpenAI documents as every program's start
    }


def test_no_file_holds_what_looks_like_a_registered_client_or_a_value_for_a_secret() -> None:
    looks_so = re.compile(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        r"|client_secret['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9_-]{8}"
        r"|GOCSPX-|apps\.googleusercontent\.com"
    )

    assert len(_SHIPPED) > 500
    assert [file for file in _SHIPPED if looks_so.search(file.read_text(encoding="utf-8"))] == []


def test_every_preset_belongs_to_a_provider_of_the_catalogue(place: Place) -> None:
    assert set(presets(place)) <= set(PROVIDERS)


def test_a_preset_and_its_provider_agree_about_who_pays(place: Place) -> None:
    for name, oauth in presets(place).items():
        assert oauth.billing == PROVIDERS[name].billing


def test_claude_pro_max_is_all_there_but_the_client(place: Place) -> None:
    oauth = presets(place)["anthropic-claude-pro-max"]

    assert oauth.client_id is None
    assert oauth.authorization_endpoint == "https://claude.ai/oauth/authorize"
    assert oauth.token_endpoint == "https://console.anthropic.com/v1/oauth/token"
    assert (oauth.redirect, oauth.redirect_uri) == ("paste", "https://console.anthropic.com/oauth/code/callback")
    assert (oauth.token_request, oauth.state_in_token_request) == ("json", True)
    assert oauth.extra_authorize_params == {"code": "true"}
    assert oauth.headers == {"anthropic-beta": "oauth-2025-04-20"}
    assert oauth.required_system_prompt == "You are Claude Code, Anthropic's official CLI for Claude."
    assert oauth.notice is not None
    assert "do not permit third-party developers" in oauth.notice.text
    assert oauth.notice.link == "https://code.claude.com/docs/en/legal-and-compliance"
    assert oauth.notice.date == "2026-10-06"


def test_openrouter_s_own_exchange_needs_no_client(place: Place) -> None:
    oauth = presets(place)["openrouter"]

    assert (oauth.kind, oauth.client_id) == ("openrouter", None)
    assert oauth.authorization_endpoint == "https://openrouter.ai/auth"
    assert oauth.token_endpoint == "https://openrouter.ai/api/v1/auth/keys"


def test_hugging_face_has_every_endpoint_and_wants_its_user_s_client(place: Place) -> None:
    oauth = presets(place)["huggingface"]

    assert oauth.issuer == "https://huggingface.co"
    assert oauth.device_authorization_endpoint == "https://huggingface.co/oauth/device"
    assert oauth.client_id is None
    assert PROVIDERS["huggingface"].base_url == "https://router.huggingface.co/v1"


def test_the_sandbox_is_looked_for_where_it_usually_listens(place: Place) -> None:
    origin = f"http://127.0.0.1:{USUAL_PORT}"

    oauth = presets(place)["sandbox"]

    assert (oauth.issuer, oauth.client_id) == (origin, CLIENT_ID)
    assert set(oauth.scopes) <= set(SANDBOX_SCOPES)
    assert PROVIDERS["sandbox"].base_url == f"{origin}/v1"
