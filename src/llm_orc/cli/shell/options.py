"""Options that several commands share, so that each is the same everywhere."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

import click

from llm_orc.cli.shell.arguments import ConversationName
from llm_orc.cli.shell.output_options import OutputOptions, one_output_options, output_options
from llm_orc.cli.shell.usage import UsageMistake
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.agents.spec import Caching, WhenFull
    from llm_orc.app.runs.conversation import ConversationOptions
    from llm_orc.app.runs.request import RunLimits
    from llm_orc.app.tools.permission import Rule
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue


class _Amount(click.FloatRange):
    """A finite number: `nan` compares with nothing and would be no limit, and `inf` is none either."""

    def __init__(self, what: str, most: float | None = None) -> None:
        super().__init__(min=0, max=most)
        self._what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"`{value}` is {self._what}", param, ctx)
        return number


DOLLARS = _Amount("not an amount of money")
CALLS = click.IntRange(min=0, max=1_000_000_000)
TOKENS = click.IntRange(min=0, max=1_000_000_000_000)

Decorated = TypeVar("Decorated", bound="Callable[..., object]")
WHEN_FULL = ("error", "truncate-oldest", "summarise")


json_option = click.option("--json", "as_json", is_flag=True, help="Write one JSON document instead of a table.")

yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask.")

wait_for_plan_option = click.option(
    "--wait-for-plan/--no-wait-for-plan",
    default=None,
    help="When a plan is used up, wait until it resets instead of failing. No metered access takes over."
    "  [default: the setting, else no]",
)


_cache_options = (
    click.option("--no-cache", is_flag=True, help="Take no answer from the cache, and keep none in it."),
    click.option(
        "--refresh-cache", is_flag=True, help="Ask again where the cache has an answer; keep the new one."
    ),
)


def cache_options(function: Decorated) -> Decorated:
    """Add the options of every command whose agents may have answers in the cache."""
    return _with(function, *_cache_options)


def caching_of(*, no_cache: bool, refresh_cache: bool) -> Caching:
    """Return what was asked for; both options are a usage error."""
    if no_cache and refresh_cache:
        raise UsageMistake("--no-cache and --refresh-cache exclude each other", hint="Give only one.")
    return "off" if no_cache else "refresh" if refresh_cache else "use"


@dataclass(frozen=True, slots=True)
class _Words:
    """What the limits of a command are for, in words."""

    for_it: str
    stops: str
    above: str
    each: str = ""


_ONE_RUN = _Words("this run", "Stop the whole run", "the run above this")
_SEVERAL_RUNS = _Words("all these runs", "Stop each run", "all runs together above this", " for each run")
_QUESTION = _Words("this question", "Give up", "the question above this")


def _tool_options(for_it: str) -> dict[str, Callable[[Decorated], Decorated]]:
    return {
        "--allow-tool": click.option(
            "--allow-tool",
            "allowed_tools",
            multiple=True,
            metavar="PATTERN",
            help=f"Let agents call these tools without asking, for {for_it}: a name, or a pattern such as"
            " `mcp.github.*`. Repeatable.",
        ),
        "--deny-tool": click.option(
            "--deny-tool",
            "denied_tools",
            multiple=True,
            metavar="PATTERN",
            help="Let no agent call these tools. Repeatable.",
        ),
    }


def tool_options(function: Decorated) -> Decorated:
    """Add the options that say which tools agents may call."""
    return _with(function, *_tool_options("this chat").values())


def _limits(words: _Words) -> dict[str, Callable[[Decorated], Decorated]]:
    """Return the options for consent and limits, by their names."""
    return {
        "--allow-metered": click.option(
            "--allow-metered",
            is_flag=True,
            help=f"Agree to calls that are billed per token or to a plan's credits, for {words.for_it}."
            "  [default: ask in a terminal, else refuse]",
        ),
        "--max-concurrent": click.option(
            "--max-concurrent",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"Ask at most N agents at once{words.each}, e.g. `4`."
            "  [default: the setting, else what the system allows]",
        ),
        "--timeout": click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help=f"{words.stops} after this time, e.g. `90`.  [default: the setting, else none]",
        ),
        "--max-cost": click.option(
            "--max-cost",
            "max_cost_usd",
            type=DOLLARS,
            metavar="USD",
            help=f"Make no metered call that might bring {words.above}, e.g. `0.50`."
            "  [default: the setting, else none]",
        ),
        "--max-calls": click.option(
            "--max-calls",
            type=CALLS,
            metavar="N",
            help=f"Send at most N requests to providers{words.each}, retries included, e.g. `20`."
            "  [default: the setting, else none]",
        ),
        "--max-total-tokens": click.option(
            "--max-total-tokens",
            type=TOKENS,
            metavar="N",
            help=f"Take at most N tokens{words.each}, of input and output together, e.g. `50000`; `max_tokens` is"
            " about one answer.  [default: the setting, else none]",
        ),
        "--wait-for-plan": wait_for_plan_option,
        **_tool_options(words.for_it),
    }


def _when_full(default: str) -> Callable[[Decorated], Decorated]:
    return click.option(
        "--when-full",
        type=click.Choice(WHEN_FULL),
        help=f"What to do when the conversation no longer fits the model.  [default: {default}]",
    )


when_full_option = _when_full("the ensemble's, else error")
asked_when_full_option = _when_full("error")

_conversation_options = (
    click.option(
        "--conversation",
        metavar="NAME",
        type=ConversationName(),
        help="Continue or start this conversation, e.g. `taxes`: agents see what was said in it."
        "  [default: the ensemble's `conversation`, else none]",
    ),
    click.option("-c", "--continue", "go_on", is_flag=True, help="Continue the last conversation with ENSEMBLE."),
    click.option("--no-conversation", "forget", is_flag=True, help="Run without any conversation."),
    when_full_option,
)


def _given_inputs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Take `KEY=VALUE` apart; `shell.input.given_files` reads what the values name."""
    given: dict[str, str] = {}
    for written in values:
        key, equals, value = written.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageMistake(
                f"`--set {written[:80]}` is not KEY=VALUE", hint="Write both, e.g. `--set language=Deutsch`."
            )
        if key in given:
            raise UsageMistake(f"`--set {key}` is given twice", hint="Give each input once.")
        given[key] = value
    return given


