"""Sign in to MCP servers: where, as which client, and what becomes of the tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from llm_orc.app.access.credentials import open_credentials
from llm_orc.app.accounts.sign_in import SignInOptions
from llm_orc.app.accounts.sign_out import log_out
from llm_orc.app.tools.servers import client_of, find_server
from llm_orc.app.tools.sign_in import sign_in_to_server
from llm_orc.app.wiring import App
from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.oauth.discovery.protected_resource import read_challenge
from llm_orc.errors import AuthError, InputError, LlmOrcError, LoginFailed, NotLoggedIn
from llm_orc.mcp.client import McpClient
from llm_orc.net.http import Http
from tests.app.conftest import Workspace
from tests.fakes.people import Person, visit
from tests.fakes.protected_tools import protected_tools


def app_with(workspace: Workspace, url: str, **more: object) -> App:
    workspace.settings({"mcp_servers": {"notes": {"url": url, **more}, "program": {"command": ["true"]}}})
    return workspace.app()


async def signed_in(app: App, name: str = "notes") -> None:
    """Sign in as a person who goes to the address that is shown, and agrees to everything."""
    person = Person()

    async def goes_there() -> None:
        await visit(await person.urls.get())

    going = asyncio.create_task(goes_there())
    try:
        await sign_in_to_server(app, name, person, SignInOptions(no_browser=True), ())
    finally:
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)


@asynccontextmanager
async def client(app: App) -> AsyncIterator[McpClient]:
    async with Http(app.settings.network, max_connections=4) as http:
        one = client_of(app, http, find_server(app, "notes"))
        try:
            yield one
        finally:
            await one.close()


async def tools_of(app: App) -> list[str]:
    async with client(app) as one:
        return [tool.name for tool in await one.tools()]


@pytest.mark.parametrize("faults", [(), ("says nothing",), ("names its description",)], ids=str)
async def test_after_a_sign_in_the_servers_tools_can_be_used(
    workspace: Workspace, faults: tuple[str, ...]
) -> None:
    async with protected_tools(*faults) as server:
        app = app_with(workspace, server.url)
        with pytest.raises(NotLoggedIn, match="needs a sign-in") as needed:
            await tools_of(app)
        await signed_in(app)

        assert needed.value.hint == "llm-orc mcp login notes"
        assert "add" in await tools_of(app)

    (registered,) = server.registered
    assert registered["token_endpoint_auth_method"] == "none"
    assert registered["redirect_uris"][0].startswith("http://127.0.0.1:")
    assert server.asked[0]["client_id"] == "client-1"
    assert server.asked[0]["resource"] == server.url


async def test_a_token_that_is_refused_is_refreshed_and_the_request_repeated(workspace: Workspace) -> None:
    async with protected_tools() as server:
        app = app_with(workspace, server.url)
        await signed_in(app)
        async with client(app) as one:
            await one.tools()
            server.good.clear()  # the server has forgotten it
            called = await one.call("add", {"a": 1, "b": 2})

        assert called.text == "3"
        assert [asked["grant_type"] for asked in server.asked] == ["authorization_code", "refresh_token"]
        assert server.asked[1]["resource"] == server.url


async def test_an_expired_token_is_refreshed_before_it_is_sent(workspace: Workspace) -> None:
    async with protected_tools() as server:
        app = app_with(workspace, server.url)
        await signed_in(app)
        storage = open_credentials(app)
        entry = storage.get("mcp:notes")
        assert entry is not None
        assert isinstance(entry.credential, OAuthToken)
        storage.keep(replace(entry, credential=replace(entry.credential, expires_at=app.clock.now() - 10)))
        server.good.clear()

        assert "add" in await tools_of(app)
        assert len(server.asked) == 2


async def test_what_no_refresh_can_mend_says_to_sign_in_again(workspace: Workspace) -> None:
    async with protected_tools() as server:
        app = app_with(workspace, server.url)
        await signed_in(app)
        server.good.clear()
        server.refresh.clear()
        with pytest.raises(AuthError) as caught:
            await tools_of(app)

    assert "notes" in f"{caught.value.message} {caught.value.hint}"


async def test_a_server_that_wants_more_names_what_to_ask_for(workspace: Workspace) -> None:
    async with protected_tools("needs more") as server:
        app = app_with(workspace, server.url)
        await signed_in(app)
        async with client(app) as one:
            with pytest.raises(NotLoggedIn) as caught:
                await one.call("add", {"a": 1, "b": 2})

    assert caught.value.hint == "llm-orc mcp login notes --scope tools:read --scope tools:write"


async def test_a_logout_revokes_the_tokens_at_the_server_that_gave_them(workspace: Workspace) -> None:
    async with protected_tools() as server:
        app = app_with(workspace, server.url)
        await signed_in(app)
        done = await log_out(app, "mcp:notes")

        assert done.at_provider == "revoked"
        assert any(token.startswith("canary-rt-") for token in server.revoked)
        with pytest.raises(NotLoggedIn):
            await tools_of(app)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("of another", "elsewhere.example"),
        ("no pkce", "PKCE"),
        ("no registration", "registers no clients"),
        ("wants a secret", "keep a secret"),
    ],
)
async def test_a_server_that_can_not_be_trusted_gets_no_sign_in(
    workspace: Workspace, fault: str, says: str
) -> None:
    async with protected_tools(fault) as server:
        app = app_with(workspace, server.url)
        with pytest.raises(LoginFailed, match=says):
            await signed_in(app)

        assert server.asked == []
        assert open_credentials(app).get("mcp:notes") is None


async def test_a_configured_client_is_used_where_none_can_be_registered(workspace: Workspace) -> None:
    async with protected_tools("no registration") as server:
        app = app_with(workspace, server.url, client_id="ours", scopes=["tools:write"])
        await signed_in(app)

        assert server.asked[0]["client_id"] == "ours"
        assert "add" in await tools_of(app)


async def test_a_sign_in_is_not_sent_to_another_address(workspace: Workspace) -> None:
    async with protected_tools() as server, protected_tools() as other:
        await signed_in(app_with(workspace, server.url))
        moved = app_with(workspace, other.url)
        with pytest.raises(AuthError, match="is not sent to"):
            await tools_of(moved)

        assert other.asked == []


async def test_a_program_takes_no_sign_in(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="is a program"):
        await signed_in(app_with(workspace, "http://127.0.0.1:9/mcp"), "program")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/mcp"])
async def test_a_server_that_is_not_there_is_said_to_be(workspace: Workspace, url: str) -> None:
    with pytest.raises(LlmOrcError, match="notes"):
        await signed_in(app_with(workspace, url))


def test_a_challenge_is_read_whatever_it_holds() -> None:
    one = read_challenge(
        'Bearer realm="a \\"b\\"", error=insufficient_scope, scope="x y", resource_metadata="https://a/b"'
    )

    assert (one.wants_more, one.scopes, one.resource_metadata) == (True, ("x", "y"), "https://a/b")
    assert read_challenge("") == read_challenge("Negotiate") == read_challenge('Bearer "')


def test_what_is_no_scope_is_not_taken_for_one() -> None:
    challenge = read_challenge('Bearer error="insufficient_scope", scope="a:read \x1b[31m \\"; caf\xe9 $(id)"')

    assert challenge.scopes == ("a:read", "$(id)")


async def test_a_scope_in_a_command_to_copy_is_quoted(workspace: Workspace) -> None:
    async with protected_tools("needs more") as server:
        server.more = "$(id)"
        app = app_with(workspace, server.url)
        await signed_in(app)
        async with client(app) as one:
            with pytest.raises(NotLoggedIn) as caught:
                await one.call("add", {"a": 1, "b": 2})

    assert caught.value.hint == "llm-orc mcp login notes --scope tools:read --scope '$(id)'"


async def test_a_server_that_answers_without_a_sign_in_is_said_to_need_none(workspace: Workspace) -> None:
    async with protected_tools("says nothing", "open", "no metadata") as server:
        app = app_with(workspace, server.url)
        with pytest.raises(LoginFailed, match="without a sign-in") as caught:
            await sign_in_to_server(app, "notes", Person(), SignInOptions(no_browser=True), ())

    assert "llm-orc mcp tools notes" in (caught.value.hint or "")
