"""Remove what was copied into the store, so that it can be restored: a line of `.env`, an older store's file.

Each is removed under the lock of our store, after the copy was read from the disk once more. A line is first
saved, encrypted, in a separate store; an older store is only renamed.
"""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.credentials import older_stores, open_credentials, open_put_away
from llm_orc.app.migration.env_files import read_dotenv
from llm_orc.app.migration.migrate import Found, is_in_store
from llm_orc.app.migration.scan import read_bytes
from llm_orc.auth.credential import ApiKey
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import CredentialStoreError, StorageError
from llm_orc.storage.atomic import remove_leftovers, sync_directory, write_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llm_orc.app.wiring import App
    from llm_orc.auth.credential import Entry
    from llm_orc.auth.stores.older import FernetStore

_LINES = "dotenv"  # the name under which lines are saved
_MARK = ".migrated-"  # in the name of an older store that was moved


@dataclass(frozen=True, slots=True)
class Change:
    """What happened, or would happen, to one old location: `words` is a sentence, `is_done`: did it succeed?"""

    file: Path
    words: str
    line: int = 0
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class PutAway:
    """One thing that can be restored: a line of a file, or, with `moved_to`, a whole file."""

    file: Path
    line: int = 0
    moved_to: Path | None = None
    name: str = ""
    text: Secret | None = field(default=None, repr=False)
    account: str = ""
    ends_file: bool = False  # nothing followed it, not even a line end


def removable(app: App, found: Iterable[Found]) -> tuple[Found, ...]:
    """Return the old locations that `take_away` would remove once all is copied: one per line and file."""
    places: dict[tuple[Path, int], Found] = {}
    for one in found:
        if one.file is not None and one.kind == "dotenv" and one.state in {"copy", "already-there"}:
            places.setdefault((one.file, one.line), one)
    for store in older_stores(app):
        of_store = [one for one in found if one.kind == "older-store" and one.file == store.path]
        if of_store and all(one.state in {"copy", "already-there"} for one in of_store):
            places.setdefault((store.path, 0), of_store[0])
    return tuple(places.values())


def take_away(app: App, found: Iterable[Found]) -> tuple[Change, ...]:
    """Remove what `removable` returns, as far as the store has it. Raises `CredentialStoreError`."""
    # From the end of each file, so that the other line numbers stay valid.
    places = sorted(removable(app, found), key=lambda one: (str(one.file), -one.line))
    return tuple(_line_away(app, one) if one.kind == "dotenv" else _file_away(app, one) for one in places)


def put_away(app: App) -> tuple[PutAway, ...]:
    """Return what can be restored, most recently removed first."""
    return (*_lines_put_away(app), *_files_put_away(app))


def put_back(app: App, things: Iterable[PutAway]) -> tuple[Change, ...]:
    """Restore all of it. Whatever is in the way stays and is reported. Copies in the store stay too."""
    return tuple(_file_back(app, one) if one.moved_to else _line_back(app, one) for one in things)


def _line_away(app: App, found: Found) -> Change:
    path, number = found.file, found.line
    assert path is not None
    with open_credentials(app).holding():
        data = read_bytes(path)
        if path.is_symlink():
            return Change(path, "it is a link, which is not edited: remove the line yourself", number, False)
        if data is None or not _still_says(data, found):
            return Change(path, "the file has changed meanwhile, so it is left alone", number, False)
        if not is_in_store(app, found):
            return Change(path, "the store does not have this key, so the line stays", number, False)
        lines = data.split(b"\n")
        _keep_line(app, found, lines[number - 1], ends_file=number == len(lines))
        del lines[number - 1]
        _rewrite(path, lines)
    return Change(path, f"removed the line of `{found.variable}`", number)


def _still_says(data: bytes, found: Found) -> bool:
    credential = found.entry.credential if found.entry else None
    return any(
        line.line == found.line
        and line.value is not None
        and isinstance(credential, ApiKey)
        and line.value.reveal().strip() == credential.key.reveal()
        for line in read_dotenv(data.decode("utf-8", "replace"), {found.variable})
    )


def _keep_line(app: App, found: Found, line: bytes, *, ends_file: bool) -> None:
    """Save the line encrypted and read it back before it is removed."""
    kept = {
        "file": str(found.file),
        "line": found.line,
        "name": found.variable,
        "text": line.decode("latin-1"),
        "ends_file": ends_file,
    }
    secret = Secret(json.dumps(kept))
    account = f"{time.time_ns():020d}-{os.urandom(3).hex()}"
    open_put_away(app).store_api_key(_LINES, secret, account=account)
    entry = open_put_away(app).get(_LINES, account)
    if entry is None or entry.credential != ApiKey(secret):
        raise CredentialStoreError(f"the line {found.where} could not be saved, so it stays", state="unwritable")


