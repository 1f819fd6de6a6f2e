"""After the sign-in: renewal, accounts, and the end of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import ExitStack

import pytest

from llm_orc.sandbox.faults import Delay, Status
from llm_orc.sandbox.oauth.faults import OAuthFault
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.cli.auth.signing_in import said_by, signed_in, state_of
from tests.cli.conftest import Shell
from tests.fakes.sign_in_place import SignInPlace, sign_in_place


async def test_a_lapsed_sign_in_is_called_so_and_renews_itself(place: SignInPlace) -> None:
    place.server.set_access_token_lifetime(0.01)
    await signed_in(place)
    place.server.set_access_token_lifetime(3600)
    before = await place.run("auth", "status", "sandbox")

    tried = await place.run("auth", "test", "sandbox")

    assert before.returncode == 0
    assert "state    lapsed" in before.stdout
    assert tried.returncode == 0, tried.stderr
    assert place.server.refresh_count == 1
    assert await state_of(place) == "verified"


@pytest.mark.slow
async def test_many_refreshes_at_once_are_one_renewal(place: SignInPlace) -> None:
    await signed_in(place)

    with ExitStack() as processes:
        refreshing = [
            processes.enter_context(place.shell.started("auth", "refresh", "sandbox")) for _ in range(20)
        ]
        ended = [await asyncio.to_thread(process.wait, 60) for process in refreshing]

    assert set(ended) == {0}
    assert place.server.refresh_count == 1


async def test_refresh_renews_at_once_and_says_until_when(place: SignInPlace) -> None:
    await signed_in(place)

    done = await place.run("auth", "refresh", "sandbox", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["refreshed_at"] is not None
    assert place.server.refresh_count == 1


async def test_a_sign_in_that_the_server_has_ended_asks_for_a_new_one(place: SignInPlace) -> None:
    place.server.set_access_token_lifetime(0.01)
    await signed_in(place)
    place.server.revoke_everything()

    refreshed = await place.run("--debug", "auth", "refresh", "sandbox")
    status = await place.run("auth", "status", "sandbox")

    assert refreshed.returncode == 4
    assert "llm-orc auth add sandbox" in refreshed.stderr
    assert status.returncode == 4
    assert "state    expired" in status.stdout


async def test_logout_revokes_and_deletes(place: SignInPlace) -> None:
    await signed_in(place)

    done = await place.run("auth", "logout", "sandbox")

    assert done.returncode == 0
    assert "revoked at the provider and deleted here" in done.stderr
    assert place.server.families_alive == 0
    assert await state_of(place) == "absent"


async def test_logout_that_is_not_confirmed_deletes_all_the_same_and_says_so(place: SignInPlace) -> None:
    await signed_in(place)
    place.server.add_fault(OAuthFault(Status(503), endpoint="revoke"))

    done = await place.run("auth", "logout", "sandbox", "--json")

    document = json.loads(done.stdout)
    assert done.returncode == 5
    assert document["deleted"] is True
    assert document["at_provider"] == "not-confirmed"
    assert "503" in document["reason"]
    assert await state_of(place) == "absent"


async def test_logout_without_a_network_deletes_here(place: SignInPlace, bare: Shell) -> None:
    await signed_in(place)
    bare.config.write_text(
        "providers:\n  sandbox:\n    base_url: http://127.0.0.1:9/v1\n    oauth: {issuer: 'http://127.0.0.1:9'}\n",
        encoding="utf-8",
    )

    done = await place.run("auth", "logout", "sandbox")

    assert done.returncode == 5
    assert "did not confirm" in done.stderr
    assert await state_of(place) == "absent"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
async def test_ctrl_c_during_logout_still_deletes(place: SignInPlace) -> None:
    await signed_in(place)
    place.server.add_fault(OAuthFault(Delay(30), endpoint="revoke"))
    metadata = place.server.record.metadata_requests
    asked = len(metadata)
    with place.shell.started("auth", "logout", "sandbox") as process:
        await place.server.record.wait_until(lambda: len(metadata) > asked, 20)
        await asyncio.sleep(0.3)  # for the revocation to go out; earlier would do as well
        process.send_signal(signal.SIGINT)
        await said_by(process)

    assert process.returncode == 130
    assert await state_of(place) == "absent"


async def test_two_accounts_and_the_one_that_calls_use(place: SignInPlace) -> None:
    await signed_in(place)
    await signed_in(place, "--account", "work")

    await place.run("auth", "switch", "sandbox", "default")
    await place.run("auth", "remove", "sandbox")
    tried = await place.run("auth", "test", "sandbox", "--json")

    assert json.loads(tried.stdout)["access"]["source"] == "sign-in (account `work`)"


async def test_an_api_key_has_nothing_to_renew(bare: Shell) -> None:
    bare.run("auth", "add", "openai", "--from-stdin", "--no-verify", stdin="a-key")

    done = bare.run("auth", "refresh", "openai")

    assert done.returncode == 4
    assert "can't be refreshed" in done.stderr


async def test_a_clock_that_is_far_off_is_shown_and_does_no_harm(bare: Shell) -> None:
    server = OAuthServer(auto_approve=True, date_skew_s=900)
    async with sign_in_place(bare, server) as here:
        await signed_in(here)
        told = await here.run("auth", "status", "sandbox")
        row = json.loads((await here.run("auth", "status", "sandbox", "--json")).stdout)["credentials"][0]
        tried = await here.run("auth", "test", "sandbox")

    assert row["clock_skew_s"] == pytest.approx(900, abs=5)
    assert "15 min behind that of its sign-in server: sign-ins still work" in told.stdout
    assert tried.returncode == 0
