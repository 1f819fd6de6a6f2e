"""A sign-in lasts: renewed in good time, once for all, and never lost by a failure (facts: RFC 6749 §6, RFC 9700)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.auth.credential import OAuthToken, Presented
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.refusals import RefusalMemory
from llm_orc.auth.secret import Secret
from llm_orc.auth.tokens.expiry import Urgency, urgency
from llm_orc.auth.tokens.marks import hash_of, lasting_secret
from llm_orc.auth.tokens.oauth import OAuthAuthoriser, Tokens
from llm_orc.errors import (
    AccessRefused,
    CredentialExpired,
    CredentialRefused,
    LoginFailed,
    NotLoggedIn,
    ProviderOverloaded,
    ProviderUnreachable,
)
from llm_orc.sandbox.faults import Status
from llm_orc.sandbox.oauth.faults import Dropped, LateAnswer, LostAnswer, OAuthError, OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.auth.conftest import PROVIDER, SignIn, open_storage

EXPIRED_S = -1.0


def fault(effect: object, times: int | None = 1) -> OAuthFault:
    return OAuthFault(effect, grant_type="refresh_token", times=times)  # type: ignore[arg-type]


async def sent_by(authoriser: OAuthAuthoriser) -> dict[str, str]:
    headers: dict[str, str] = {}
    await authoriser.authorise(headers)
    return headers


# --- when ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lifetime_s", "left_s", "expected"),
    [
        (28_800, 301, Urgency.FRESH),
        (28_800, 299, Urgency.DUE),
        (28_800, 31, Urgency.DUE),
        (28_800, 29, Urgency.OVERDUE),
        (28_800, 0, Urgency.EXPIRED),
        (400, 101, Urgency.FRESH),  # min(300, 400/4)
        (400, 99, Urgency.DUE),
        (400, 19, Urgency.OVERDUE),  # min(30, 400/20)
        (2, 0.6, Urgency.FRESH),
        (2, 0.4, Urgency.DUE),
        (2, 0.09, Urgency.OVERDUE),
    ],
)
def test_a_token_is_renewed_in_good_time_for_its_lifetime(
    lifetime_s: float, left_s: float, expected: Urgency
) -> None:
    token = OAuthToken(Secret("t"), issued_at=1000.0, expires_at=1000.0 + lifetime_s)

    assert urgency(token, 1000.0 + lifetime_s - left_s) is expected


def test_a_token_whose_end_nobody_told_is_used_until_it_is_refused() -> None:
    assert urgency(OAuthToken(Secret("t"), issued_at=0.0), 10**10) is Urgency.FRESH


def test_without_a_known_start_the_longest_windows_hold() -> None:
    assert urgency(OAuthToken(Secret("t"), expires_at=1000.0), 701.0) is Urgency.DUE


# --- once ----------------------------------------------------------------------------------------------------


async def test_a_fresh_token_is_sent_as_it_is(sign_in: SignIn) -> None:
    sign_in.issue()

    headers = await sent_by(OAuthAuthoriser(sign_in.keeper(), "http://x", {"x-beta": "1"}))

    assert headers == {"Authorization": f"Bearer {sign_in.token.access_token.reveal()}", "x-beta": "1"}
    assert sign_in.server.refresh_count == 0


async def test_an_expired_token_is_renewed_before_it_is_sent_and_kept(sign_in: SignIn) -> None:
    old = sign_in.issue(lifetime_s=EXPIRED_S)

    token = await sign_in.keeper().current()

    assert sign_in.server.refresh_count == 1
    assert sign_in.token == token != old.credential
    assert sign_in.entry.refreshed_at is not None
    assert sign_in.entry.presented is None


async def test_all_who_wait_in_a_process_share_one_exchange(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    keeper = sign_in.keeper()

    tokens = await asyncio.gather(*(keeper.current() for _ in range(200)))

    assert sign_in.server.refresh_count == 1
    assert len(set(tokens)) == 1


async def test_a_forced_renewal_is_done_where_a_token_came_since_it_was_asked_for(sign_in: SignIn) -> None:
    sign_in.issue()
    asked_at = time.time()

    first = await sign_in.keeper().refresh_now(asked_at=asked_at)
    late = [await sign_in.keeper().refresh_now(asked_at=asked_at) for _ in range(5)]
    next_day = await sign_in.keeper().refresh_now(asked_at=time.time())

    assert {first, *late} == {first}
    assert next_day != first
    assert sign_in.server.refresh_count == 2


def test_a_process_knows_when_it_was_started_and_not_only_when_it_was_ready() -> None:
    program = "import time; time.sleep(0.3); from llm_orc.app.accounts.process_start import started_at; print(started_at())"
    before = time.time()

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert before - 0.1 < float(said.stdout) < before + (0.25 if sys.platform == "linux" else 60)


async def test_keepers_that_share_a_store_share_one_exchange(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    keepers = [sign_in.keeper() for _ in range(10)]

    tokens = await asyncio.gather(*(keeper.current() for keeper in keepers))

    assert sign_in.server.refresh_count == 1
    assert sign_in.server.reuse_events == []
    assert len(set(tokens)) == 1


async def test_a_token_that_is_due_goes_on_being_used_while_it_is_renewed(sign_in: SignIn) -> None:
    sign_in.server.add_fault(fault(LateAnswer(0.1)))
    old = sign_in.issue(lifetime_s=3600)
    now = [time.time() + 3600 - 200]
    keeper = sign_in.keeper(lambda: now[0])

    token = await keeper.current()
    await keeper.close()

    assert token == old.credential
    assert sign_in.server.refresh_count == 1
    assert sign_in.token.access_token != token.access_token


async def test_a_refresh_survives_the_cancellation_of_whoever_asked_for_it(sign_in: SignIn) -> None:
    sign_in.server.add_fault(fault(LateAnswer(0.1)))
    old = sign_in.issue(lifetime_s=EXPIRED_S)
    keeper = sign_in.keeper()
    asking = asyncio.create_task(keeper.current())
    await sign_in.server.wait_for_token_requests(1, worked_on=True)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await keeper.close()

    assert sign_in.token != old.credential
    assert sign_in.entry.presented is None
    assert (await sign_in.keeper().current()) == sign_in.token


# --- on 401 --------------------------------------------------------------------------------------------------


async def test_a_refused_token_is_renewed_whatever_its_age(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)

    renewed = await authoriser.renew(CredentialRefused("expired"), headers)

    assert renewed
    assert sign_in.server.refresh_count == 1
    assert await sent_by(authoriser) != headers


async def test_many_refusals_of_one_token_are_one_exchange(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)

    renewed = await asyncio.gather(*(authoriser.renew(CredentialRefused("expired"), headers) for _ in range(50)))
    late = await authoriser.renew(CredentialRefused("expired"), headers)

    assert all(renewed)
    assert late
    assert sign_in.server.refresh_count == 1


async def test_a_new_sign_in_by_another_process_is_adopted(sign_in: SignIn) -> None:
    sign_in.issue()
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x")
    headers = await sent_by(authoriser)
    sign_in.issue()

    renewed = await authoriser.renew(CredentialRefused("revoked"), headers)

    assert renewed
    assert sign_in.server.refresh_count == 0
    assert (await sent_by(authoriser))["Authorization"] == f"Bearer {sign_in.token.access_token.reveal()}"


async def test_a_closed_way_in_is_remembered_for_the_whole_sign_in_and_not_renewed(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals)
    refusal = AccessRefused("no", signature="claude_code_only", provider_message="only for Claude Code")
    headers = await sent_by(authoriser)

    renewed = await authoriser.renew(refusal, headers)
    await authoriser.remember(refusal, headers)

    assert not renewed
    assert sign_in.server.refresh_count == 0
    refused = refusals.find("http://x", lasting_secret(sign_in.token))
    assert refused is not None
    assert (refused.signature, refused.message) == ("claude_code_only", "only for Claude Code")


async def test_an_access_token_that_was_refused_is_renewed_before_it_is_sent_again(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    refused = sign_in.token.access_token
    refusals.remember("http://x", refused, CredentialRefused("no"))

    headers = await sent_by(OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals))

    assert sign_in.server.refresh_count == 1
    assert refused.reveal() not in headers["Authorization"]


async def test_a_sign_in_that_the_server_has_ended_is_remembered_by_what_was_sent(
    sign_in: SignIn, tmp_path: Path
) -> None:
    sign_in.issue()
    refusals = RefusalMemory(tmp_path / "refusals.json", time.time)
    authoriser = OAuthAuthoriser(sign_in.keeper(), "http://x", refusals=refusals)
    headers = await sent_by(authoriser)
    sign_in.server.revoke_everything()

    with pytest.raises(CredentialExpired):
        await authoriser.renew(CredentialRefused("gone"), headers)

    assert refusals.find("http://x", sign_in.token.access_token) is not None


async def test_a_proof_is_kept_when_the_process_ends(sign_in: SignIn) -> None:
    sign_in.issue()
    async with Tokens(sign_in.storage, sign_in.http, time.time) as tokens:
        authoriser = OAuthAuthoriser(tokens.keeper(sign_in.entry, sign_in.client), "http://x")
        authoriser.accepted()

    assert sign_in.entry.proven_at == pytest.approx(time.time(), abs=5)


# --- what the answer says --------------------------------------------------------------------------------------


async def test_an_answer_without_refresh_token_keeps_the_old_one() -> None:
    server = OAuthServer(omits_refresh_token_on_refresh=True)
    async for sign_in in _sign_in_at(server):
        old = sign_in.issue(lifetime_s=EXPIRED_S).credential

        await sign_in.keeper().current()

        assert isinstance(old, OAuthToken)
        assert sign_in.token.refresh_token == old.refresh_token
        assert sign_in.token.access_token != old.access_token


async def _sign_in_at(server: OAuthServer):  # type: ignore[no-untyped-def]
    import tempfile
    from pathlib import Path

    from llm_orc.net.http import Http
    from llm_orc.net.options import NetworkSettings
    from llm_orc.sandbox.oauth.clients import CLIENT_ID
    from llm_orc.sandbox.server import Sandbox

    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(oauth=server), Http(NetworkSettings(), max_connections=10) as http:
            client = OAuthClient(PROVIDER, CLIENT_ID, token_endpoint=server.token_endpoint)
            yield SignIn(open_storage(Path(folder)), server, client, http)


async def test_an_entry_without_client_id_uses_the_configured_one(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.storage.update(PROVIDER, None, lambda e: replace(e, credential=replace(sign_in.token, client_id=None)))

    await sign_in.keeper().current()

    assert sign_in.server.token_requests[-1].was_accepted


async def test_a_refresh_asks_for_no_scope(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)

    await sign_in.keeper().current()

    assert "scope" not in sign_in.server.token_requests[-1].parameters


# --- failures --------------------------------------------------------------------------------------------------


async def test_invalid_grant_ends_this_refresh_token_and_deletes_nothing(sign_in: SignIn) -> None:
    old = sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.revoke_everything()

    with pytest.raises(CredentialExpired, match="new sign-in") as caught:
        await sign_in.keeper().current()
    with pytest.raises(CredentialExpired):
        await sign_in.keeper().current()

    assert caught.value.hint == f"llm-orc auth add {PROVIDER}"
    assert sign_in.server.refresh_count == 1, "a dead token was presented again"
    assert sign_in.entry.credential == old.credential
    assert sign_in.entry.needs_login is not None


async def test_a_new_sign_in_clears_the_end_of_the_old_one(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.revoke_everything()
    keeper = sign_in.keeper()
    with pytest.raises(CredentialExpired):
        await keeper.current()

    sign_in.issue()

    assert await keeper.current() == sign_in.token


@pytest.mark.parametrize(
    "effect", [Status(429, retry_after_s=7), Status(503, body="<html>Bad gateway</html>", retry_after_s=7)]
)
async def test_a_busy_token_endpoint_is_a_cool_down_for_every_process(sign_in: SignIn, effect: Status) -> None:
    old = sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.add_fault(fault(effect, times=None))

    with pytest.raises(ProviderOverloaded) as caught:
        await sign_in.keeper().current()
    with pytest.raises(ProviderOverloaded):
        await sign_in.keeper().current()

    assert caught.value.retry_after_s == pytest.approx(7, abs=1)
    assert sign_in.server.refresh_count == 1
    assert sign_in.entry.credential == old.credential
    assert sign_in.entry.presented is None
    assert sign_in.entry.needs_login is None


async def test_a_live_token_goes_on_being_used_through_a_cool_down(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=3600)
    sign_in.server.add_fault(fault(Status(429, retry_after_s=60), times=None))
    now = [time.time() + 3600 - 10]  # overdue, not expired
    keeper = sign_in.keeper(lambda: now[0])

    tokens = [await keeper.current() for _ in range(3)]

    assert tokens == [sign_in.token] * 3
    assert sign_in.server.refresh_count == 1


async def test_an_unreachable_token_endpoint_leaves_no_mark(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    nowhere = replace(sign_in.client, token_endpoint="http://127.0.0.1:9/token")
    keeper = Tokens(sign_in.storage, sign_in.http, time.time).keeper(sign_in.entry, nowhere)

    with pytest.raises(ProviderUnreachable):
        await keeper.current()

    assert sign_in.entry.presented is None
    assert await sign_in.keeper().current() == sign_in.token


async def test_a_client_that_the_server_does_not_know_is_no_end_of_the_token(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.add_fault(fault(OAuthError("invalid_client", status=401)))

    with pytest.raises(LoginFailed, match="invalid_client"):
        await sign_in.keeper().current()

    assert sign_in.entry.needs_login is None
    assert await sign_in.keeper().current() == sign_in.token


async def test_a_sign_in_that_was_removed_meanwhile_is_said_to_be(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    keeper = sign_in.keeper()
    sign_in.storage.remove(PROVIDER)

    with pytest.raises(NotLoggedIn, match="removed"):
        await keeper.current()


async def test_a_key_that_took_the_place_of_a_sign_in_meanwhile_is_named(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    keeper = sign_in.keeper()
    sign_in.storage.store_api_key(PROVIDER, "sk-key")

    with pytest.raises(NotLoggedIn, match="now has an API key") as caught:
        await keeper.current()

    assert f"llm-orc auth status {PROVIDER}" in (caught.value.hint or "")
    assert sign_in.server.refresh_count == 0


async def test_a_token_that_came_alone_is_over_when_it_has_ended(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.storage.update(
        PROVIDER, None, lambda entry: replace(entry, credential=replace(sign_in.token, refresh_token=None))
    )

    with pytest.raises(CredentialExpired, match="came without a refresh token"):
        await sign_in.keeper().current()

    assert sign_in.server.refresh_count == 0


# --- the unknowable moment -------------------------------------------------------------------------------------


async def test_a_lost_answer_is_asked_for_once_more_at_once_within_the_servers_grace() -> None:
    server = OAuthServer(reuse_grace_s=30)
    async for sign_in in _sign_in_at(server):
        sign_in.issue(lifetime_s=EXPIRED_S)
        server.add_fault(fault(LostAnswer()))

        token = await sign_in.keeper().current()

        assert token == sign_in.token
        assert server.refresh_count == 2
        assert sign_in.entry.presented is None


async def test_a_lost_answer_without_grace_is_told_truthfully(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.add_fault(fault(LostAnswer()))

    with pytest.raises(CredentialExpired, match="interrupted before its answer was stored"):
        await sign_in.keeper().current()

    needs_login = sign_in.entry.needs_login
    assert needs_login is not None
    assert needs_login.error == "ambiguous"


async def test_a_connection_that_dies_before_the_server_works_is_survived(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.server.add_fault(fault(Dropped()))

    assert await sign_in.keeper().current() == sign_in.token
    assert sign_in.entry.presented is None


async def test_a_mark_that_a_killed_process_left_is_not_touched_while_the_access_token_lives(
    sign_in: SignIn,
) -> None:
    sign_in.issue(lifetime_s=3600)
    token = sign_in.token
    assert token.refresh_token is not None
    mark = Presented(hash_of(token.refresh_token), time.time() - 100)
    sign_in.storage.update(PROVIDER, None, lambda e: replace(e, presented=mark))
    overdue = time.time() + 3600 - 10

    assert await sign_in.keeper(lambda: overdue).current() == token
    assert sign_in.server.refresh_count == 0


async def test_with_nothing_else_left_a_marked_token_is_presented_again(sign_in: SignIn) -> None:
    """The kill may have come before the request went out: then nothing is lost."""
    sign_in.issue(lifetime_s=EXPIRED_S)
    refresh_token = sign_in.token.refresh_token
    assert refresh_token is not None
    mark = Presented(hash_of(refresh_token), time.time() - 100)
    sign_in.storage.update(PROVIDER, None, lambda e: replace(e, presented=mark))

    assert await sign_in.keeper().current() == sign_in.token
    assert sign_in.entry.presented is None


async def test_the_mark_is_in_the_store_before_the_token_goes_out(sign_in: SignIn) -> None:
    sign_in.server.add_fault(fault(LateAnswer(0.2)))
    sign_in.issue(lifetime_s=EXPIRED_S)
    presented = hash_of(sign_in.token.refresh_token or Secret(""))
    asking = asyncio.create_task(sign_in.keeper().current())

    await sign_in.server.wait_for_token_requests(1)
    mark = sign_in.entry.presented
    await asking

    assert mark is not None
    assert mark.refresh_token_hash == presented
