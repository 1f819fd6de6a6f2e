"""Where batches are kept: one file on this machine, or a PostgreSQL that many machines share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from llm_orc.errors import InputError

_POSTGRES = ("postgresql", "postgres")
_EXAMPLES = "Give a file, e.g. `--store batches.sqlite`, or a server: `--store postgresql://user@host/database`."


@dataclass(frozen=True, slots=True)
class Place:
    """`url` is SQLAlchemy's; `path` is set for a file. Neither ever holds a password."""

    url: str
    path: Path | None = None

    @property
    def is_shared(self) -> bool:
        """May workers on several machines work here?"""
        return self.path is None

    def __str__(self) -> str:
        return self.url.replace("+psycopg", "", 1) if self.path is None else str(self.path)


def place_of(text: str | None, default: Path) -> Place:
    """Read what the person gave as `--store`; None: the file `default`. Raises `InputError`.

    A password is refused: the URL stands in the list of processes and in configuration files. libpq has places for
    it (PGPASSWORD, ~/.pgpass, a service file), which are all honoured.
    """
    if text is None:
        return _file(default)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _file(Path(text).expanduser().absolute())
    if scheme == "sqlite" and rest.startswith("/"):
        return _file(Path(rest[1:]).absolute() if rest[1:2] else default)
    if scheme.partition("+")[0] not in _POSTGRES:
        raise InputError(f"`{scheme}` is not a kind of store", hint=_EXAMPLES)
    parts = urlsplit(f"postgresql://{rest}")
    try:
        _ = parts.port
    except ValueError as e:
        raise InputError(
            f"the store's URL has a port that is none: `{rest.rpartition('@')[2]}`", hint=_EXAMPLES
        ) from e
    if parts.password is not None or "password=" in parts.query:
        raise InputError(
            "the store's URL holds a password, which others on this machine could read in the list of processes",
            hint="Leave it out, and put it into ~/.pgpass or the environment variable PGPASSWORD.",
        )
    return Place(urlunsplit(parts._replace(scheme="postgresql+psycopg")))


def _file(path: Path) -> Place:
    path = path.resolve()  # what a link leads to: that is what must be private
    return Place(f"sqlite:///{path}", path)