def _rewrite(path: Path, lines: list[bytes]) -> None:
    """Rewrite the file whole or not at all; its mode stays, because that is the user's choice."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    remove_leftovers(path)
    write_private(path, b"\n".join(lines))
    if mode != 0o600:
        path.chmod(mode)


def _lines_put_away(app: App) -> Iterator[PutAway]:
    storage = open_put_away(app)
    state = storage.state
    if not state.is_usable:
        raise CredentialStoreError(state.words, state=state.name, hint=state.hint)
    for entry in sorted(storage.entries(), key=lambda e: e.account, reverse=True):
        if entry.provider == _LINES and isinstance(entry.credential, ApiKey):
            yield _of_entry(entry, entry.credential.key)


def _of_entry(entry: Entry, secret: Secret) -> PutAway:
    kept = json.loads(secret.reveal())
    return PutAway(
        Path(kept["file"]),
        kept["line"],
        name=kept["name"],
        text=Secret(kept["text"]),
        account=entry.account,
        ends_file=kept["ends_file"],
    )


def _line_back(app: App, kept: PutAway) -> Change:
    assert kept.text is not None
    path, text = kept.file, kept.text.reveal().encode("latin-1")
    with open_credentials(app).holding():
        data = read_bytes(path) if path.exists() else b""
        if data is None or path.is_symlink() or not path.parent.is_dir():
            return Change(path, "it can't be written now; the line is still saved", kept.line, False)
        lines = [] if kept.ends_file and not data else data.split(b"\n")
        if text not in lines:
            if read_dotenv(data.decode("utf-8", "replace"), {kept.name}):
                words = f"it sets `{kept.name}` again, so nothing was restored; the line is still saved"
                return Change(path, words, kept.line, False)
            lines.insert(min(kept.line - 1, len(lines)), text)
            _rewrite(path, lines)
        open_put_away(app).remove(_LINES, kept.account)
    return Change(path, f"restored the line of `{kept.name}`", kept.line)


def _file_away(app: App, found: Found) -> Change:
    path = found.file
    assert path is not None
    store = next(store for store in older_stores(app) if store.path == path)
    with open_credentials(app).holding():
        if not _is_superseded(app, store):
            return Change(path, "not all of its content is in the store, so it stays", is_done=False)
        target = _free_name(path, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(app.clock.now())))
        _move(path, target)
    return Change(path, f"moved to {target}")


def _is_superseded(app: App, store: FernetStore) -> bool:
    """Does our store itself have every credential of this one, the same or refreshed since?"""
    contents = store.read()
    own = {(e.provider, e.account): e for e in open_credentials(app).entries() if e.source == "own"}
    return (
        contents.is_readable
        and bool(contents.entries)
        and all(
            (mine := own.get((e.provider, e.account))) is not None
            and (mine.credential == e.credential or mine.refreshed_at is not None)
            for e in contents.entries
        )
    )


def _free_name(path: Path, stamp: str) -> Path:
    target, number = path.with_name(f"{path.name}{_MARK}{stamp}"), 1
    while target.exists() or target.is_symlink():
        number += 1
        target = path.with_name(f"{path.name}{_MARK}{stamp}-{number}")
    return target


def _move(path: Path, target: Path) -> None:
    try:
        path.rename(target)
        target.chmod(0o600)
        sync_directory(target.parent)
    except OSError as e:
        raise StorageError(f"can't move `{path}` to `{target}`: {e.strerror or e}") from e


def _files_put_away(app: App) -> Iterator[PutAway]:
    for store in older_stores(app):
        moved = sorted(store.path.parent.glob(f"{store.path.name}{_MARK}*"), reverse=True)
        yield from (PutAway(store.path, moved_to=path) for path in moved)


def _file_back(app: App, kept: PutAway) -> Change:
    assert kept.moved_to is not None
    with open_credentials(app).holding():
        if kept.file.exists() or kept.file.is_symlink():
            return Change(kept.file, f"the file exists again, so {kept.moved_to} stays where it is", is_done=False)
        _move(kept.moved_to, kept.file)
    return Change(kept.file, f"restored from {kept.moved_to}")
