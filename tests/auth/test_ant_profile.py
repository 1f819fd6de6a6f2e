"""The profile of `ant auth login`: read as Anthropic's SDK reads it, refused where it should be, never written."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_orc.auth.access import Billing
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.stores.ant_profile import AntProfile
from llm_orc.auth.tokens.profile import ProfileAuthoriser
from llm_orc.errors import AccessRefused, CredentialExpired, CredentialRefused
from llm_orc.net.http import Http
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.build import build_model
from llm_orc.providers.endpoint import endpoint_of
from llm_orc.providers.lookup import find_provider
from llm_orc.settings.model import ProviderSettings
from tests.fakes import sdks
from tests.fakes.loopback import Loopback, answer
from tests.net.conftest import clean_environment, http, server

__all__ = ["clean_environment", "http", "server"]

TOKEN = "sk-ant-oat-of-the-profile"
API = "https://api.anthropic.com"
REPLY = answer(
    {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
)


def put_profile(
    folder: Path,
    name: str = "default",
    *,
    token: str = TOKEN,
    expires_at: object = None,
    auth: Mapping[str, object] | None = None,
    **config: object,
) -> Path:
    """Write a profile as the tool does; return the file with the token."""
    document = {"version": "1.0", "authentication": {"type": "user_oauth", **(auth or {})}, **config}
    configs, credentials = folder / "configs", folder / "credentials"
    configs.mkdir(parents=True, exist_ok=True)
    credentials.mkdir(mode=0o700, exist_ok=True)
    (configs / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    secret = credentials / f"{name}.json"
    secret.touch(mode=0o600)
    fields = {"version": "1.0", "type": "oauth_token", "access_token": token, "expires_at": expires_at}
    secret.write_text(json.dumps(fields | {"refresh_token": "its-own-business"}), encoding="utf-8")
    return secret


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".config" / "anthropic"


def profile(folder: Path, **environ: str) -> AntProfile:
    return AntProfile(environ, "linux", folder.parent.parent)


def test_the_sign_in_of_the_tool_is_metered_and_brings_no_refresh_token(folder: Path) -> None:
    put_profile(folder, expires_at=2_000_000_000)

    entry = profile(folder).entry

    assert entry is not None
    assert (entry.provider, entry.account, entry.source) == ("anthropic-api", "default", "ant-profile")
    assert (entry.billing, entry.origin) == (Billing.METERED, API)
    assert isinstance(entry.credential, OAuthToken)
    assert entry.credential.access_token.reveal() == TOKEN
    assert (entry.credential.refresh_token, entry.credential.expires_at) == (None, 2_000_000_000.0)


def test_there_is_nothing_and_nothing_to_say_without_a_profile(folder: Path) -> None:
    found = profile(folder).read()

    assert (found.entries, found.notices) == ((), ())


def test_the_active_profile_is_the_one_that_the_environment_or_else_the_pointer_names(folder: Path) -> None:
    for name in ("default", "work", "home"):
        put_profile(folder, name, token=f"token-of-{name}")
    seen = profile(folder)
    before = seen.entry
    (folder / "active_config").write_text("work\n", encoding="utf-8")

    after, named = seen.entry, profile(folder, ANTHROPIC_PROFILE="home").entry

    assert [e.account for e in (before, after, named) if e] == ["default", "work", "home"]


@pytest.mark.parametrize(
    ("platform", "environ", "where"),
    [
        ("linux", {}, "home/.config/anthropic"),
        ("darwin", {}, "home/.config/anthropic"),
        ("win32", {}, "home/AppData/Roaming/Anthropic"),
        ("win32", {"APPDATA": "roaming"}, "roaming/Anthropic"),
        ("linux", {"ANTHROPIC_CONFIG_DIR": "elsewhere"}, "elsewhere"),
    ],
)
def test_profiles_are_looked_for_where_the_tool_keeps_them(
    tmp_path: Path, platform: str, environ: dict[str, str], where: str
) -> None:
    put_profile(tmp_path / where)
    environ = {name: str(tmp_path / value) for name, value in environ.items()}

    assert AntProfile(environ, platform, tmp_path / "home").entry is not None


@pytest.mark.parametrize("name", ["../default", "a/b", ".hidden", " default", "a\\b", "line\nbreak"])
def test_a_name_that_leads_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    put_profile(folder)

    found = profile(folder, ANTHROPIC_PROFILE=name).read()

    assert found.entries == ()
    assert "is not a valid profile" in found.notices[0]


def loosen(secret: Path) -> None:
    secret.chmod(0o644)


def link(secret: Path) -> None:
    target = secret.rename(secret.with_suffix(".real"))
    secret.symlink_to(target)


def let_others_write(secret: Path) -> None:
    (secret.parent.parent / "configs" / secret.name).chmod(0o666)


def federate(secret: Path) -> None:
    put_profile(secret.parent.parent, auth={"type": "oidc_federation"})


def scramble(secret: Path) -> None:
    secret.write_text(f"{{{TOKEN}", encoding="utf-8")


def empty(secret: Path) -> None:
    secret.write_text("{}", encoding="utf-8")


def word_the_time(secret: Path) -> None:
    put_profile(secret.parent.parent, expires_at="2026-11-24T00:00:00Z")


DAMAGES = {
    loosen: "chmod 600",
    link: "symbolic link",
    let_others_write: "chmod go-w",
    federate: "not `user_oauth`",
    scramble: "no JSON object",
    empty: "no `access_token`",
    word_the_time: "`expires_at`",
    Path.unlink: "is missing",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")
@pytest.mark.parametrize(("damage", "words"), DAMAGES.items(), ids=[f.__name__ for f in DAMAGES])
def test_what_can_not_be_used_is_refused_with_the_reason_and_no_secret(
    folder: Path, damage: object, words: str
) -> None:
    secret = put_profile(folder)
    assert callable(damage)
    damage(secret)

    found = profile(folder).read()

    assert found.entries == ()
    assert words in found.notices[0]
    assert TOKEN not in repr(found)


@pytest.mark.slow  # the SDK takes seconds to load
@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such modes")
@pytest.mark.parametrize("damage", DAMAGES, ids=[f.__name__ for f in DAMAGES])
def test_the_sdk_refuses_it_too(folder: Path, damage: object, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = put_profile(folder)
    assert callable(damage)
    damage(secret)
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(folder))

    with pytest.raises(sdks.anthropic.AnthropicError):
        sdks.anthropic_credentials.CredentialsFile()()


async def test_an_ended_token_is_looked_for_anew_and_else_the_tool_is_named(folder: Path) -> None:
    put_profile(folder, expires_at=time.time() - 1)
    authoriser = ProfileAuthoriser(profile(folder), API, time.time)

    with pytest.raises(CredentialExpired, match="profile `default`") as ended:
        await authoriser.authorise({})
    put_profile(folder, token="renewed-by-the-tool", expires_at=time.time() + 60)
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)

    assert ended.value.hint == "ant auth login"
    assert headers["Authorization"] == "Bearer renewed-by-the-tool"


async def test_a_refused_token_is_tried_once_more_only_if_the_tool_has_renewed_it(folder: Path) -> None:
    put_profile(folder)
    authoriser = ProfileAuthoriser(profile(folder), API, time.time)
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)

    with pytest.raises(CredentialExpired, match="was refused"):
        await authoriser.renew(CredentialRefused("no"), headers)
    put_profile(folder, token="renewed-by-the-tool")

    assert await authoriser.renew(CredentialRefused("no"), headers)
    assert not await authoriser.renew(AccessRefused("no"), headers)
    assert not await authoriser.renew(CredentialRefused("no", status=403), headers)


async def test_a_profile_that_moved_to_another_server_is_not_used_at_the_old_one(folder: Path) -> None:
    put_profile(folder)
    authoriser = ProfileAuthoriser(profile(folder), API, time.time)
    put_profile(folder, base_url="https://staging.example")

    with pytest.raises(CredentialExpired, match="is gone"):
        await authoriser.authorise({})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"workspace_id": "wrkspc_1"},
        {"auth": {"client_id": "theirs"}, "expires_at": 4_000_000_000},
        {"expires_at": "4000000000"},
    ],
    ids=["plain", "workspace", "refreshable", "time-as-text"],
)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
async def test_the_sdk_sends_the_same_for_the_same_profile(
    folder: Path, server: Loopback, http: Http, given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_profile(folder, base_url=server.url, **given)  # type: ignore[arg-type]
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(folder))
    server.answers(REPLY)
    own = {"anthropic-api": ProviderSettings("anthropic-api", base_url=server.url)}
    endpoint = endpoint_of(find_provider("anthropic-api", own), own)
    authoriser = ProfileAuthoriser(profile(folder), endpoint.origin, time.time)

    async with sdks.anthropic.AsyncAnthropic(max_retries=0) as client:
        await client.messages.create(
            model="claude-sonnet-5-5", max_tokens=5, messages=[{"role": "user", "content": "Hello"}]
        )
    model = build_model(endpoint, "claude-sonnet-5-5", authoriser, http)
    await model.reply(ModelRequest((Message("user", "Hello"),), max_tokens=5))

    theirs, ours = (
        {
            name: value
            for name, value in heard.headers.items()
            if name in {"authorization", "x-api-key"} or name.startswith("anthropic-")
        }
        for heard in server.heard
    )
    assert ours == theirs
    assert ours["authorization"] == f"Bearer {TOKEN}"
    assert server.heard[0].target == server.heard[1].target
