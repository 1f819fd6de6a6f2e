"""Where batches are stored: in one file on this machine, or in a PostgreSQL database that many machines share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError

_POSTGRES = ("postgresql", "postgres")
_EXAMPLES = "Give a file, e.g. `--store batches.sqlite`, or a server: `--store postgresql://user@host/database`."


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A store. `path` is set if it is a file. There is never a password in it."""

    sqlalchemy_url: str
    path: Path | None = None

    @property
    def is_shared(self) -> bool:
        """Whether workers on several machines may work on it."""
        return self.path is None

    def __str__(self) -> str:
        return self.sqlalchemy_url.replace("+psycopg", "", 1) if self.path is None else str(self.path)


def lock_file(path: Path) -> Path:
    """Return the path of the lock that the worker of a file holds."""
    return path.with_name(f"{path.name}.lock")


def parse_store_url(text: str | None, default: Path) -> StoreUrl:
    """Read the value of `--store`: a path, or a URL of SQLite or PostgreSQL; None means the file `default`.

    Raises `InputError`, also for a URL with a password: the list of processes and configuration files show it.
    libpq reads passwords from PGPASSWORD, ~/.pgpass or a service file.
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
            f"the port in the store's URL is not a number: `{rest.rpartition('@')[2]}`", hint=_EXAMPLES
        ) from e
    if parts.password is not None or "password=" in parts.query:
        raise InputError(
            "the store's URL contains a password, which others can read in the list of processes",
            hint="Remove it, and put it into ~/.pgpass or the environment variable PGPASSWORD.",
        )
    return StoreUrl(urlunsplit(parts._replace(scheme="postgresql+psycopg")))


def _file(path: Path) -> StoreUrl:
    path = path.resolve()  # the file that a link leads to is the one that has to be private
    return StoreUrl(f"sqlite:///{path}", path)
