"""The entry point. A command is imported when it is named, so that help and version are instant."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING

from llm_orc.cli.shell.program import COMPLETE_VARIABLE, PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WHILE_LOADING = 100_000  # objects between two looks for garbage: what modules make while they load is none


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process."""
    from llm_orc.cli.shell.process.standard_streams import hold_standard_streams

    hold_standard_streams()
    _leave_no_core_file()
    gc.set_threshold(_WHILE_LOADING)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["-V"], ["--version"]):
        return _print(_version)
    if arguments in ([], ["-h"], ["--help"], ["help"]) and COMPLETE_VARIABLE not in os.environ:
        return _print(_help)
    from llm_orc.cli.shell.exits import exit_code_of
    from llm_orc.cli.shell.process.stop_signals import ended_by_signals

    with ended_by_signals():
        return _ended(exit_code_of(lambda: _run(list(arguments)), arguments))


def _leave_no_core_file() -> None:
    """Write no core file: it would contain this process's keys. Child processes inherit the setting."""
    try:
        import resource
    except ImportError:  # Windows writes none by itself
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _ended(code: int) -> int:
    """End now if threads of the durable engine wait for an unreachable server: Python would wait for them."""
    if "dbos" in sys.modules:
        from llm_orc.cli.shell.stoppable import leave_if_held

        leave_if_held(code)
    return code


def _run(arguments: list[str]) -> int:
    from llm_orc.cli.root import root

    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from llm_orc.cli.shell.completion.answers import answer

        return answer(root, instruction)
    with root.make_context(PROGRAM, arguments) as context:
        code = root.invoke(context)
    return code if isinstance(code, int) else 0


def _version() -> str:
    from llm_orc._version import VERSION

    return f"{PROGRAM} {VERSION}\n"


def _help() -> str:
    from llm_orc.cli.root_help import root_help

    return root_help()


def _print(text: Callable[[], str]) -> int:
    """Print what needs no command, and nothing loaded."""
    from llm_orc.cli.shell.process.standard_streams import give_up_stdout

    try:
        sys.stdout.write(text())
        sys.stdout.flush()
    except OSError as e:
        return give_up_stdout(e)
    return 0
