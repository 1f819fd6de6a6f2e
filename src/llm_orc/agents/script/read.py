"""Read the keys of an agent that runs a program: which of the forms it is, and where its file is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.references.syntax import is_special
from llm_orc.agents.schema.read import read_schema
from llm_orc.agents.script.interpreters import ENDINGS, code_arguments, is_interpreter, may_read_code
from llm_orc.agents.script.places import digest_of, files_in, find_file, is_file_name, place_of
from llm_orc.agents.script.work import ScriptWork
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from llm_orc.agents.kind import AgentKeys
    from llm_orc.agents.script.work import Output
    from llm_orc.schemas.walk import Schema

_BY_STDIN = "Give it by `stdin` or `env`; a program reads it from there."
_BARE_WORD = re.compile(r"\S+")
_BUILT_IN = frozenset({":", "exit", "pwd", "set", "times", "umask", "wait"})  # words that only a shell knows


def read_script(keys: AgentKeys) -> ScriptWork:
    """Return the work; what is wrong becomes problems of the file."""
    values = keys.values
    written = values.get("script", "")
    argv: tuple[str, ...] = ()
    file: Path | None = None
    line: str | None = None
    if isinstance(written, tuple):
        argv, file = written, _file_of_list(keys, written)
        _check_argv(keys, argv, file)
    elif values.get("shell"):
        line = written
    elif written:
        argv, file, line = _text(keys, written)
    if values.get("shell") and isinstance(written, tuple):
        keys.say(
            "shell",
            f"agent `{keys.agent}` has a list, which needs no shell",
            hint="Leave `shell` out, or write the line as one text.",
        )
    schema = read_schema(keys)
    cwd = _directory(keys, values.get("cwd"))
    return ScriptWork(
        argv=argv,
        file=None if file is None else place_of(file),
        line=line,
        stdin=values.get("stdin"),
        env=values.get("env", {}),
        cwd=cwd,
        output=_output(keys, schema),
        schema=schema,
        parameters=values.get("parameters", {}),
        digests=_digests(argv, file, [Path(one) for one in (cwd, keys.around.root) if one is not None]),
    )


def _output(keys: AgentKeys, schema: Schema | None) -> Output | None:
    output: Output | None = keys.values.get("output")
    if schema is not None and output == "text":
        message = f"agent `{keys.agent}` has a `schema`, and its `output` is text"
        keys.say("output", message, "Leave `output` out: what has a schema is JSON.")
    return output if schema is None else "json"


def _file_of_list(keys: AgentKeys, argv: tuple[str, ...]) -> Path | None:
    """The first word of a list is a program on the path, or a file as in the other form."""
    if not is_file_name(argv[0]):
        return None
    found = find_file(argv[0], keys.around.folders)
    if found is None:
        _missing(keys, argv[0])
    elif Path(argv[0]).is_absolute() and keys.around.root not in found.parents and found.suffix not in ENDINGS:
        return None
    return found


def _text(keys: AgentKeys, written: str) -> tuple[tuple[str, ...], Path | None, str | None]:
    """A text is a file. Earlier releases' lines for the shell are read too, and said to be that."""
    found = find_file(written, keys.around.folders) if "\n" not in written else None
    if found is not None:
        return (written,), found, None
    if is_file_name(written):
        _missing(keys, written)
        return (written,), None, None
    if _BARE_WORD.fullmatch(written) and written not in _BUILT_IN and shutil.which(written) is None:
        _missing(keys, written)
        return (written,), None, None
    keys.warn(
        "script",
        f"agent `{keys.agent}` has a line for the shell, as in earlier releases",
        hint="Say so with `shell: true`, or write a list: a program and its arguments.",
    )
    return (), None, written


def _missing(keys: AgentKeys, written: str) -> None:
    folders = keys.around.folders
    searched = ", ".join(f"`{folder}`" for folder in folders if folder.is_dir()) or "no folder"
    question = did_you_mean(written.replace("\\", "/").rpartition("/")[2], files_in(folders))
    keys.say(
        "script",
        f"agent `{keys.agent}` runs the file `{written[:200]}`, which does not exist",
        hint=question
        or f"Searched: {searched}. A program is a list, `[{written[:40]}]`; a line has `shell: true`.",
    )


def _check_argv(keys: AgentKeys, argv: tuple[str, ...], file: Path | None) -> None:
    if not argv[0].strip():
        keys.say("script", f"agent `{keys.agent}` names no program", hint="Begin the list with one.")
    elif is_special(argv[0]):
        keys.say(
            "script",
            f"agent `{keys.agent}` has a reference as its program, which has to be known before a run",
            hint="Name the program; what follows it may be `${inputs.NAME}`.",
        )
    elif file is None or is_interpreter(argv[0]):
        for place in code_arguments(argv):
            if place < len(argv) and is_special(argv[place]):
                keys.say(
                    "script",
                    f"agent `{keys.agent}` has a reference in what `{argv[0][:80]}` reads as code",
                    hint=_BY_STDIN,
                )
        if may_read_code(argv):
            keys.say(
                "script",
                f"agent `{keys.agent}` has nothing for `{argv[0][:80]}` to run, so that it would take its standard"
                " input for code",
                hint="Name a file right behind it, or with its ending; or write a line with `shell: true`.",
            )


def _directory(keys: AgentKeys, written: str | None) -> str | None:
    around = keys.around
    if written is None:
        return None if around.root is None else str(around.root)
    base = around.root or (around.folders[0] if around.folders else Path.cwd())
    try:
        found = base / Path(written).expanduser()
    except RuntimeError:  # no home directory
        found = base / written
    if not found.is_dir():
        keys.say("cwd", f"agent `{keys.agent}` runs in `{written[:200]}`, which is no directory")
    return str(found)


def _digests(argv: tuple[str, ...], file: Path | None, bases: list[Path]) -> dict[str, str]:
    """Return the digests of the file, and of programs among the arguments, as in `[node, tools/x.js]`."""
    found = [] if file is None else [file]
    for word in argv[0 if file is None else 1 :]:
        if is_file_name(word) and "${" not in word:
            found += (one for base in bases[:1] if _is_program(one := base / word))
    digests = {}
    for one in found:
        try:
            digests[place_of(one)] = digest_of(one)
        except OSError:
            continue  # it can't be read: it fails when it is run
    return digests


def _is_program(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        if path.suffix.lower() in ENDINGS:
            return True
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except (OSError, ValueError):
        return False
