"""A sign-in that registers its client, checks an ID token and waits to be refreshed, on the command line."""

from __future__ import annotations

import asyncio
import json
import urllib.error
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from llm_orc.sandbox.oauth.faults import Altered, OAuthFault
from llm_orc.sandbox.oauth.id_tokens import AlteredIdToken, Person
from llm_orc.sandbox.oauth.server import OAuthServer
from tests.auth.methods.test_registering_login import CHATGPT
from tests.cli.auth.signing_in import URL, said_by, visit, waiting
from tests.cli.auth.test_sign_in import address_after
from tests.cli.conftest import Shell
from tests.cli.terminal import Terminal
from tests.fakes.sign_in_place import SignInPlace, sign_in_place

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAME = "sandbox-plan"


@pytest.fixture
async def plan(bare: Shell) -> AsyncIterator[SignInPlace]:
    async with sign_in_place(bare, OAuthServer(auto_approve=True)) as place:
        place.configure_plan()
        yield place


async def sign_in(place: SignInPlace, *more: str, name: str = NAME) -> str:
    """Sign in without a terminal, in a browser elsewhere; return the exit code and what the program said."""
    async with waiting(place, name, "--method", "oauth", *more) as (process, url):
        with suppress(urllib.error.HTTPError):
            await asyncio.to_thread(visit, url)
        _, err = await said_by(process)
    return f"{process.returncode}\n{err}"


async def state_of(place: SignInPlace, name: str = NAME) -> dict[str, object]:
    done = await place.run("auth", "status", name, "--json")
    found = json.loads(done.stdout)["credentials"][0]
    assert isinstance(found, dict)
    return found


async def test_the_whole_sign_in_with_no_account(plan: SignInPlace) -> None:
    said = await sign_in(plan)

    tried = await plan.run("auth", "test", NAME, "--json")
    status = await plan.run("auth", "status", NAME)

    assert said.startswith("0\n"), said
    assert "Added the sign-in of `sandbox-plan` (account `default`)" in said
    assert tried.returncode == 0, tried.stderr
    assert "Using the pretend plan" in status.stdout
    [asked] = plan.server.record.authorization_requests
    assert asked.parameters["client_id"] == "sandbox-new-client"
    assert asked.parameters["agent_name_hint"] == "llm-orc"
    assert asked.parameters["ext_agent_host_id"].startswith("urn:uuid:")
    assert urlsplit(asked.parameters["redirect_uri"]).hostname == "127.0.0.1"
    assert urlsplit(asked.parameters["redirect_uri"]).path == "/auth/callback"
    [exchanged] = plan.server.token_requests
    assert exchanged.client_id.startswith("sandbox-app-")
    assert exchanged.parameters["resource"] == asked.parameters["resource"]


async def test_a_refresh_before_its_time_is_not_sent_and_says_from_when(plan: SignInPlace) -> None:
    await sign_in(plan)

    done = await plan.run("auth", "refresh", NAME)

    assert done.returncode == 4
    assert "can't be refreshed before 2" in done.stderr
    assert plan.server.refresh_count == 0
    assert (await state_of(plan))["earliest_refresh_at"] is not None
    assert (await plan.run("auth", "test", NAME)).returncode == 0


async def test_a_disconnected_sign_in_is_called_so_and_its_refresh_token_is_not_spent(plan: SignInPlace) -> None:
    await sign_in(plan)
    plan.server.revoke_everything()

    first, second = await plan.run("auth", "test", NAME), await plan.run("auth", "status", NAME, "--json")

    assert first.returncode == 4
    assert "its server allows no refresh before" in first.stderr
    assert "llm-orc auth add sandbox-plan" in first.stderr
    assert json.loads(second.stdout)["credentials"][0]["state"] == "lapsed"
    assert plan.server.refresh_count == 0

    said = await sign_in(plan)

    assert said.startswith("0\n"), said
    assert (await plan.run("auth", "test", NAME)).returncode == 0


