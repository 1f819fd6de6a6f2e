"""`HttpModel`: when a call is tried again, when not, and where a credential may go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import pytest

from llm_orc.auth.apply import NoCredential
from llm_orc.errors import (
    AccessRefused,
    AuthError,
    CredentialRefused,
    ProviderError,
    ProviderOverloaded,
    ProviderUnreachable,
    RateLimited,
    ReplyTimedOut,
    RequestRejected,
)
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.dialects.anthropic import Anthropic
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.model import HttpModel
from llm_orc.providers.retries import Retries
from tests.fakes.loopback import Cut, Loopback, Silence, answer
from tests.net.certificates import self_signed
from tests.providers.dialects import test_anthropic
from tests.providers.dialects.suite import HELLO

if TYPE_CHECKING:
    from pathlib import Path

    from tests.providers.conftest import Naps, Watcher

wire = test_anthropic.TestAnthropic()
YES = answer(wire.whole("yes", "end_turn"))
BUSY = answer(wire.error("busy"), 529)


def model(server: Loopback, http: Http, naps: Naps, authoriser: Any = None, **options: Any) -> HttpModel:
    endpoint = Endpoint("anthropic-api", "anthropic", server.url, server.url, headers={"x-team": "t"})
    retries = Retries(options.pop("max_retries", 4), naps, options.pop("jitter", lambda: 1.0))
    return HttpModel(
        endpoint, "m-0", Anthropic(), authoriser or NoCredential(server.url), http, retries=retries, **options
    )


async def test_tries_again_with_growing_pauses(server: Loopback, http: Http, naps: Naps, watcher: Watcher) -> None:
    server.answers(BUSY, BUSY, [Cut], BUSY, YES)

    reply = await model(server, http, naps).reply(HELLO, watcher)

    assert reply.text == "yes"
    assert naps.taken == [0.5, 1.0, 2.0, 4.0]
    assert [(attempt, delay) for _, attempt, delay in watcher.retries] == [(2, 0.5), (3, 1.0), (4, 2.0), (5, 4.0)]


async def test_gives_up_after_as_many_tries_as_allowed(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(BUSY)

    with pytest.raises(ProviderOverloaded, match="busy"):
        await model(server, http, naps, max_retries=2).reply(HELLO)

    assert len(server.heard) == 3


async def test_pauses_are_spread_by_chance_and_have_an_upper_end(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(BUSY)

    with pytest.raises(ProviderOverloaded):
        await model(server, http, naps, max_retries=9, jitter=lambda: 0.5).reply(HELLO)

    assert naps.taken == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


@pytest.mark.parametrize(
    ("headers", "least"), [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5)]
)
async def test_waits_as_long_as_the_provider_asks(
    server: Loopback, http: Http, naps: Naps, headers: dict[str, str], least: float
) -> None:
    server.answers(answer(wire.error("slow down"), 429, headers), YES)

    await model(server, http, naps).reply(HELLO)

    assert least <= naps.taken[0] <= least + 1


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, ProviderOverloaded)])
async def test_does_not_wait_for_minutes_but_says_until_when(
    server: Loopback, http: Http, naps: Naps, status: int, kind: type[ProviderError]
) -> None:
    server.answers(answer(wire.error("slow down"), status, {"retry-after": "300"}))

    with pytest.raises(kind, match="asks to wait 300 s") as caught:
        await model(server, http, naps).reply(HELLO)

    assert "Try again after 20" in (caught.value.hint or "")
    assert caught.value.retry_after_s == 300
    assert naps.taken == []


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
async def test_does_not_repeat_what_was_rejected(server: Loopback, http: Http, naps: Naps, status: int) -> None:
    server.answers(answer(wire.error("no"), status))

    with pytest.raises((RequestRejected, CredentialRefused)):
        await model(server, http, naps).reply(HELLO)

    assert len(server.heard) == 1


async def test_does_not_repeat_what_fell_silent(server: Loopback, naps: Naps) -> None:
    server.answers([Silence])

    async with Http(NetworkSettings(idle_timeout_s=0.1), 5) as http:
        with pytest.raises(ReplyTimedOut, match=r"no data for 0\.1 s"):
            await model(server, http, naps).reply(HELLO)

    assert len(server.heard) == 1


async def test_names_the_settings_that_help_with_an_unknown_certificate(
    tmp_path: Path, http: Http, naps: Naps
) -> None:
    _, context = self_signed(tmp_path, "127.0.0.1")
    server = Loopback()
    await server.start(context)

    with pytest.raises(ProviderUnreachable, match="certificate") as caught:
        await model(server, http, naps).reply(HELLO)

    await server.stop()
    assert "network.ca_file" in (caught.value.hint or "")
    assert "SSL_CERT_FILE" in (caught.value.hint or "")
    assert naps.taken == []


async def test_says_where_a_redirect_points(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer(b"", 308, {"location": "https://elsewhere.test/v1?token=abc"}))

    with pytest.raises(RequestRejected, match=r"`https://elsewhere\.test/v1`") as caught:
        await model(server, http, naps).reply(HELLO)

    assert "base_url" in (caught.value.hint or "")
    assert "abc" not in caught.value.message


async def test_sends_the_headers_of_the_settings(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(YES)

    await model(server, http, naps).reply(HELLO)

    assert server.heard[0].headers["x-team"] == "t"
    assert server.heard[0].headers["anthropic-version"] == "2026-10-21"


# --- credentials ------------------------------------------------------------------------------------------


class Renewable:
    """An authoriser whose tokens are numbered; `renewals` more can be had."""

    def __init__(self, origin: str, renewals: int) -> None:
        self.origin = origin
        self.renewals = renewals
        self.number = 1
        self.refused: list[str] = []
        self.remembered: list[str] = []
        self.was_accepted = False

    async def authorise(self, headers: MutableMapping[str, str]) -> None:
        headers["authorization"] = f"Bearer token-{self.number}"

    async def renew(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> bool:
        assert headers["authorization"] == f"Bearer token-{self.number}"
        self.refused.append(refused.provider_message)
        self.number += 1
        return self.number <= self.renewals + 1

    async def remember(self, refused: CredentialRefused | AccessRefused, headers: Mapping[str, str]) -> None:
        self.remembered.append(headers["authorization"])

    def accepted(self) -> None:
        self.was_accepted = True


async def test_renews_a_refused_token_once(server: Loopback, http: Http, naps: Naps, watcher: Watcher) -> None:
    server.answers(answer(wire.error("expired"), 401), YES)
    token = Renewable(server.url, renewals=5)

    reply = await model(server, http, naps, token, max_retries=0).reply(HELLO, watcher)

    assert reply.text == "yes"
    assert token.refused == ["expired"]
    assert token.was_accepted
    assert [h.headers["authorization"] for h in server.heard] == ["Bearer token-1", "Bearer token-2"]
    assert [(type(e), n, d) for e, n, d in watcher.retries] == [(CredentialRefused, 2, 0.0)]


async def test_a_token_refused_twice_is_refused(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer(wire.error("expired"), 401))
    token = Renewable(server.url, renewals=5)

    with pytest.raises(CredentialRefused, match="expired"):
        await model(server, http, naps, token).reply(HELLO)

    assert len(server.heard) == 2
    assert token.remembered == ["Bearer token-2"]


async def test_what_cannot_be_renewed_is_refused_at_once(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer(wire.error("expired"), 401))

    with pytest.raises(CredentialRefused):
        await model(server, http, naps, Renewable(server.url, renewals=0)).reply(HELLO)

    assert len(server.heard) == 1


async def test_a_token_is_not_renewed_for_a_403(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(answer(wire.error("insufficient scope"), 403))
    token = Renewable(server.url, renewals=5)

    with pytest.raises(CredentialRefused):
        await model(server, http, naps, token).reply(HELLO)

    assert token.refused == []
    assert len(server.heard) == 1


def test_a_credential_goes_to_no_other_origin(http: Http, naps: Naps) -> None:
    server = Loopback(port=8000)

    with pytest.raises(AuthError, match=r"belongs to `https://api\.example\.com` and is not sent to"):
        model(server, http, naps, NoCredential("https://api.example.com"))


async def test_a_credential_that_changes_its_origin_is_not_sent(server: Loopback, http: Http, naps: Naps) -> None:
    token = Renewable(server.url, renewals=0)
    asked = model(server, http, naps, token)
    token.origin = "https://api.example.com"

    with pytest.raises(AuthError, match="is not sent to"):
        await asked.reply(HELLO)

    assert server.heard == []


async def test_two_hundred_calls_at_once_all_succeed(server: Loopback, http: Http, naps: Naps) -> None:
    server.answers(YES)
    asked = model(server, http, naps)

    replies = await asyncio.gather(*(asked.reply(HELLO) for _ in range(200)))

    assert {reply.text for reply in replies} == {"yes"}
    assert server.most_open <= 50
