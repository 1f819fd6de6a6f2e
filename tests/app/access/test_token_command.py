"""Token commands in the ranked list of access, in calls, and in all that tells of them."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from llm_orc.app.access.explain import explain_access
from llm_orc.app.accounts.auth_methods import open_provider
from llm_orc.app.accounts.prefer import prefer
from llm_orc.app.accounts.status import auth_status
from llm_orc.app.accounts.verify import try_access
from llm_orc.app.diagnostics.doctor import examine
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.app.setup.inventory import inventory
from llm_orc.auth.access import Billing
from llm_orc.errors import CredentialRefused, LlmOrcError, MeteredNotAllowed, NotLoggedIn, TokenCommandFailed
from llm_orc.sandbox.oauth.server import OAuthServer
from llm_orc.sandbox.server import Sandbox
from tests.app.conftest import Workspace, run
from tests.fakes.access_place import MINE, Place, whole_story
from tests.fakes.token_programs import NEEDS_SH, TokenProgram, token_program

pytestmark = NEEDS_SH

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "token-commands.md"


def configured(sandbox: Sandbox, program: TokenProgram, **more: object) -> dict[str, object]:
    own = {
        "dialect": "openai-chat",
        "base_url": sandbox.base_url("openai-chat"),
        "token_command": [str(program.path), "--for", "me"],
        "default_model": "m",
        **more,
    }
    return {"providers": {"company": own, "ollama": {"base_url": "http://127.0.0.1:9/v1"}}}


@pytest.fixture
def program(workspace: Workspace) -> TokenProgram:
    workspace.environ = {"PATH": os.environ["PATH"]}
    return token_program(workspace.root / "bin", "echo canary-of-token-$n")


async def test_its_token_is_sent_and_nothing_of_it_is_kept(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.settings(configured(sandbox, program))
    workspace.ensemble("three", *({"name": n, "provider": "company"} for n in "abc"))

    result, seen = await run(workspace.app(), "three")

    access = result["a"].access
    assert access is not None
    assert (access.method, access.billing) == ("token-command", Billing.METERED)
    assert access.source == f"token command `{program.path} --for me`"
    assert {r.headers["authorization"] for r in sandbox.requests} == {"Bearer canary-of-token-1"}
    assert program.runs == 1
    kept = [path for path in workspace.root.rglob("*") if path.is_file() and path.parent != program.path.parent]
    assert [path for path in kept if b"canary" in path.read_bytes()] == []
    assert "canary-of-token" not in str(seen.plans)


async def test_it_goes_into_the_header_for_keys_if_settings_say_so(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    more = {"dialect": "anthropic", "base_url": sandbox.base_url("anthropic"), "token_as": "api-key"}
    workspace.settings(configured(sandbox, program, **more))

    await try_access(workspace.app(), "company")

    assert sandbox.requests[-1].headers["x-api-key"] == "canary-of-token-1"
    assert "authorization" not in sandbox.requests[-1].headers


async def test_a_refused_token_is_fetched_once_more_and_the_call_goes_on(workspace: Workspace) -> None:
    workspace.environ = {"PATH": os.environ["PATH"]}
    program = token_program(workspace.root / "bin", "echo canary-of-token-$n")
    async with Sandbox(oauth=OAuthServer(), accept_keys=("canary-of-token-2",)) as strict:
        workspace.settings(configured(strict, program))

        proof = await try_access(workspace.app(), "company")

    assert proof.access.method == "token-command"
    assert program.runs == 2


async def test_two_refusals_end_the_call_without_a_third_run(workspace: Workspace) -> None:
    workspace.environ = {"PATH": os.environ["PATH"]}
    program = token_program(workspace.root / "bin", "echo canary-of-token-$n")
    async with Sandbox(oauth=OAuthServer(), accept_keys=("other",)) as strict:
        workspace.settings(configured(strict, program))

        with pytest.raises(CredentialRefused) as refused:
            await try_access(workspace.app(), "company")

    assert program.runs == 2
    assert str(program.path) in (refused.value.hint or "")
    assert "canary" not in f"{refused.value.message} {refused.value.hint}"


async def test_views_tell_of_it_without_running_it(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.settings(configured(sandbox, program))
    workspace.ensemble("one", {"name": "a", "provider": "company"})
    app = workspace.app()

    [shown] = auth_status(app, "company").credentials
    explained = await explain_access(app, find_ensemble(app, "one"))
    doctor = [finding.says for finding in await examine(app.environment)]
    found = (await inventory(app)).found

    assert (shown.method, shown.state, shown.is_used, shown.billing) == (
        "token-command",
        "unverified",
        True,
        Billing.METERED,
    )
    argv = f"{program.path} --for me"
    assert argv in shown.source
    assert argv in explained.agents[0].access.source
    assert any(argv in says for says in doctor)
    assert [argv in one.label for one in found if one.provider == "company"] == [True]
    assert open_provider(app, "company").methods[0].name == "token-command"
    assert program.runs == 0


async def test_finding_one_is_no_consent_to_its_bill(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.settings(configured(sandbox, program))
    workspace.ensemble("one", {"name": "a"})

    with pytest.raises(MeteredNotAllowed):
        await run(workspace.app(), "one")

    assert (program.runs, sandbox.requests) == (0, [])


async def test_a_project_brings_none_until_it_is_trusted(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.write("work/project/.llm-orc/config.yaml", configured(sandbox, program))
    workspace.cloned("one", {"name": "a", "provider": "company"})

    with pytest.raises(LlmOrcError):
        await run(workspace.app(), "one")

    assert "providers.company.token_command" in {withheld.key for withheld in workspace.app().settings.withheld}
    assert (program.runs, sandbox.requests) == (0, [])


async def test_a_program_that_is_missing_is_said_before_anything_is_sent(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.settings(configured(sandbox, program, token_command=["no-such-program-5512"]))

    [shown] = auth_status(workspace.app(), "company").credentials
    with pytest.raises(NotLoggedIn, match="there is no program `no-such-program-5512`"):
        await try_access(workspace.app(), "company")

    assert (shown.state, shown.is_usable) == ("absent", False)
    assert sandbox.requests == []


async def test_a_command_that_fails_ends_the_call_with_what_it_said(
    workspace: Workspace, sandbox: Sandbox
) -> None:
    workspace.environ = {"PATH": os.environ["PATH"]}
    program = token_program(workspace.root / "bin", "echo 'please log in first' >&2; exit 3")
    workspace.settings(configured(sandbox, program))

    with pytest.raises(TokenCommandFailed, match="failed with exit code 3: please log in first"):
        await try_access(workspace.app(), "company")

    assert sandbox.requests == []


@pytest.mark.parametrize("plan", ["chatgpt", "anthropic-claude-pro-max"])
def test_a_plan_takes_none(workspace: Workspace, program: TokenProgram, plan: str) -> None:
    workspace.settings({"providers": {plan: {"token_command": [str(program.path)]}}})
    app = workspace.app()

    shown = [one for one in auth_status(app, plan).credentials if one.place == "token-command"]

    assert [(one.is_used, one.is_usable) for one in shown] == [(False, False)]
    assert "token-command" not in {method.name for method in open_provider(app, plan).methods}


async def test_it_can_be_preferred_to_a_key_and_a_key_to_it(
    workspace: Workspace, sandbox: Sandbox, program: TokenProgram
) -> None:
    workspace.environ["COMPANY_KEY"] = "canary-of-the-key"
    workspace.settings(configured(sandbox, program, api_key_env="COMPANY_KEY"))
    app = workspace.app()

    usual = await try_access(app, "company")
    prefer(app, open_provider(app, "company"), ("token-command",))
    preferred = await try_access(workspace.app(), "company")

    assert (usual.access.method, preferred.access.method) == ("api-key", "token-command")


@pytest.mark.parametrize(
    "value",
    ["vault read", [], [""], [1], ["./here"], ["bin/here"], ["a\0b"], {"a": "b"}],
    ids=str,
)
def test_what_is_no_command_is_said_with_its_line(workspace: Workspace, value: object) -> None:
    workspace.settings({"providers": {"openai": {"token_command": value}}})

    with pytest.raises(LlmOrcError, match=r"config.yaml:\d+.*token_command"):
        workspace.app()


@pytest.mark.parametrize("has_key", [False, True])
async def test_all_who_tell_of_access_tell_the_same(place: Place, has_key: bool) -> None:
    program = token_program(place.workspace.root / "bin", "echo canary-of-token")
    place.settings(MINE, token_command=[str(program.path)])
    if has_key:
        place.key(MINE, "canary-of-a-stored-key")

    used, sent = await whole_story(place, MINE)

    assert used is not None
    assert (used.method, sent) == ("token-command", "canary-of-token")


async def test_a_stored_key_does_not_step_in_for_a_command_that_is_missing(place: Place) -> None:
    place.settings(MINE, token_command=["no-such-program-5512"])
    place.key(MINE, "canary-of-a-stored-key")

    used, sent = await whole_story(place, MINE)

    assert (used, sent) == (None, "")


# The guide's own examples


def guide_providers() -> Iterator[tuple[str, dict[str, Any]]]:
    for block in re.findall(r"```yaml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL):
        yield from yaml.safe_load(block)["providers"].items()


EXAMPLES = dict(guide_providers())


@pytest.mark.parametrize("name", EXAMPLES)
async def test_each_example_of_the_guide_works_with_a_stand_in_for_its_program(
    workspace: Workspace, sandbox: Sandbox, name: str
) -> None:
    own = dict(EXAMPLES[name])
    path = urlsplit(own["base_url"]).path.rstrip("/")
    dialect = own.get("dialect", "openai-responses")
    writes = {"az": '{"accessToken": "canary-5512", "expires_on": 4102444800}'}.get(
        own["token_command"][0], "canary-5512"
    )
    program = token_program(workspace.root / "bin", f"echo '{writes}'", own["token_command"][0])
    workspace.environ = {"PATH": f"{program.path.parent}:{os.environ['PATH']}"}
    own["base_url"] = sandbox.base_url(dialect)
    workspace.settings({"providers": {name: own}})

    proof = await try_access(workspace.app(), name)
    await asyncio.sleep(0)

    assert path
    assert proof.access.billing is Billing.METERED
    assert sandbox.requests[-1].headers["authorization"] == "Bearer canary-5512"
    assert program.log.read_text().split() == " ".join(own["token_command"][1:]).split()
