"""Read an API key from a hidden prompt, standard input, a file or a named environment variable."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.key_check import key_text
from llm_orc.auth.key_paste import Pasted, unwrapped
from llm_orc.cli.shell.output.streams import is_terminal
from llm_orc.cli.shell.prompts import nobody_to_ask, person_is_here
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, KeyMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST = 16 * 1024  # bytes; a longer input is some other file
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeySourceOptions:
    """The three options of `auth add`; at most one is given."""

    from_stdin: bool = False
    from_file: str | None = None
    from_env: str | None = None

    @property
    def is_typed(self) -> bool:
        """Whether the key comes from the hidden prompt."""
        return (
            self.from_file is None
            and self.from_env is None
            and not (self.from_stdin and not is_terminal(sys.stdin))
        )

    @property
    def count(self) -> int:
        return sum((self.from_stdin, self.from_file is not None, self.from_env is not None))


@dataclass(frozen=True, slots=True)
class KeyRead:
    """What was read, without what was around it; `where` names its source in messages."""

    pasted: Pasted
    where: str


def read_key(
    options: KeySourceOptions, provider: str, environ: Mapping[str, str], variables: tuple[str, ...] = ()
) -> KeyRead:
    """Read the key; `variables` are those of its provider, for input with several lines `NAME=key`.

    Raises `InputError` and `KeyMalformed`, whose messages never repeat what was read.
    """
    if options.from_env is not None:
        value, where = _variable(options.from_env, environ)
        return KeyRead(unwrapped(value), where)
    if options.from_file is not None:
        return _read(_file(options.from_file), f"the file `{options.from_file}`", variables)
    if options.from_stdin and not is_terminal(sys.stdin):
        return _read(sys.stdin.buffer.read(_LONGEST + 1), "standard input", variables)
    return _prompted(provider, variables)


def _prompted(provider: str, variables: tuple[str, ...]) -> KeyRead:
    if not person_is_here():
        raise InputError(
            f"{nobody_to_ask()}: the key of `{provider}`",
            hint=f"Pass it with `llm-orc auth add {provider} --method api-key --from-stdin < FILE`,"
            " or with `--from-file FILE` or `--from-env NAME`.",
        )
    from getpass import getpass

    typed = getpass(f"API key of {provider} (not shown): ", stream=sys.stderr)
    return _read(typed.encode(), "what was typed", variables)


def _variable(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the value, and the variable's name for messages."""
    is_name = _VARIABLE.fullmatch(name) is not None  # otherwise it may be a key, given by mistake
    shown = f"`{name}`" if is_name else "named by --from-env"
    if not (value := environ.get(name, "")):
        raise InputError(
            f"the environment variable {shown} is not set",
            hint=f"export {name}=…" if is_name else "Give the variable's name: `--from-env NAME`.",
        )
    return value, f"the environment variable {shown}"


def _file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(_LONGEST + 1)
    except OSError as e:
        is_name = any(mark in name for mark in "./\\")  # otherwise it may be a key, given by mistake
        shown = f"`{name}`" if is_name else "named by --from-file"
        raise InputError(
            f"can't read the file {shown}: {e.strerror or e}", hint="Give the file's name: `--from-file FILE`."
        ) from e


def _read(data: bytes, where: str, variables: tuple[str, ...]) -> KeyRead:
    if len(data) > _LONGEST:
        raise KeyMalformed(f"{where} is not a valid API key: it is too large")
    return KeyRead(unwrapped(key_text(data, where), variables), where)
