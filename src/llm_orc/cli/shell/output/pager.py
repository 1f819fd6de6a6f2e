"""Show long text page by page, as `git` and `gh` do."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.cli.shell.output.streams import moves_cursor, write_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LESS = "FRX"  # end at once if all fits on the screen, show colours, leave the text there


def write_paged(text: str) -> None:
    """Write printable text to standard output, through a pager if that is a terminal and there is one."""
    command = pager_command(os.environ) if moves_cursor(sys.stdout) else None
    if command is None:
        write_data(text, is_printable=True)
        return
    sys.stdout.flush()
    environ = {"LESS": _LESS, **os.environ}
    with _leaving_ctrl_c_to_the_pager():
        try:
            subprocess.run(  # noqa: S603 - the user's own choice of a pager
                command, input=text.encode("utf-8", "backslashreplace"), env=environ, check=False
            )
        except OSError:  # it is there and can't be started
            write_data(text, is_printable=True)


def pager_command(environ: Mapping[str, str]) -> list[str] | None:
    """Return the pager to start: of `LLM_ORC_PAGER`, else `PAGER`, else `less`; None if there is none.

    An empty value, or `cat`, means that none is wanted; so does one that isn't installed.
    """
    named = environ.get("LLM_ORC_PAGER", environ.get("PAGER", "less"))
    try:
        command = shlex.split(named, posix=os.name == "posix")
    except ValueError:
        return None
    if not command or command[0] == "cat":
        return None
    program = shutil.which(command[0], path=environ.get("PATH"))
    return [program, *command[1:]] if program else None


@contextmanager
def _leaving_ctrl_c_to_the_pager() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
