"""Read an API key from a hidden prompt, standard input, a file or a named environment variable."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.auth.key_check import checked_key_bytes, checked_key_text
from llm_orc.cli.shell.output.streams import is_terminal
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, KeyMalformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.auth.secret import Secret

_LONGEST = 16 * 1024  # bytes; a longer input is some other file
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeySourceOptions:
    """The three options of `auth add`; at most one is given."""

    from_stdin: bool = False
    from_file: str | None = None
    from_env: str | None = None

    @property
    def count(self) -> int:
        return sum((self.from_stdin, self.from_file is not None, self.from_env is not None))


def read_key(options: KeySourceOptions, provider: str, environ: Mapping[str, str]) -> Secret:
    """Return the key. Raises `InputError` and `KeyMalformed`, whose messages never repeat what was read."""
    if options.count > 1:
        raise InputError(
            "there is more than one source of the key",
            hint="Give one of --from-stdin, --from-file and --from-env.",
        )
    if options.from_env is not None:
        return checked_key_text(*_variable(options.from_env, environ))
    if options.from_file is not None:
        return _clean(_file(options.from_file), f"the file `{options.from_file}`")
    if options.from_stdin and not is_terminal(sys.stdin):
        return _clean(sys.stdin.buffer.read(_LONGEST + 1), "standard input")
    return _prompted(provider)


def _prompted(provider: str) -> Secret:
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        raise InputError(
            f"there is no terminal to ask for the key of `{provider}`",
            hint=f"Pass it with `llm-orc auth add {provider} --method api-key --from-stdin < FILE`,"
            " or with `--from-file FILE` or `--from-env NAME`.",
        )
    from getpass import getpass

    return _clean(getpass(f"API key of {provider} (not shown): ", stream=sys.stderr).encode(), "what was typed")


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
        raise InputError(f"can't read the file `{name}`: {e.strerror or e}") from e


def _clean(data: bytes, where: str) -> Secret:
    if len(data) > _LONGEST:
        raise KeyMalformed(f"{where} is not a valid API key: it is too large")
    return checked_key_bytes(data, where)
