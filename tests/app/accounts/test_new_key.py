"""What a provider's answer to a test of a key means: accepted, refused, or still unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.new_key import try_key
from llm_orc.app.accounts.sign_in import place_for_key
from llm_orc.auth.key_shapes import doubt
from llm_orc.auth.secret import Secret
from llm_orc.catalog.table import PROVIDERS
from llm_orc.errors import CredentialRefused
from tests.app.conftest import Workspace
from tests.fakes.loopback import Loopback, answer

KEY = Secret("canary-of-a-new-key")


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    await loopback.start()
    yield loopback
    await loopback.stop()


async def tried(workspace: Workspace, server: Loopback, name: str) -> str:
    """Return why it is unknown whether the key works; empty: it does."""
    workspace.settings({"providers": {name: {"base_url": f"{server.url}/v1"}}})
    app = workspace.app()
    provider = open_provider(app, name)
    return await try_key(app, provider, place_for_key(app, provider), KEY)


async def test_the_provider_is_asked_once_for_what_costs_nothing(workspace: Workspace, server: Loopback) -> None:
    server.answers(answer({"data": []}))

    assert await tried(workspace, server, "openai") == ""
    assert [(one.method, one.target) for one in server.heard] == [("GET", "/v1/models")]


async def test_where_the_list_of_models_is_public_something_else_is_asked_for(
    workspace: Workspace, server: Loopback
) -> None:
    server.answers(answer({"data": {}}))

    assert await tried(workspace, server, "openrouter") == ""
    assert await tried(workspace, server, "huggingface") != ""
    assert [one.target for one in server.heard] == ["/v1/key"]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "You have insufficient permissions for this operation. Missing scopes: api.model.read."),
        (403, "This key may not list models"),
        (404, "no such page"),
        (429, "slow down"),
        (500, "oops"),
    ],
)
async def test_what_is_no_refusal_of_the_key_leaves_it_unknown(
    workspace: Workspace, server: Loopback, status: int, message: str
) -> None:
    server.answers(answer({"error": {"message": message}}, status))

    assert message.split(".", maxsplit=1)[0] in await tried(workspace, server, "openai")


async def test_a_refusal_is_one_and_says_where_keys_are(workspace: Workspace, server: Loopback) -> None:
    server.answers(answer({"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, 401))

    with pytest.raises(CredentialRefused, match="nothing was stored") as caught:
        await tried(workspace, server, "openai")

    assert "https://platform.openai.com/api-keys" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("openai", "sk-proj-abc", ""),
        ("openai", "sk-abc", ""),
        ("openai", "abc", "doesn't begin with"),
        ("google-gemini", "AIzaAbc", ""),
        ("google-gemini", "AQ.Abc", ""),
        ("google-gemini", "ya29.Abc", "token of a sign-in"),
        ("openai", "eyJhbGciOi", "token of a sign-in"),
        ("mistral", "whatever", ""),
    ],
)
def test_an_unusual_shape_is_only_a_doubt(name: str, key: str, words: str) -> None:
    assert bool(doubt(key, PROVIDERS[name])) == bool(words)
    assert words in doubt(key, PROVIDERS[name])
