"""How every command ends: the one place that turns an error into text, JSON and an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from llm_orc.cli.shell.output.streams import Styled, columns, note, prepare_streams
from llm_orc.cli.shell.process.standard_streams import give_up_stdout
from llm_orc.cli.shell.process.stop_signals import INTERRUPTED, Ended, stopped_by
from llm_orc.cli.shell.usage import UsageMistake, as_usage_mistake
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST_SHOWN = 50  # problems of one error


def exit_code_of(run: Callable[[], int], arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors are reported on stderr."""
    prepare_streams()
    if "--debug" in arguments:
        _show_what_is_logged()
    try:
        _refuse_what_is_no_text(arguments)
        code = run()
        sys.stdout.flush()
    except (click.exceptions.Exit, click.exceptions.NoArgsIsHelpError) as e:
        return _asked_for(e)
    except BrokenPipeError as e:
        return give_up_stdout(e)
    except (KeyboardInterrupt, click.Abort):
        note("\nStopped.")
        return INTERRUPTED
    except Ended as e:
        note(f"\nStopped by {stopped_by(int(e.code or 0))}.")
        return int(e.code or 0)
    except Exception as e:  # noqa: BLE001 - the edge of the process: no bare traceback may leave it
        return _failed(e, arguments)
    return code


def _refuse_what_is_no_text(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not UTF-8: Python passes lone surrogates for them, which can't be stored."""
    for number, argument in enumerate(arguments, start=1):
        if not argument.isascii() and any("\ud800" <= c <= "\udfff" for c in argument):
            shown = argument.encode("utf-8", "backslashreplace").decode()
            raise UsageMistake(
                f"argument {number} is not UTF-8 text: `{shown[:80]}`",
                hint="Give it as UTF-8; rename a file with such a name, or pipe it in.",
            )


def _asked_for(end: click.exceptions.Exit | click.exceptions.NoArgsIsHelpError) -> int:
    """A command group alone shows its help, as `llm-orc` alone does."""
    if isinstance(end, click.exceptions.Exit):
        return end.exit_code
    sys.stdout.write(f"{end.format_message()}\n")
    return 0


def _failed(exception: Exception, arguments: Sequence[str]) -> int:
    error = _as_error(exception)
    try:
        _write_as_data(error, arguments)
        sys.stdout.flush()
    except OSError as e:
        give_up_stdout(e)
    if isinstance(error, UsageMistake) and error.usage is not None:
        note(error.usage)
    if "--debug" in arguments:
        _write_traceback(exception)
    write_error(error)
    return error.exit_code


def write_error(error: LlmOrcError) -> None:
    """Report on stderr what went wrong, every problem with its position, and what to do next."""
    note(Styled("error", "red"), f": {error.message}")
    if error.problems:
        from llm_orc.cli.shell.output.excerpts import problem_lines

        for problem in error.problems[:_MOST_SHOWN]:
            for parts in problem_lines(problem, columns=columns(sys.stderr)):
                note(*parts)
        if len(error.problems) > _MOST_SHOWN:
            note(f"and {len(error.problems) - _MOST_SHOWN} more")
    if error.hint:
        note(Styled("hint", "cyan"), f": {error.hint}")


def _as_error(exception: Exception) -> LlmOrcError:
    match exception:
        case LlmOrcError():
            return exception
        case click.ClickException():
            return as_usage_mistake(exception)
        case _:
            from llm_orc.engine.surprises import as_error

            return as_error(exception)


def _write_as_data(error: LlmOrcError, arguments: Sequence[str]) -> None:
    """Write the failure to stdout if the caller asked for JSON: such a caller reads nothing else."""
    format_name = asked_format(arguments)
    if format_name is None:
        return
    from llm_orc.formats.table import FORMATS, load_format

    form = load_format(format_name) if format_name in FORMATS else None
    if form is not None and form.error is not None:
        sys.stdout.write(form.error(error).rstrip("\n") + "\n")
        sys.stdout.flush()


def asked_format(arguments: Sequence[str]) -> str | None:
    """Return the output format on the command line, even if click could not parse the rest of it."""
    for position, argument in enumerate(arguments):
        option, _, value = argument.partition("=")
        match option:
            case "--":
                return None
            case "--json":
                return "json"
            case "--output-format":
                return value or next(iter(arguments[position + 1 :]), None)
            case _:
                continue
    return None


def _write_traceback(exception: Exception) -> None:
    from traceback import format_exception

    from llm_orc.engine.surprises import without_credentials

    note(without_credentials("".join(format_exception(exception))))


def _show_what_is_logged() -> None:
    """With `--debug`, show tracebacks of errors that ended one agent and not the whole command."""
    import logging

    from llm_orc.engine.surprises import LOGGER, without_credentials

    class ToPerson(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            note(without_credentials(self.format(record)))

    LOGGER.addHandler(ToPerson())
    LOGGER.setLevel(logging.DEBUG)
    LOGGER.propagate = False