async def test_the_next_sign_in_of_an_account_uses_its_client(plan: SignInPlace) -> None:
    await sign_in(plan)
    await sign_in(plan)

    first, second = (asked.parameters for asked in plan.server.record.authorization_requests)
    [client_id] = {asked.client_id for asked in plan.server.token_requests}
    assert second["client_id"] == client_id
    assert second["login_hint"] == "person@sandbox.example"
    assert "agent_name_hint" not in second
    assert second["ext_agent_host_id"] == first["ext_agent_host_id"]
    assert second["nonce"] != first["nonce"]


async def test_a_logout_revokes_the_refresh_token_and_keeps_the_client(plan: SignInPlace) -> None:
    await sign_in(plan)

    done = await plan.run("auth", "logout", NAME)
    await sign_in(plan)

    assert done.returncode == 0, done.stderr
    assert "revoked at the provider" in done.stderr
    [revoked] = plan.server.record.revocation_requests
    assert (revoked.token_type_hint, revoked.was_ours) == ("refresh_token", True)
    first, second = (asked.parameters for asked in plan.server.record.authorization_requests)
    assert second["client_id"] == plan.server.token_requests[0].client_id
    assert second["ext_agent_host_id"] == first["ext_agent_host_id"]
    assert "login_hint" not in second  # the name of the account is gone with the sign-in


async def test_what_is_removed_registers_anew(plan: SignInPlace) -> None:
    await sign_in(plan)
    await plan.run("auth", "logout", NAME)

    done = await plan.run("auth", "remove", NAME)
    await sign_in(plan)

    assert done.returncode == 0
    assert "registers this machine anew" in done.stderr
    assert plan.server.record.authorization_requests[1].parameters["client_id"] == "sandbox-new-client"


async def test_accounts_have_clients_of_their_own_and_one_is_switched_to(plan: SignInPlace) -> None:
    await sign_in(plan)
    plan.server.change_person(Person("another", "two@sandbox.example"))

    mixed = await sign_in(plan)
    added = await sign_in(plan, "--account", "two")
    await plan.run("auth", "switch", NAME, "default")
    listed = json.loads((await plan.run("auth", "list", "--json")).stdout)

    assert mixed.startswith("4\n")
    assert "another account of provider `sandbox-plan` signed in than before: `two@sandbox.example`" in mixed
    assert "--account NAME" in mixed
    assert added.startswith("0\n"), added
    assert {(c["account"], c["label"], c["is_used"]) for c in listed if c["provider"] == NAME} == {
        ("default", "person@sandbox.example", True),
        ("two", "two@sandbox.example", False),
    }
    assert len({asked.client_id for asked in plan.server.token_requests}) == 2


async def test_what_was_not_granted_is_said_and_can_be_asked_for_again(bare: Shell) -> None:
    async with sign_in_place(bare, OAuthServer(auto_approve=True, withholds=("inference",))) as place:
        place.configure_plan()

        said = await sign_in(place)
        state = await state_of(place)
        tried = await place.run("auth", "test", NAME)
        again = await sign_in(place, "--consent")

        assert said.startswith("4\n")
        assert "can't be used: `inference` was not granted" in said
        assert "llm-orc auth add sandbox-plan --consent" in said
        assert state["state"] == "ungranted"
        assert tried.returncode == 4
        assert place.sandbox.request_count == 0
        assert again.startswith("0\n"), again
        assert place.server.record.authorization_requests[1].parameters["prompt"] == "consent"
        assert (await place.run("auth", "test", NAME)).returncode == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OAuthFault(Altered({"client_id": None}), "authorize"), "the registration at provider"),
        (OAuthFault(AlteredIdToken({"nonce": "forged"})), "did not prove whose account it is"),
    ],
)
async def test_a_sign_in_that_is_not_what_it_claims_leaves_nothing(
    plan: SignInPlace, fault: OAuthFault, words: str
) -> None:
    plan.server.add_fault(fault)

    said = await sign_in(plan)

    assert said.startswith("4\n")
    assert words in said
    assert (await state_of(plan))["state"] == "absent"


