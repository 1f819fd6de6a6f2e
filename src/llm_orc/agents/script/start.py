"""The command line that a script is started with: programs are looked up when it is run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.script.interpreters import interpreter_for
from llm_orc.agents.script.places import digest_of, file_at
from llm_orc.errors import ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.script.work import ScriptWork

_LONGEST_FIRST_LINE = 256  # bytes; the systems' own limit for a line that names an interpreter


def command_of(work: ScriptWork) -> tuple[str, ...]:
    """Return the program, as it is looked up on the path, and its arguments as they are written."""
    if work.line is not None:
        return (*_shell(), work.line)
    if work.file is None:
        return work.argv
    file = file_at(work.file)
    return (*_interpreter(file), str(file), *work.argv[1:])


def find_command(
    agent: str, work: ScriptWork, arguments: Sequence[str], env: Mapping[str, str], cwd: Path
) -> list[str]:
    """Return what is started, with `arguments` for the words after the first of the work's `argv`.

    Raises `ScriptFailed` if a program, a file or the directory is not there, or a file has changed.
    """
    if not cwd.is_dir():
        raise ScriptFailed(f"the directory `{cwd}` of agent `{agent}` does not exist on this machine")
    for place, digest in work.digests.items():
        _check_content(agent, file_at(place), digest)
    if work.file is not None and not (file := file_at(work.file)).is_file():
        raise _gone(agent, str(file))
    known = command_of(work)
    command = [*known[: len(known) - len(arguments)], *arguments] if arguments else [*known]
    name = command[0]
    searched = name if "/" not in name and "\\" not in name else str(cwd / name)
    program = shutil.which(searched, path=env.get("PATH", ""))
    if program is None:
        what = "can't be run" if Path(searched).exists() else "is not there"
        raise ScriptFailed(
            f"agent `{agent}` needs the program `{name}`, which {what}",
            hint="Install it, or add it to your `PATH`.",
        )
    return [str(Path(program).absolute()), *command[1:]]


def _check_content(agent: str, file: Path, digest: str) -> None:
    try:
        now = digest_of(file)
    except FileNotFoundError:
        raise _gone(agent, str(file)) from None
    except OSError as e:
        raise ScriptFailed(f"agent `{agent}` can't run `{file}`: {e.strerror or e}") from e
    if now != digest:
        raise ScriptFailed(
            f"agent `{agent}` does not run `{file}`, which has changed since the run began",
            hint="Start the run again, or resume it: `llm-orc resume` reads the file again.",
        )


def _gone(agent: str, file: str) -> ScriptFailed:
    return ScriptFailed(f"agent `{agent}` runs the file `{file}`, which does not exist on this machine")


def _interpreter(file: Path) -> tuple[str, ...]:
    first_line = b""
    is_executable = False
    try:
        with file.open("rb") as opened:
            first_line = opened.readline(_LONGEST_FIRST_LINE)
        is_executable = bool(file.stat().st_mode & 0o111) and not first_line.startswith(b"#!")
    except OSError:
        pass  # it is said when it is run
    return interpreter_for(str(file), first_line, is_executable=is_executable and b"\0" in first_line)


def _shell() -> tuple[str, ...]:
    """Earlier releases ran lines so: the first failure ends it, and so does a variable that is not set."""
    return ("bash", "-euo", "pipefail", "-c") if shutil.which("bash") else ("sh", "-eu", "-c")
