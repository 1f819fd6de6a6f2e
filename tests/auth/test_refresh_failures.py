"""A refresh that fails, or whose answer is lost, never costs the sign-in (RFC 6749 §5.2, RFC 9700 §4.14)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.auth.credential import Presented
from llm_orc.auth.secret import Secret
from llm_orc.auth.tokens.marks import hash_of
from llm_orc.auth.tokens.oauth import Tokens
from llm_orc.errors import CredentialExpired, LoginFailed, NotLoggedIn, ProviderOverloaded, ProviderUnreachable
from llm_orc.sandbox.faults import Status
from llm_orc.sandbox.oauth.faults import Dropped, LateAnswer, LostAnswer, OAuthError
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.auth.conftest import EXPIRED_S, SignIn, fault, sign_in_at
from tests.auth.sign_in_store import PROVIDER


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


async def test_a_lost_answer_is_asked_for_once_more_at_once_within_the_servers_grace(tmp_path: Path) -> None:
    server = OAuthServer(reuse_grace_s=30)
    async with sign_in_at(server, tmp_path) as sign_in:
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