async def test_another_such_provider_is_described_in_the_configuration_alone(bare: Shell) -> None:
    async with sign_in_place(bare, OAuthServer(auto_approve=True)) as place:
        place.configure_plan(
            "acme",
            """\
      client_id: sandbox-new-client
      client_registration: at-sign-in
      registration_params: {agent_name_hint: Acme's friend}
      host_id_param: ext_agent_host_id
      requires_id_token: true
      scopes: [openid, email, offline_access, inference]
      required_scopes: [inference]
      redirect_uri: http://127.0.0.1/auth/callback
      revokes_access_token: false
      action: Continue with Acme
      in_use: Using your Acme plan
      usage_page: https://acme.example/usage
    calls: {always_stream: true, leave_out: [max_output_tokens, temperature]}
    dialect: openai-responses
    default_model: acme-1
    billing: subscription
""",
        )

        said = await sign_in(place, name="acme")
        tried = await place.run("auth", "test", "acme")
        status = await place.run("auth", "status", "acme")
        early = await place.run("auth", "refresh", "acme")
        ended = await place.run("auth", "logout", "acme")

    assert said.startswith("0\n"), said
    assert tried.returncode == 0, tried.stderr
    assert "Using your Acme plan" in status.stdout
    assert "Manage usage: https://acme.example/usage" in status.stdout
    assert early.returncode == 4
    assert ended.returncode == 0
    assert place.server.record.authorization_requests[0].parameters["agent_name_hint"] == "Acme's friend"


async def test_chatgpt_s_own_row_signs_in_with_openai_s_words(bare: Shell) -> None:
    server = OAuthServer(auto_approve=True, clients=(CHATGPT,))
    async with sign_in_place(bare, server) as place:
        place.shell.config.parent.mkdir(parents=True, exist_ok=True)
        place.shell.config.write_text(
            f"providers:\n  chatgpt:\n    base_url: {place.sandbox.origin}/v1\n    billing: plan-credits\n"
            f"    oauth: {{issuer: '{server.issuer}'}}\n",
            encoding="utf-8",
        )
        unread = await place.run("auth", "add", "chatgpt", "--method", "oauth", "--no-browser")

        said = await sign_in(place, "--acknowledge-terms", "--allow-plan-credits", name="chatgpt")
        tried = await place.run("auth", "test", "chatgpt", "--model", "canned-small")
        status = await place.run("auth", "status", "chatgpt")

    assert unread.returncode == 2
    assert "set a weekly limit" in unread.stderr
    assert said.startswith("0\n"), said
    assert tried.returncode == 0, tried.stderr
    assert "Using ChatGPT plan" in status.stdout
    assert "Manage usage: https://chatgpt.com/settings/usage" in status.stdout
    assert server.record.authorization_requests[0].parameters["client_id"] == "dynamic_agent_client"
    assert server.token_requests[0].parameters["resource"] == "https://api.openai.com/v1"


async def test_the_address_of_a_browser_elsewhere_is_pasted(plan: SignInPlace) -> None:
    terminal = Terminal(plan.shell, "auth", "add", NAME, "--no-browser")
    await asyncio.to_thread(terminal.process.expect, "Or paste")
    [url] = set(URL.findall(terminal.seen))
    address = await asyncio.to_thread(address_after, url)
    fields = parse_qs(urlsplit(address).query)
    terminal.process.sendline(address)
    seen = await asyncio.to_thread(terminal.to_the_end)

    assert terminal.process.exitstatus == 0, seen
    assert address.startswith("http://127.0.0.1:")
    assert fields["client_id"] == [plan.server.token_requests[0].client_id]
    assert "Continue with the pretend plan" in seen or "Added the sign-in" in seen
