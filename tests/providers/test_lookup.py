"""The table of providers and the addresses made of it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llm_orc.auth.access import Billing
from llm_orc.auth.apply import NoCredential
from llm_orc.catalog.table import OFFICIAL_CLIS, PROVIDERS
from llm_orc.errors import SettingsError
from llm_orc.net.origin import origin_of
from llm_orc.net.transport import TransportError
from llm_orc.providers.build import build_model
from llm_orc.providers.claude import ClaudeModel
from llm_orc.providers.endpoint import billing_of, endpoint_of
from llm_orc.providers.lookup import find_provider
from llm_orc.providers.model_list import list_models
from llm_orc.settings.load import load_settings
from llm_orc.settings.model import ProviderSettings
from llm_orc.storage.paths import Paths
from tests.fakes.loopback import Loopback, answer
from tests.providers.dialects import test_anthropic, test_gemini, test_openai_chat, test_openai_responses
from tests.providers.dialects.suite import HELLO, DialectSuite

if TYPE_CHECKING:
    from llm_orc.net.http import Http

OVER_HTTP = sorted(name for name in PROVIDERS if name not in OFFICIAL_CLIS)


@pytest.mark.parametrize("name", OVER_HTTP)
def test_every_row_that_has_an_address_is_reached_safely(name: str) -> None:
    spec = find_provider(name, {})

    endpoint = endpoint_of(spec, {}, None if spec.base_url else "http://127.0.0.1:8000/v1")

    assert endpoint.origin.startswith("https://") or endpoint.is_loopback
    assert (endpoint.provider, endpoint.dialect) == (name, spec.dialect)


@pytest.mark.parametrize(
    ("name", "near"),
    [("anthropic", "anthropic-api"), ("opnai", "openai"), ("ollamma", "ollama"), ("mine2", "mine")],
)
def test_a_mistyped_name_gets_the_nearest_ones(name: str, near: str) -> None:
    mine = ProviderSettings("mine", base_url="http://127.0.0.1:1", dialect="gemini")

    with pytest.raises(SettingsError, match=f"no provider `{name}`") as caught:
        find_provider(name, {"mine": mine})

    assert f"`{near}`" in (caught.value.hint or "")


def test_a_name_like_no_other_gets_all_of_them() -> None:
    with pytest.raises(SettingsError) as caught:
        find_provider("zzz", {})

    assert all(name in (caught.value.hint or "") for name in PROVIDERS)


@pytest.mark.parametrize("name", ["acme", "ACME.v2", "mistrall", "zai"])
def test_an_unknown_name_gets_the_lines_that_describe_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        find_provider(name, {})
    hint = caught.value.hint or ""
    lines = textwrap.dedent(hint[hint.index("  providers:") :]).replace("HOST", "acme.example")
    (tmp_path / "config.yaml").write_text(lines, encoding="utf-8")
    own = load_settings(Paths(tmp_path, tmp_path, tmp_path), tmp_path, {}, home=tmp_path).providers

    spec = find_provider(name, own)

    expected = "https://api.z.ai/api/paas/v4" if name == "zai" else "https://acme.example/v1"
    assert (spec.base_url, spec.dialect, spec.default_model) == (expected, "openai-chat", "MODEL")
    assert spec.api_key_env[0].endswith("_API_KEY")


def test_a_name_that_yaml_would_misread_is_shown_with_a_stand_in() -> None:
    with pytest.raises(SettingsError) as caught:
        find_provider("a: [b", {})

    assert "\n    NAME:\n" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["zai", "Z.AI", "glm_coding_plan", "github-models"])
def test_what_is_not_offered_says_why_with_link_and_date(name: str) -> None:
    with pytest.raises(SettingsError, match=r"there is no provider .*: .*\(https://.*, as of \d{4}-\d\d-\d\d\)"):
        find_provider(name, {})


def test_settings_change_a_row() -> None:
    own = ProviderSettings(
        "openai",
        base_url="https://gateway.example.com/openai/v1/",
        dialect="openai-chat",
        api_key_env="GATEWAY_KEY",
        default_model="m",
        billing="subscription",
        headers={"x-team": "t"},
    )

    spec = find_provider("openai", {"openai": own})
    endpoint = endpoint_of(spec, {"openai": own})

    assert (spec.dialect, spec.api_key_env, spec.default_model) == ("openai-chat", ("GATEWAY_KEY",), "m")
    assert billing_of(spec, endpoint) is Billing.SUBSCRIPTION
    assert endpoint.base_url == "https://gateway.example.com/openai/v1"
    assert endpoint.origin == "https://gateway.example.com"
    assert endpoint.headers == {"x-team": "t"}
    assert "GATEWAY_KEY" in endpoint.key_hint


def test_a_profile_s_address_comes_first() -> None:
    own = ProviderSettings("ollama", base_url="http://127.0.0.1:1/v1")

    endpoint = endpoint_of(find_provider("ollama", {"ollama": own}), {"ollama": own}, "http://[::1]:2/v1")

    assert (endpoint.base_url, endpoint.origin) == ("http://[::1]:2/v1", "http://[::1]:2")


def test_a_provider_of_the_user_s_own_needs_an_address_and_a_dialect() -> None:
    own = ProviderSettings("mine", base_url="https://mine.example.com", dialect="anthropic", api_key_env="K")

    spec = find_provider("mine", {"mine": own})

    assert (spec.dialect, spec.credential) == ("anthropic", "required")
    with pytest.raises(SettingsError, match="no `dialect`"):
        find_provider("mine", {"mine": ProviderSettings("mine", base_url="https://mine.example.com")})
    with pytest.raises(SettingsError, match="no `base_url`"):
        find_provider("mine", {"mine": ProviderSettings("mine", dialect="gemini")})


def test_compatible_servers_are_told_apart_by_scope() -> None:
    settings = {
        name: ProviderSettings(name, base_url=url, headers={"x-for": name})
        for name, url in {
            "openai-compatible": "http://127.0.0.1:1/v1",
            "openai-compatible/lab": "https://lab.example.com/v1",
        }.items()
    }

    lab = find_provider("openai-compatible/lab", settings)
    other = find_provider("openai-compatible/other", settings)

    assert endpoint_of(lab, settings).origin == "https://lab.example.com"
    assert billing_of(lab, endpoint_of(lab, settings)) is Billing.METERED
    assert endpoint_of(other, settings).origin == "http://127.0.0.1:1"
    assert billing_of(other, endpoint_of(other, settings)) is Billing.LOCAL
    assert endpoint_of(lab, settings).headers == {"x-for": "openai-compatible/lab"}
    assert endpoint_of(other, settings).headers == {"x-for": "openai-compatible"}


def test_a_compatible_server_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="of its server") as caught:
        endpoint_of(find_provider("openai-compatible", {}), {})

    assert "providers.openai-compatible.base_url" in (caught.value.hint or "")


def test_the_anthropic_address_may_end_in_v1() -> None:
    assert endpoint_of(PROVIDERS["anthropic-api"], {}, "http://127.0.0.1:1/v1/").base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "has_credential", "is_safe"),
    [
        ("http://127.0.0.1:1/v1", True, True),
        ("http://localhost:1/v1", True, True),
        ("http://[::1]:1/v1", True, True),
        ("http://192.168.1.5:1/v1", False, True),
        ("http://gpu-box:1/v1", False, True),
        ("http://gpu.local/v1", False, True),
        ("http://192.168.1.5:1/v1", True, False),
        ("http://api.example.com/v1", True, False),
        ("http://api.example.com/v1", False, False),
        ("http://127.0.0.1.example.com/v1", True, False),
        ("http://8.8.8.8/v1", False, False),
        ("https://api.example.com/v1", True, True),
    ],
)
def test_plain_http_is_for_this_machine_and_for_private_servers_without_a_key(
    url: str, has_credential: bool, is_safe: bool
) -> None:
    spec = PROVIDERS["openai-compatible"]

    if is_safe:
        assert endpoint_of(spec, {}, url, has_credential=has_credential).base_url == url
    else:
        with pytest.raises(SettingsError, match="unencrypted"):
            endpoint_of(spec, {}, url, has_credential=has_credential)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/v1",
        "host/v1",
        "https://",
        "https://user:secret@host/v1",
        "https://host/v1?key=secret",
        "https://host/v1#x",
        "https://host:port/v1",
        "https://host/a b",
        "https://host/\x1b[31m",
        "https://[::1/v1",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(SettingsError, match="can't be used") as caught:
        endpoint_of(PROVIDERS["openai-compatible"], {}, url)

    assert "user:secret" not in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("HTTPS://API.Example.com:443/v1", "https://api.example.com"),
        ("http://host:80", "http://host"),
        ("https://host:8443/x", "https://host:8443"),
        ("http://[::1]:11434/v1", "http://[::1]:11434"),
    ],
)
def test_an_origin_is_written_in_one_way(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("name", "suite"),
    [
        ("anthropic-api", test_anthropic.TestAnthropic),
        ("openai", test_openai_responses.TestOpenAIResponses),
        ("openai-compatible", test_openai_chat.TestOpenAIChat),
        ("google-gemini", test_gemini.TestGemini),
    ],
)
async def test_a_row_becomes_a_model_that_answers(
    server: Loopback, http: Http, name: str, suite: type[DialectSuite]
) -> None:
    server.answers(answer(suite().whole("yes", "end_turn")))
    endpoint = endpoint_of(find_provider(name, {}), {}, server.url)

    model = build_model(endpoint, "m-0", NoCredential(endpoint.origin), http)

    assert (await model.reply(HELLO)).text == "yes"
    assert (model.provider, model.name) == (name, "m-0")
    assert isinstance(model, ClaudeModel) == (name == "anthropic-api")


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"object": "list", "data": [{"id": "llama3"}, {"id": "qwen"}]}, ("llama3", "qwen")),
        ({"models": [{"name": "models/gemini-x"}]}, ("gemini-x",)),
        ({"data": None}, ()),
        (b"<html>", ()),
    ],
)
async def test_a_running_server_tells_its_models(
    server: Loopback, http: Http, body: object, models: tuple[str, ...]
) -> None:
    server.answers(answer(body))
    endpoint = endpoint_of(PROVIDERS["ollama"], {}, f"{server.url}/v1")

    assert await list_models(endpoint, http) == models
    assert (server.heard[0].method, server.heard[0].target) == ("GET", "/v1/models")


async def test_a_server_that_does_not_run_tells_nothing(http: Http) -> None:
    with pytest.raises(TransportError):
        await list_models(endpoint_of(PROVIDERS["ollama"], {}, "http://127.0.0.1:1/v1"), http)


def test_the_table_loads_without_what_only_a_call_needs() -> None:
    code = (
        "import sys, llm_orc.catalog.table, llm_orc.providers.build, llm_orc.providers.lookup; "
        "import llm_orc.providers.prices; "
        "heavy = {'aiohttp', 'genai_prices', 'msgspec', 'pydantic', 'rich', 'httpx'} & set(sys.modules); "
        "print(heavy | {name for name in sys.modules if 'dialects.' in name or 'official_cli' in name})"
    )

    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "{'llm_orc.catalog.official_clis'}\n"
    )


def test_providers_have_the_names_of_earlier_releases_too() -> None:
    local = find_provider("llama-server", {})
    elsewhere = find_provider(
        "llama-server", {"llama-server": ProviderSettings("llama-server", base_url="http://127.0.0.1:9090/v1")}
    )
    own = {"google-gemini": ProviderSettings("google-gemini", default_model="gemini-pro-latest")}

    assert billing_of(local, endpoint_of(local, {})) is Billing.LOCAL
    assert (local.dialect, local.base_url) == ("openai-chat", "http://127.0.0.1:8080/v1")
    assert elsewhere.base_url == "http://127.0.0.1:9090/v1"
    assert find_provider("google", {}) is PROVIDERS["google-gemini"]
    assert find_provider("google", own).default_model == "gemini-pro-latest"