def conversation_options(function: Decorated) -> Decorated:
    """Add the options of every command that can continue a conversation."""
    for option in reversed(_conversation_options):
        function = option(function)
    return function


def conversation_asked(
    *, conversation: str | None, go_on: bool, forget: bool, when_full: WhenFull | None
) -> ConversationOptions:
    """Return the requested conversation; options that exclude each other are a usage error."""
    from llm_orc.app.runs.conversation import ConversationOptions

    given = [
        name
        for name, is_given in (
            ("--conversation", conversation is not None),
            ("--continue", go_on),
            ("--no-conversation", forget),
        )
        if is_given
    ]
    if len(given) > 1:
        raise UsageMistake(f"{' and '.join(given)} exclude each other", hint="Give only one.")
    return ConversationOptions(conversation, go_on, forget, when_full)


set_option = click.option(
    "--set",
    "given",
    multiple=True,
    callback=_given_inputs,
    metavar="KEY=VALUE",
    help="An input that ENSEMBLE declares, e.g. `--set language=Deutsch`; `KEY=@FILE` reads a text file, `KEY=@-`"
    " standard input. For an input of files, `KEY=FILE` or `KEY=FOLDER`. Repeatable.",
)


class RunLimitOptions(TypedDict):
    """What click gives a command for `limit_options`."""

    allow_metered: bool
    max_concurrent: int | None
    timeout_s: float | None
    max_cost_usd: float | None
    max_calls: int | None
    max_total_tokens: int | None
    wait_for_plan: bool | None
    allowed_tools: tuple[str, ...]
    denied_tools: tuple[str, ...]


class RunningOptions(RunLimitOptions, OutputOptions):
    """What click gives a command for `running_options`."""


def limit_options(function: Decorated) -> Decorated:
    """Add the options for consent and limits of every command that runs agents."""
    return _with(function, *_limits(_ONE_RUN).values())


def compared_limit_options(function: Decorated) -> Decorated:
    """Add them to a command with several runs: consent and cost are shared, and the others are for each."""
    return _with(function, *_limits(_SEVERAL_RUNS).values())


def _with(function: Decorated, *options: Callable[[Decorated], Decorated]) -> Decorated:
    for option in reversed(options):
        function = option(function)
    return function


def running_options(function: Decorated) -> Decorated:
    """Add the options of every command that runs agents: output, consent and limits."""
    return output_options(limit_options(function))


class AskingOptions(TypedDict):
    """What click gives a command for `asking_options`."""

    format_name: str | None
    as_json: bool
    raw: bool
    output_file: str | None
    quiet: bool
    allow_metered: bool
    timeout_s: float | None
    max_cost_usd: float | None
    max_calls: int | None
    max_total_tokens: int | None
    wait_for_plan: bool | None


def asking_options(function: Decorated) -> Decorated:
    """Add the options of a command that asks one model: the same, but for those about several agents."""
    limits = _limits(_QUESTION)
    for name in ("--max-concurrent", "--allow-tool", "--deny-tool"):
        del limits[name]
    return one_output_options(_with(function, *limits.values()))


def limits_of(options: RunLimitOptions) -> RunLimits:
    from llm_orc.app.runs.request import RunLimits

    return RunLimits(
        options["max_concurrent"],
        options["timeout_s"],
        options["max_cost_usd"],
        options["max_calls"],
        wait_for_plan=options["wait_for_plan"],
        max_total_tokens=options["max_total_tokens"],
        tools=tool_rules(options["allowed_tools"], options["denied_tools"]),
    )


def tool_rules(allowed: Sequence[str], denied: Sequence[str]) -> tuple[Rule, ...]:
    """Return what `--allow-tool` and `--deny-tool` say. A pattern that can name no tool is a usage error."""
    from llm_orc.agents.tools.names import SOURCES
    from llm_orc.app.tools.permission import Rule

    for pattern in (*allowed, *denied):
        start = pattern.partition(".")[0]
        if "*" not in start and start not in SOURCES:
            known = ", ".join(f"`{example}`" for example in SOURCES.values())
            raise UsageMistake(f"no tool is called `{pattern[:80]}`", hint=f"Tools are {known}.")
    return (
        *(Rule(pattern, "allow", "--allow-tool") for pattern in allowed),
        *(Rule(pattern, "deny", "--deny-tool") for pattern in denied),
    )


def app_here() -> App:
    """Return the app as this process finds its environment."""
    from llm_orc.app.wiring import open_app
    from llm_orc.cli.shell.output.streams import note
    from llm_orc.cli.shell.prompts import person_is_here
    from llm_orc.settings.environment import ProcessEnvironment

    return open_app(ProcessEnvironment.here(is_attended=person_is_here()), tell=note)


def write_json(value: JsonValue) -> None:
    from llm_orc.cli.shell.output.streams import write_data
    from llm_orc.formats.json_values import document

    write_data(document(value))
