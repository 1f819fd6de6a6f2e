"""A sign-in lasts: it is renewed once for all who use it, and kept (RFC 6749 §6)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from llm_orc.auth.credential import OAuthToken
from llm_orc.auth.tokens.oauth import OAuthAuthoriser
from llm_orc.sandbox.oauth.faults import LateAnswer
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.auth.conftest import EXPIRED_S, SignIn, fault, sent_by, sign_in_at
from tests.auth.sign_in_store import PROVIDER


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


# --- what the answer says --------------------------------------------------------------------------------------


async def test_an_answer_without_refresh_token_keeps_the_old_one(tmp_path: Path) -> None:
    server = OAuthServer(omits_refresh_token_on_refresh=True)
    async with sign_in_at(server, tmp_path) as sign_in:
        old = sign_in.issue(lifetime_s=EXPIRED_S).credential

        await sign_in.keeper().current()

        assert isinstance(old, OAuthToken)
        assert sign_in.token.refresh_token == old.refresh_token
        assert sign_in.token.access_token != old.access_token


async def test_an_entry_without_client_id_uses_the_configured_one(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)
    sign_in.storage.update(PROVIDER, None, lambda e: replace(e, credential=replace(sign_in.token, client_id=None)))

    await sign_in.keeper().current()

    assert sign_in.server.token_requests[-1].was_accepted


async def test_a_refresh_asks_for_no_scope(sign_in: SignIn) -> None:
    sign_in.issue(lifetime_s=EXPIRED_S)

    await sign_in.keeper().current()

    assert "scope" not in sign_in.server.token_requests[-1].parameters
