"""A server that allows a refresh only from a given time on: no rule that refreshes comes earlier."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.auth.access import Billing
from llm_orc.auth.apply import Authoriser
from llm_orc.auth.credential import Entry, OAuthToken
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.secret import Secret
from llm_orc.auth.standing import standing_of
from llm_orc.auth.tokens.oauth import OAuthAuthoriser
from llm_orc.errors import CredentialRefused, RefreshTooEarly
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.sandbox.oauth.clients import PLAN_CLIENT
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.auth.conftest import SignIn
from tests.auth.sign_in_store import PROVIDER, open_storage
from tests.fakes.clocks import SetTime

ORIGIN = "https://api.example"


@pytest.fixture
def clock() -> SetTime:
    return SetTime()


@pytest.fixture
def server(clock: SetTime) -> OAuthServer:
    return OAuthServer(clock=clock)


@pytest.fixture
async def plan(tmp_path: Path, server: OAuthServer) -> AsyncIterator[SignIn]:
    async with Sandbox(oauth=server) as sandbox, Http(NetworkSettings(), max_connections=5) as http:
        client = OAuthClient(
            PROVIDER, token_endpoint=server.token_endpoint, resource=f"{sandbox.origin}{PLAN_CLIENT.resource}"
        )
        yield SignIn(open_storage(tmp_path / "store"), server, client, http)


def issue(plan: SignIn, clock: SetTime) -> OAuthToken:
    """Sign in: the token lives for an hour, and is refreshed in its last six minutes."""
    client_id = plan.server.register_client()
    issued = plan.server.issue_tokens(client_id)
    entry = plan.storage.store_oauth_token(
        PROVIDER, issued.access_token, issued.refresh_token, clock() + issued.expires_in_s, client_id
    )
    assert isinstance(entry.credential, OAuthToken)
    timed = replace(entry.credential, issued_at=clock(), earliest_refresh_at=issued.earliest_refresh_at)
    plan.storage.update(PROVIDER, None, lambda e: replace(e, credential=timed))
    return plan.token


def authoriser(plan: SignIn, clock: SetTime, refusals: RefusalMemory) -> Authoriser:
    return OAuthAuthoriser(plan.keeper(clock), ORIGIN, refusals=refusals)


async def test_a_forced_refresh_says_from_when_it_is_allowed(plan: SignIn, clock: SetTime) -> None:
    token = issue(plan, clock)

    with pytest.raises(RefreshTooEarly) as caught:
        await plan.keeper(clock).refresh_now()

    assert caught.value.not_before == token.earliest_refresh_at
    assert caught.value.exit_code == 4
    assert plan.server.token_requests == []
    assert plan.entry.presented is None


async def test_a_refused_token_is_not_refreshed_and_not_sent_again(
    plan: SignIn, clock: SetTime, tmp_path: Path
) -> None:
    token, refusals = issue(plan, clock), RefusalMemory(tmp_path / "refusals.json", clock)
    headers: dict[str, str] = {}
    first = authoriser(plan, clock, refusals)
    await first.authorise(headers)

    with pytest.raises(RefreshTooEarly, match="no longer accepts the access token"):
        await first.renew(CredentialRefused("no", status=401), headers)
    with pytest.raises(RefreshTooEarly):
        await authoriser(plan, clock, refusals).authorise({})

    standing = standing_of(plan.entry, clock(), ORIGIN, refusals, None)
    assert (standing.name, standing.is_usable) == ("lapsed", False)
    assert "allows a refresh from" in standing.why
    assert plan.server.token_requests == []

    assert token.earliest_refresh_at is not None
    clock.now = token.earliest_refresh_at
    assert standing_of(plan.entry, clock(), ORIGIN, refusals, None).is_usable
    await authoriser(plan, clock, refusals).authorise(headers)
    assert plan.server.early_refreshes == 0
    assert headers["Authorization"] != f"Bearer {token.access_token.reveal()}"


async def test_it_is_refreshed_in_good_time_and_the_next_one_waits_again(plan: SignIn, clock: SetTime) -> None:
    token, keeper = issue(plan, clock), plan.keeper(clock)
    assert token.expires_at is not None
    assert token.earliest_refresh_at == token.expires_at - 360

    clock.now = token.earliest_refresh_at - 1
    assert await keeper.current() == token
    await keeper.close()
    assert plan.server.refresh_count == 0

    clock.now = token.expires_at - 20  # so late that the caller waits for the refresh
    new = await keeper.current()

    assert new.access_token != token.access_token
    assert new.earliest_refresh_at is not None
    assert new.expires_at is not None
    assert abs(new.earliest_refresh_at - (new.expires_at - 360)) <= 1  # by the seconds of `Date`
    assert plan.server.token_requests[0].parameters["resource"].endswith("/v1")
    assert plan.server.early_refreshes == 0
    with pytest.raises(RefreshTooEarly):
        await keeper.refresh_now()


async def test_an_expired_token_waits_for_the_time_too(plan: SignIn, clock: SetTime) -> None:
    token = issue(plan, clock)
    assert token.expires_at is not None
    late = replace(token, earliest_refresh_at=token.expires_at + 50)
    plan.storage.update(PROVIDER, None, lambda e: replace(e, credential=late))
    clock.now = token.expires_at + 1

    with pytest.raises(RefreshTooEarly, match="can't be refreshed before"):
        await plan.keeper(clock).current()

    assert plan.server.token_requests == []


async def test_the_sandbox_spends_what_comes_too_early(plan: SignIn, clock: SetTime) -> None:
    """The trap itself: without the rule, the sign-in would be lost."""
    token = issue(plan, clock)
    careless = replace(token, earliest_refresh_at=None)
    plan.storage.update(PROVIDER, None, lambda e: replace(e, credential=careless))

    with pytest.raises(Exception, match="invalid_grant"):
        await plan.keeper(clock).refresh_now()

    assert plan.server.early_refreshes == 1


def test_the_time_is_kept_in_the_store(tmp_path: Path) -> None:
    token = OAuthToken(Secret("at"), Secret("rt"), 50.0, 1.0, earliest_refresh_at=40.0, id_token=Secret("id"))
    storage = open_storage(tmp_path)
    storage.keep(Entry(PROVIDER, "default", token, Billing.LOCAL, subject="person"))

    found = open_storage(tmp_path).get(PROVIDER)

    assert found is not None
    assert found.credential == token
    assert found.subject == "person"
