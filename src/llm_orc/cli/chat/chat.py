"""`llm-orc chat`: talk to an agent or a whole ensemble."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from llm_orc.cli.run.task_input import read_task
from llm_orc.cli.shell.arguments import ConversationName, ModelName, TargetName
from llm_orc.cli.shell.command_group import define_command
from llm_orc.cli.shell.input.given_files import attach_option, read_given
from llm_orc.cli.shell.input.standard_input import may_be_piped
from llm_orc.cli.shell.options import (
    DOLLARS,
    TOKENS,
    app_here,
    tool_options,
    tool_rules,
    wait_for_plan_option,
    when_full_option,
)
from llm_orc.cli.shell.output.streams import is_terminal, note
from llm_orc.cli.shell.prompts import may_ask
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.conversations.conversation import check_name
from llm_orc.errors import ConversationNotFound, InputError

if TYPE_CHECKING:
    from llm_orc.agents.spec import WhenFull
    from llm_orc.app.conversations.partner import Partner
    from llm_orc.app.conversations.targets import Earlier
    from llm_orc.app.wiring import App

_PIPE_ONE = "Pipe a question in, e.g. `llm-orc chat < question.txt`, or start the chat in a terminal."


@define_command()
@click.argument("target", metavar="[AGENT|ENSEMBLE]", required=False, type=TargetName())
@click.option(
    "-m",
    "--model",
    metavar="NAME",
    type=ModelName(),
    help="A profile, a provider, PROVIDER/MODEL or a model's name, e.g. `-m ollama`.",
)
@click.option(
    "-s", "--system", metavar="TEXT", help="The role, e.g. `-s 'You are a tax lawyer.'`.  [default: the agent's]"
)
@click.option(
    "--conversation",
    metavar="NAME",
    type=ConversationName(),
    help="Continue or start this conversation, e.g. `taxes`.  [default: a new one, named after the time]",
)
@click.option(
    "-c",
    "--continue",
    "go_on",
    is_flag=True,
    help="Continue the last conversation (with the given target, if there is one).",
)
@click.option(
    "--lines",
    "as_lines",
    is_flag=True,
    help="Let each line that is piped in be a turn of its own.  [default: all of it is one]",
)
@attach_option
@when_full_option
@click.option(
    "--allow-metered",
    is_flag=True,
    help="Agree to calls that are billed per token or to a plan's credits.  [default: ask]",
)
@click.option(
    "--max-cost",
    "max_cost_usd",
    type=DOLLARS,
    metavar="USD",
    help="Make no metered call that might bring the chat above this, e.g. `0.50`.  [default: none]",
)
@click.option(
    "--max-total-tokens",
    type=TOKENS,
    metavar="N",
    help="Take at most N tokens in the chat, of input and output together, e.g. `50000`.  [default: none]",
)
@wait_for_plan_option
@tool_options
def command(
    *,
    target: str | None,
    model: str | None,
    system: str | None,
    conversation: str | None,
    go_on: bool,
    as_lines: bool,
    attached: tuple[str, ...],
    when_full: WhenFull | None,
    allow_metered: bool,
    max_cost_usd: float | None,
    max_total_tokens: int | None,
    wait_for_plan: bool | None,
    allowed_tools: tuple[str, ...],
    denied_tools: tuple[str, ...],
) -> int:
    """Talk to an ensemble, to one agent (its name, or ENSEMBLE:AGENT), a model profile or a provider.

    Without an argument it is the profile `default`, without a role. Answers go to standard output, everything else
    to standard error. Each turn is stored before its answer is shown as finished; Ctrl-C stops an answer, Ctrl-D
    ends the chat. Files go with the first turn, and `/attach FILE` adds some to a later one. A role, a model and
    --when-full stay with their conversation. What is piped in is one turn, whatever it starts with; with --lines,
    each line is one.

    \b
    llm-orc chat
    git log -5 | llm-orc chat -s "Write release notes for users."
    llm-orc chat panel:lawyer --conversation seed-round
    llm-orc chat --attach contract.pdf
    llm-orc chat --continue
    """
    from llm_orc.app.conversations.chat import ChatOptions
    from llm_orc.app.conversations.targets import go_on_with
    from llm_orc.cli.chat.loop import talk

    if conversation is not None and go_on:
        raise UsageMistake("--conversation and --continue exclude each other", hint="Give only one.")
    app = app_here()
    earlier = go_on_with(app, conversation, target) if go_on or conversation is not None else None
    if go_on and earlier is None:
        whom = f" with `{target}`" if target else ""
        raise ConversationNotFound(
            f"there is no conversation{whom} to continue",
            hint=f"llm-orc chat {target}" if target else "llm-orc chat",
        )
    if earlier is not None:
        conversation = earlier.name
    partner = _partner(app, earlier, target)
    if model is not None:
        partner = partner.with_model(app, model)
    if system is not None:
        partner = partner.with_role(system)
    if when_full is not None:
        partner = replace(partner, chosen=replace(partner.chosen, when_full=when_full))
    if conversation is not None:
        check_name(conversation)
    from llm_orc.app.access.consent import Consent

    consent = Consent(allow_metered)
    options = ChatOptions(
        conversation,
        consent,
        max_cost_usd,
        max_total_tokens,
        when_full,
        stream=is_terminal(sys.stdout),
        wait_for_plan=wait_for_plan,
        tools=tool_rules(allowed_tools, denied_tools),
    )
    _, given = read_given(app, None, {}, attached)
    return talk(app, partner, options, _piped(as_lines=as_lines), given)


def _partner(app: App, earlier: Earlier | None, target: str | None) -> Partner:
    from llm_orc.app.conversations.partner import Partner, still_there
    from llm_orc.app.conversations.targets import resolve_target

    if earlier is None:
        return Partner(resolve_target(app, target))
    partner, lost = still_there(app, Partner(earlier.partner, earlier.chosen))
    for sentence in lost:
        note(sentence)
    return partner


def _piped(*, as_lines: bool) -> str | None:
    """Return what is piped in, if it is one turn."""
    if not may_be_piped():
        _expect_a_person()
        return None
    return None if as_lines else read_task(None, (), missing=InputError("nothing is piped in", hint=_PIPE_ONE))


def _expect_a_person() -> None:
    if not may_ask():
        raise UsageMistake("nothing is piped in, and nothing may be asked (`--no-input`)", hint=_PIPE_ONE)
    if not is_terminal(sys.stdin):
        note("Nobody is here to ask, and nothing is piped in.")
