"""`--output-format` of a command that shows what is stored, and `--json`, which is the same as its `json`."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from llm_orc.cli.shell.usage import UsageMistake

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_P = ParamSpec("_P")
_R = TypeVar("_R")


def format_option(
    names: Sequence[str], default: str | None, help_text: str
) -> Callable[[Callable[_P, _R]], Callable[..., _R]]:
    """Add both options; the command gets the one format as `format_name`, or None if none is given by default."""

    def add(function: Callable[_P, _R]) -> Callable[..., _R]:
        @wraps(function)
        def with_one_format(*args: _P.args, **options: _P.kwargs) -> _R:
            named, as_json = options.pop("format_name"), options.pop("as_json")
            if as_json and named not in (None, "json"):
                raise UsageMistake(f"--json and --output-format {named} exclude each other", hint="Give only one.")
            options["format_name"] = "json" if as_json else named or default
            return function(*args, **options)

        with_json = click.option("--json", "as_json", is_flag=True, help="The same as `--output-format json`.")
        return click.option(
            "--output-format",
            "format_name",
            type=click.Choice(tuple(names)),
            help=help_text if default is None else f"{help_text}  [default: {default}]",
        )(with_json(with_one_format))

    return add
