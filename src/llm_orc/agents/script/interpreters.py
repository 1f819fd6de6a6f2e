"""Which program runs a file: the one that its first line names, else the one for its ending."""

from __future__ import annotations

import re
import shlex
import sys

_PYTHON = sys.executable or "python3"
ENDINGS = {
    ".py": (_PYTHON,),
    ".sh": ("bash",),
    ".bash": ("bash",),
    ".js": ("node",),
    ".mjs": ("node",),
    ".cjs": ("node",),
    ".rb": ("ruby",),
    ".pl": ("perl",),
    ".ps1": ("pwsh", "-NoProfile", "-File"),
}
"""The program for a file whose first line names none. Python files run with the Python that we run with."""

_PLAIN_PYTHON = re.compile(r"python3?")
_SHELLS = frozenset(
    {"sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "cmd", "powershell", "pwsh"}
)
_LANGUAGES = frozenset(
    {"python", "python3", "node", "nodejs", "deno", "bun", "ruby", "perl", "php", "lua", "osascript"}
)
_CODE_FOLLOWS = frozenset(
    {"-c", "-e", "-E", "-r", "-p", "--eval", "--print", "--command", "-Command", "/c", "/C", "/k", "eval"}
)
_GO_BETWEENS = frozenset(
    {
        *("env", "nohup", "sudo", "doas", "su", "runuser", "nice", "ionice", "chrt", "exec", "command", "busybox"),
        *(
            "time",
            "timeout",
            "watch",
            "stdbuf",
            "setsid",
            "flock",
            "chroot",
            "taskset",
            "unshare",
            "strace",
            "script",
        ),
        *("uv", "uvx", "npx", "pipx", "poetry", "docker", "podman", "kubectl", "xvfb-run", "caffeinate"),
    }
)
_CODE_FLAGS = {"python": r"-c", "perl": r"-[a-zA-Z]*[eE]", "ruby": r"-[a-zA-Z]*e", "php": r"-r"}
_CODE_FLAG_OF_SHELLS = r"-[a-zA-Z]*c|-Command|/[cCkK]"
_CODE_FLAG_OF_OTHERS = r"-e|-p|--eval|--print"


_TAKES_COMMANDS = frozenset(
    {
        *(
            "xargs",
            "parallel",
            "ssh",
            "at",
            "batch",
            "crontab",
            "expect",
            "gdb",
            "lldb",
            "ed",
            "ex",
            "vi",
            "vim",
            "nvim",
        ),
        *("sqlite3", "psql", "mysql", "mariadb", "ftp", "sftp", "lftp", "telnet", "tclsh", "irb", "ghci", "R"),
    }
)


def interpreter_for(file: str, first_line: bytes, *, is_executable: bool = False) -> tuple[str, ...]:
    """Return what is put before the file to run it; nothing if the system can run it as it is.

    `first_line` is that of its content. A Python file whose first line names just Python runs with ours.
    """
    ending = next((ending for ending in ENDINGS if file.lower().endswith(ending)), "")
    named = _named_by(first_line)
    if named and not (ending == ".py" and len(named) == 1 and _PLAIN_PYTHON.fullmatch(named[0])):
        return named
    if ending:
        return ENDINGS[ending]
    return () if is_executable else ("bash",)


def _named_by(first_line: bytes) -> tuple[str, ...]:
    """Read a line such as `#!/usr/bin/env -S uv run --script`: a bare name is looked up on the path."""
    if not first_line.startswith(b"#!"):
        return ()
    line = first_line[2:].decode("utf-8", "replace").strip()
    program, _, rest = line.partition(" ")
    rest = rest.strip()
    if program.rpartition("/")[2] != "env":
        plain = program.rpartition("/")[2]
        known = plain in _SHELLS or plain in _LANGUAGES
        return tuple(one for one in (plain if known else program, rest) if one)
    try:
        words = shlex.split(rest.removeprefix("-S"))
    except ValueError:
        words = rest.removeprefix("-S").split()
    return tuple(words)


def is_interpreter(program: str) -> bool:
    """Return whether the program runs text that it is given: a shell, or a language."""
    name = _basename(program)
    return name in _SHELLS or name.rstrip("0123456789.") in _LANGUAGES or name in _LANGUAGES


def without_go_betweens(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out programs that only start another one: `env`, `sudo`, with their options and variables."""
    while len(argv) > 1 and re.split(r"[\\/]", argv[0])[-1] in _GO_BETWEENS:
        argv = argv[1:]
        while len(argv) > 1 and (argv[0].startswith("-") or "=" in argv[0]):
            argv = argv[1:]
    return argv


def code_arguments(argv: tuple[str, ...]) -> tuple[int, ...]:
    """Return the places in `argv` of what an interpreter reads as code, such as the word after `-c`."""
    bare = without_go_betweens(argv)
    offset = len(argv) - len(bare)
    if not is_interpreter(bare[0]):
        return ()
    places = []
    for i, word in enumerate(bare[1:], 1):
        is_clustered = re.fullmatch(r"-[a-z]*[ce]", word) is not None  # `bash -lc`, `perl -ne`
        if word in _CODE_FOLLOWS or is_clustered:
            places.append(offset + i + 1)
        elif word.startswith(("--eval=", "--command=")) or re.match(r"-[ce].", word):
            places.append(offset + i)
    return tuple(places)


def may_read_code(argv: tuple[str, ...]) -> bool:
    """Return whether an interpreter in it may take its standard input for code. If in doubt, it may.

    It may not where it has something else to run: the word right behind it, a file with a known ending, a module
    (`-m`) or code on the command line. Programs that start others are looked through, whatever their options.
    """
    if not argv or not (is_interpreter(argv[0]) or _basename(argv[0]) in _GO_BETWEENS):
        return False
    places = [i for i, word in enumerate(argv) if is_interpreter(word)]
    return bool(places) and not _has_its_own(_basename(argv[places[-1]]), argv[places[-1] + 1 :])


def _has_its_own(interpreter: str, words: tuple[str, ...]) -> bool:
    """Return whether the interpreter is given something to run, before its standard input is named."""
    language = interpreter.rstrip("0123456789.")
    flag = _CODE_FLAG_OF_SHELLS if language in _SHELLS else _CODE_FLAGS.get(language, _CODE_FLAG_OF_OTHERS)
    for i, word in enumerate(words):
        if word in {"-", "-s"} or word.startswith(("/dev/", "/proc/")):
            return False
        has_next = i + 1 < len(words)
        if (re.fullmatch(flag, word) and has_next) or word.startswith(("--eval=", "--print=", "--command=")):
            return True
        if language == "python" and (re.match(r"-[mc].", word) or (word == "-m" and has_next)):
            return True
        is_named = not word.startswith("-") and (i == 0 or any(word.lower().endswith(one) for one in ENDINGS))
        if is_named:
            return True
    return words in {("--version",), ("--help",), ("-h",)}


def _basename(program: str) -> str:
    return re.split(r"[\\/]", program)[-1].lower().removesuffix(".exe")


def takes_commands_from_stdin(argv: tuple[str, ...]) -> bool:
    """Return whether it runs what it reads, or makes arguments of it: it is to read no answer."""
    if not argv:
        return False
    looked_at = argv if _basename(argv[0]) in _GO_BETWEENS else argv[:1]
    return any(re.split(r"[\\/]", word)[-1] in _TAKES_COMMANDS for word in looked_at)
