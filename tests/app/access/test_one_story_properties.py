"""Over random stores, settings, environments and programs: status, explain, run and result tell one story."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.auth.access import Billing
from llm_orc.sandbox.oauth.clients import CLIENT_ID
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace
from tests.fakes.access_place import MINE, PRO_MAX, VARIABLES, Place, leave_older_store, whole_story
from tests.fakes.claude import LOGGED_OUT, install

FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=40)


@dataclass(frozen=True)
class StoredEntry:
    account: Literal["default", "work"]
    is_key: bool
    is_over: bool
    is_renewable: bool
    has_client: bool
    is_refused: bool
    is_metered: bool  # as it was stored


@dataclass(frozen=True)
class Machine:
    """What one finds of one provider."""

    provider: str
    order: tuple[str, ...]
    entries: tuple[StoredEntry, ...]
    older: Literal["key", "sign-in", "ended"] | None
    variable: Literal["", "sk-environment"] | None
    names_variable: bool
    is_variable_refused: bool
    pays: Literal["as it is", "plan-credits", "plan-credits, agreed"]
    is_interactive_only: bool
    is_attended: bool


MACHINES = st.builds(
    Machine,
    provider=st.sampled_from([MINE, "anthropic-api", "openai", PRO_MAX]),
    order=st.lists(st.sampled_from(["api-key", "oauth"]), max_size=2, unique=True).map(tuple),
    entries=st.lists(st.from_type(StoredEntry), max_size=3).map(tuple),
)


def put_entries(place: Place, machine: Machine) -> set[str]:
    """Store the entries, and return the secrets that nobody must send."""
    forbidden = set()
    for number, entry in enumerate(machine.entries):
        secret = f"sk-{number}-{entry.account}"
        if entry.is_key:
            place.key(
                machine.provider,
                secret,
                entry.account,
                billing=Billing.METERED if entry.is_metered else Billing.PLAN_CREDITS,
            )
        else:
            secret = place.sign_in(
                machine.provider,
                entry.account,
                lifetime_s=-5 if entry.is_over else 3600,
                renewable=entry.is_renewable,
                client_id=CLIENT_ID if entry.has_client else None,
            )
        if entry.is_refused or (entry.is_over and not entry.is_key):
            forbidden.add(secret)
        if entry.is_refused:
            place.refuse(machine.provider, secret)
    return forbidden


def put_older(place: Place, machine: Machine) -> None:
    if machine.older is None:
        return
    issued = place.server.issue_tokens()
    ended = {"auth_method": "oauth", "access_token": issued.access_token, "expires_at": 1.0}
    entries: dict[str, Any] = {
        "key": {"auth_method": "api_key", "api_key": "sk-older"},
        "sign-in": {**ended, "refresh_token": issued.refresh_token, "client_id": CLIENT_ID},
        "ended": ended,
    }
    leave_older_store(place.workspace, {machine.provider: entries[machine.older]})


def settings_of(machine: Machine, variable: str) -> dict[str, Any]:
    found: dict[str, Any] = {"auth_method": list(machine.order)} if machine.order else {}
    if machine.names_variable:
        found["api_key_env"] = variable
    if machine.pays != "as it is":
        found |= {"billing": "plan-credits", "allow_plan_credits": machine.pays.endswith("agreed")}
    if machine.is_interactive_only:
        found["interactive_only"] = {"reason": "its terms"}
    return found


async def check_machine(root: Path, machine: Machine) -> None:
    server, name = OAuthServer(), VARIABLES.get(machine.provider, "MY_KEY")
    async with Sandbox(oauth=server) as sandbox:
        place = Place(Workspace(root / "user"), sandbox, server)
        place.settings(machine.provider, **settings_of(machine, name))
        place.workspace.is_attended = machine.is_attended
        place.workspace.environ = {"PATH": "/nowhere"}
        if machine.variable is not None:
            place.workspace.environ[name] = machine.variable
        forbidden = put_entries(place, machine)
        put_older(place, machine)
        if machine.is_variable_refused and machine.variable:
            place.refuse(machine.provider, machine.variable)
            forbidden.add(machine.variable)

        used, sent = await whole_story(place, machine.provider)

        assert sent not in forbidden
        pays = None if used is None else used.billing
        is_key = sent.startswith("sk-")
        assert not is_key or pays in {Billing.METERED, Billing.PLAN_CREDITS}
        assert pays is not Billing.PLAN_CREDITS or machine.pays == "plan-credits, agreed"
        assert used is None or machine.is_attended or not machine.is_interactive_only


@FEW
@given(machine=MACHINES)
async def test_all_tell_one_story(tmp_path_factory: pytest.TempPathFactory, machine: Machine) -> None:
    await check_machine(tmp_path_factory.mktemp("story"), machine)


@pytest.mark.slow
@MANY
@given(machine=MACHINES)
async def test_all_tell_one_story_on_many_machines(
    tmp_path_factory: pytest.TempPathFactory, machine: Machine
) -> None:
    await check_machine(tmp_path_factory.mktemp("story"), machine)


# --- a plan, its program and keys beside it ----------------------------------------------------------------


@dataclass(frozen=True)
class PlanMachine:
    """What one finds of a plan: its program, sign-ins to it, and a key that is metered."""

    program: Literal["missing", "plan", "logged-out"]
    order: tuple[str, ...]
    own: Literal["live", "ended", "refused"] | None
    older: Literal["live", "ended"] | None
    key: Literal["store", "environment"] | None
    allows_key: bool
    is_key_refused: bool
    credits: Literal["none", "unagreed", "agreed"]
    is_interactive_only: bool
    is_attended: bool


PLANS = st.builds(
    PlanMachine,
    order=st.lists(st.sampled_from(["claude-cli", "oauth", "api-key"]), max_size=3, unique=True).map(tuple),
)
KEY = "sk-metered"


def put_sign_ins(place: Place, machine: PlanMachine) -> set[str]:
    """Return the access tokens that nobody must send."""
    dead = set()
    if machine.own is not None:
        is_over = machine.own == "ended"
        token = place.sign_in(PRO_MAX, lifetime_s=-5 if is_over else 3600, renewable=not is_over)
        dead |= {token} if machine.own != "live" else set()
        if machine.own == "refused":
            place.refuse(PRO_MAX, place.refresh_token(PRO_MAX))
    if machine.older is not None:
        token = place.server.issue_tokens().access_token
        is_over = machine.older == "ended"
        dead |= {token} if is_over else set()
        ends = 1.0 if is_over else time.time() + 3600
        leave_older_store(
            place.workspace, {PRO_MAX: {"auth_method": "oauth", "access_token": token, "expires_at": ends}}
        )
    return dead


def put_program_and_key(place: Place, root: Path, machine: PlanMachine) -> None:
    if machine.program != "missing":
        claude = install(root / "stand-in")
        claude.set_up(status=LOGGED_OUT if machine.program == "logged-out" else None)
        place.workspace.environ["PATH"] = claude.path
    if machine.key == "store":
        place.key("anthropic-api", KEY)
    elif machine.key == "environment":
        place.workspace.environ["ANTHROPIC_API_KEY"] = KEY
    if machine.is_key_refused:
        place.refuse("anthropic-api", KEY)


def plan_settings_of(machine: PlanMachine) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if machine.credits != "none":
        found |= {"billing": "plan-credits", "allow_plan_credits": machine.credits == "agreed"}
    if machine.is_interactive_only:
        found["interactive_only"] = {"reason": "its terms"}
    return found


@pytest.mark.slow
@MANY
@given(machine=PLANS)
async def test_on_a_plan_no_key_pays_that_nobody_allowed(
    tmp_path_factory: pytest.TempPathFactory, machine: PlanMachine
) -> None:
    server, root = OAuthServer(), tmp_path_factory.mktemp("plan")
    async with Sandbox(oauth=server) as sandbox:
        place = Place(Workspace(root / "user", {"PATH": "/nowhere"}), sandbox, server)
        order = {"auth_method": list(machine.order)} if machine.order else {}
        place.settings("anthropic-api")
        place.workspace.is_attended = machine.is_attended
        place.settings(PRO_MAX, allow_metered_fallback=machine.allows_key, **order, **plan_settings_of(machine))
        dead = put_sign_ins(place, machine)
        put_program_and_key(place, root, machine)

        used, sent = await whole_story(place, PRO_MAX)

    assert sent not in dead
    pays_per_token = used is not None and used.billing is Billing.METERED
    assert (sent == KEY) == pays_per_token
    assert not pays_per_token or machine.allows_key or "api-key" in machine.order
    assert not (pays_per_token and machine.is_key_refused)
    on_credits = used is not None and used.billing is Billing.PLAN_CREDITS
    assert not on_credits or machine.credits == "agreed"
    is_kept = machine.is_interactive_only and not machine.is_attended
    assert not is_kept or used is None or pays_per_token  # the key is another provider's
    is_program_first = not machine.order or machine.order[0] == "claude-cli"
    may_be_called = not is_kept and machine.credits != "unagreed"
    if machine.program == "plan" and is_program_first and machine.own != "live" and may_be_called:
        assert used is not None
        assert used.method == "claude-cli"
