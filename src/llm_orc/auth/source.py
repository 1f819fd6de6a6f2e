"""Find an API key: in a source that the configuration names, or in one of the usual variables."""

from __future__ import annotations

import os
import stat
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.auth.key_check import checked_key_bytes, checked_key_text
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import KeyMalformed, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LARGEST_KEY_FILE = 64 * 1024  # bytes; a larger file is not a key file


@dataclass(frozen=True, slots=True)
class FoundKey:
    """An API key, a description of its source, and whether the user's configuration names that source."""

    secret: Secret = field(repr=False)
    source: str
    named: bool


def find_api_key(
    environ: Mapping[str, str],
    *,
    usual: Sequence[str],
    variable: str | None = None,
    file: Path | None = None,
    origin: str = "",
) -> FoundKey | None:
    """Return the key, or None if there is none.

    `file` and `variable` are named in the configuration: they take precedence over the `usual` variables, and it
    is an error (`NotLoggedIn`) if they are empty. Raises `KeyMalformed` for a value that can't be a key, or is a
    key of a server other than `origin`.
    """
    if file is not None:
        return FoundKey(_read_key_file(file, origin), f"key file {file}", named=True)
    if variable is not None:
        if not (value := environ.get(variable, "").strip()):
            raise NotLoggedIn(
                f"the configuration reads an API key from the environment variable `{variable}`, which is not set",
                hint=f"export {variable}=…",
            )
        return FoundKey(_of_variable(variable, value, origin), f"environment variable {variable}", named=True)
    for name in usual:
        if value := environ.get(name, "").strip():
            return FoundKey(_of_variable(name, value, origin), f"environment variable {name}", named=False)
    return None


def _of_variable(name: str, value: str, origin: str) -> Secret:
    return checked_key_text(value, f"the environment variable `{name}`", origin)


def _read_key_file(path: Path, origin: str) -> Secret:
    try:
        # Non-blocking, so that a pipe or a device named by mistake can't block us.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise NotLoggedIn(f"the key file `{path}` is not a regular file")
            if os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise NotLoggedIn(
                    f"the key file `{path}` is readable by others (mode {stat.S_IMODE(mode):04o})",
                    hint=f"chmod 600 {path}",
                )
            data = file.read(_LARGEST_KEY_FILE + 1)
    except OSError as e:
        raise NotLoggedIn(f"can't read the key file `{path}`: {e.strerror or e}") from e
    if len(data) > _LARGEST_KEY_FILE:
        raise KeyMalformed(f"the key file `{path}` is not a valid API key: it is too large")
    return checked_key_bytes(data, f"the key file `{path}`", origin)
