"""Asking providers for their models: every format, with a credential, and every way to fail."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from llm_orc.catalog.chatgpt import CHATGPT_CALLS
from llm_orc.errors import (
    AccessRefused,
    CredentialRefused,
    LlmOrcError,
    ProviderOverloaded,
    ProviderUnreachable,
    ReplyUnreadable,
)
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model_list import ListedModel, ModelList, ask_models, models_in
from llm_orc.providers.prices import usd_per_million
from tests.fakes.loopback import Loopback, answer

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.net.http import Http

ONE = {"data": [{"id": "m-1"}]}


@dataclass
class Bearer:
    """A credential that can be renewed once."""

    origin: str
    token: str = "old-token-0001"
    remembered: list[LlmOrcError] = field(default_factory=list)

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        headers["authorization"] = f"Bearer {self.token}"

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        self.token, was = "new-token-0002", self.token
        return was != self.token

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        self.remembered.append(refused)

    def accepted(self) -> None:
        return


async def ask(
    server: Loopback, http: Http, dialect: DialectName = "openai-responses", bearer: Bearer | None = None
) -> ModelList:
    endpoint = Endpoint("p", dialect, server.url, server.url, {"x-team": "t"}, calls=CHATGPT_CALLS)
    return await ask_models(endpoint, bearer or Bearer(server.url), http)


async def failure(server: Loopback, http: Http, kind: type[LlmOrcError], bearer: Bearer | None = None) -> str:
    with pytest.raises(kind) as caught:
        await ask(server, http, bearer=bearer)
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (ONE, [ListedModel("m-1")]),
        ({"data": [{"id": "m-1", "display_name": "M One"}]}, [ListedModel("m-1", "M One")]),
        ({"data": [{"id": "a/m-1", "name": "A: M One", "pricing": {}}]}, [ListedModel("a/m-1", "A: M One")]),
        ({"data": [{"id": "m-1", "name": "m-1"}]}, [ListedModel("m-1")]),
        (
            {
                "models": [
                    {"slug": "z", "display_name": "Zed", "visibility": "list"},
                    {"slug": "h", "display_name": "Hidden", "visibility": "hide"},
                    {"slug": "a", "display_name": "Ay", "visibility": "list"},
                ]
            },
            [ListedModel("z", "Zed"), ListedModel("a", "Ay")],
        ),
        (
            {
                "models": [
                    {"name": "models/g", "displayName": "G", "supportedGenerationMethods": ["generateContent"]},
                    {"name": "models/e", "displayName": "E", "supportedGenerationMethods": ["embedContent"]},
                ]
            },
            [ListedModel("g", "G")],
        ),
        ({"data": [], "object": "list"}, []),
    ],
)
async def test_every_format_is_read_in_the_order_of_the_server(
    server: Loopback, http: Http, body: object, models: list[ListedModel]
) -> None:
    server.answers(answer(body))

    found = await ask(server, http)

    assert found == ModelList(tuple(models))


@pytest.mark.parametrize(
    ("dialect", "target", "version"),
    [
        ("openai-responses", "/models", False),
        ("openai-chat", "/models", False),
        ("anthropic", "/v1/models?limit=1000", True),
        ("gemini", "/v1beta/models?pageSize=1000", False),
    ],
)
async def test_each_protocol_is_asked_for_all_of_them(
    server: Loopback, http: Http, dialect: DialectName, target: str, *, version: bool
) -> None:
    server.answers(answer(ONE))

    await ask(server, http, dialect)

    heard = server.heard[0]
    assert (heard.method, heard.target, heard.body) == ("GET", target, b"")
    assert (heard.headers["authorization"], heard.headers["x-team"]) == ("Bearer old-token-0001", "t")
    assert ("anthropic-version" in heard.headers) == version


@pytest.mark.parametrize("more", [{"has_more": True}, {"nextPageToken": "n"}])
async def test_a_list_that_goes_on_says_so(server: Loopback, http: Http, more: dict[str, object]) -> None:
    server.answers(answer({**ONE, **more}))

    assert not (await ask(server, http)).is_whole


async def test_an_expired_token_is_renewed_once(server: Loopback, http: Http) -> None:
    server.answers(answer({"error": {"message": "Expired."}}, 401), answer(ONE))

    assert (await ask(server, http)).models == (ListedModel("m-1"),)
    assert [heard.headers["authorization"] for heard in server.heard] == [
        "Bearer old-token-0001",
        "Bearer new-token-0002",
    ]


async def test_a_refused_credential_is_asked_twice_at_most_and_not_condemned(server: Loopback, http: Http) -> None:
    bearer = Bearer(server.url)
    server.answers(answer({"error": {"message": "No new-token-0002 here."}}, 401))

    said = await failure(server, http, CredentialRefused, bearer)

    assert said.startswith("`p` refused the credential (status 401)")
    assert "new-token-0002" not in said
    assert (len(server.heard), bearer.remembered) == (2, [])


async def test_an_account_that_is_not_eligible_is_remembered(server: Loopback, http: Http) -> None:
    bearer = Bearer(server.url)
    error = {"code": "subscription_sharing_user_not_eligible", "message": "No."}
    server.answers(answer({"error": error}, 403))

    await failure(server, http, AccessRefused, bearer)

    assert len(server.heard) == len(bearer.remembered) == 1


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (answer({"error": {"message": "Busy."}}, 503), ProviderOverloaded, "`p` is overloaded"),
        (answer(b"<html>", content_type="text/html"), ReplyUnreadable, "`p` (status 200) is not JSON: `<html>`"),
        (answer([1]), ReplyUnreadable, "has an unexpected structure"),
    ],
)
async def test_what_fails_is_an_error_of_its_kind_at_once(
    server: Loopback, http: Http, script: list[bytes], kind: type[LlmOrcError], words: str
) -> None:
    server.answers(script)

    assert words in await failure(server, http, kind)
    assert len(server.heard) == 1


async def test_a_server_that_is_gone_is_one_that_cannot_be_reached(server: Loopback, http: Http) -> None:
    await server.stop()

    assert "`p` can't be reached" in await failure(server, http, ProviderUnreachable)
    await server.start()


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b'{"data": 5}', b"\xff"])
def test_what_is_no_list_is_none(body: bytes) -> None:
    assert models_in(body) is None


def test_a_known_model_has_a_price_and_an_unknown_one_has_none() -> None:
    price = usd_per_million("anthropic-api", "claude-sonnet-4-5")

    assert price is not None
    assert 0 < price[0] < price[1] < 1000
    assert usd_per_million("anthropic-api", "claude-unheard-of") is None
    assert usd_per_million("ollama", "m") is None
