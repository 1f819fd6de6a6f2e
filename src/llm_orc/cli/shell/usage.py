"""Wrong usage: errors about the command line itself, ours and click's, in the one style of messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.program import PROGRAM
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTED = re.compile(r"`[^`]*`|'([^'`]*)'|\"([^\"`]*)\"")
"""A value in backticks, which stays as it is, or in click's quotes, which are those of Python's `repr`."""

_EXTRA = re.compile(r"Got unexpected extra (arguments?) \((.*)\)", re.DOTALL)


class UsageMistake(LlmOrcError):
    """The command line itself is wrong.

    Without a hint of its own, the hint is the command's `--help`. `usage` is the command's usage line; None: no
    command is known.
    """

    code = "usage"
    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None, context: click.Context | None = None) -> None:
        context = context or click.get_current_context(silent=True)
        super().__init__(message, hint=hint or f"{context.command_path if context else PROGRAM} --help")
        self.usage = context.get_usage() if context else None


def as_usage_mistake(error: click.ClickException) -> UsageMistake:
    """Return click's error as ours: it starts small, has no full stop and quotes in backticks.

    What click proposes instead becomes the hint.
    """
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = None
    match error:
        case click.NoSuchOption():
            message = f"no such option `{error.option_name}`"
            hint = _did_you_mean(error.possibilities or ())
        case click.MissingParameter(param=click.Parameter() as parameter):
            message = f"missing {parameter.param_type_name} {_name(parameter, context)}"
            choices = parameter.type.get_missing_message(param=parameter, ctx=context)
            hint = f"{' '.join(choices.split())}." if choices else None
        case click.BadParameter(param=click.Parameter() as parameter):
            message = f"invalid value for {_name(parameter, context)}: {_in_our_style(error.message)}"
        case _:
            message = _in_our_style(error.format_message())
            if message.startswith("unexpected argument") and _takes_a_task(context):
                hint = 'Put a task of several words in quotes: "…".'
    return UsageMistake(message, hint=hint, context=context)


def _did_you_mean(names: Iterable[str]) -> str | None:
    quoted = [f"`{name}`" for name in names]
    return f"Did you mean {' or '.join(quoted)}?" if quoted else None


def _takes_a_task(context: click.Context | None) -> bool:
    return context is not None and any(parameter.name == "task" for parameter in context.command.params)


def _name(parameter: click.Parameter, context: click.Context | None) -> str:
    return _in_backticks(parameter.get_error_hint(context))


def _in_our_style(text: str) -> str:
    text = _in_backticks(_EXTRA.sub(r"unexpected \1 `\2`", text)).removesuffix(".")
    return text[:1].lower() + text[1:] if re.match(r"[A-Z][a-z]*\b", text) else text


def _in_backticks(text: str) -> str:
    return _QUOTED.sub(lambda found: found[0] if found.lastindex is None else f"`{found[found.lastindex]}`", text)
