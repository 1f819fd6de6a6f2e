"""Change one setting in the user's config.yaml or the project's, with the checks that reading makes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError, LlmOrcError, SettingsError, StorageError
from llm_orc.settings.change.key import parse_value
from llm_orc.settings.change.write import put_setting, remove_setting
from llm_orc.settings.fields import field_at
from llm_orc.settings.guard import right_to
from llm_orc.settings.layer import dotted, read_layer
from llm_orc.settings.load import load_settings
from llm_orc.settings.project import FOLDER, project_folders, settings_folder
from llm_orc.storage.atomic import write_where_named
from llm_orc.storage.links import is_linked
from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.errors import Problem
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.fields import SettingPath
    from llm_orc.settings.model import Layer

_FILE = "config.yaml"
_LONGEST_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that was written or removed, and what came of it.

    `was_set` and `before` say what the file had. `overridden_by` is the place of the value that counts instead.
    `needs_trust`: it has no effect before the project is trusted.
    """

    key: str
    file: Path
    value: JsonValue
    was_set: bool
    before: JsonValue
    overridden_by: str | None = None
    needs_trust: bool = False


def set_setting(app: App, path: SettingPath, text: str, *, in_project: bool) -> Change:
    """Set it to the value that `text` means. If the settings can't be read afterwards, nothing is changed.

    Raises `InputError`, `SettingsError`, `StorageError`.
    """
    place = _place(app, in_project=in_project)
    if in_project and right_to(path, {}) == "never":
        raise InputError(
            f"`{dotted(path)}` only has an effect in your own config.yaml", hint="Leave --project out."
        )
    value = parse_value(path, text)
    row = field_at(path)
    if row is not None and row.is_path and isinstance(value, str):
        value = _seen_from(app, place, value)
    return _change(app, path, place, value, lambda: put_setting(place.file, path, value))


def unset_setting(app: App, path: SettingPath, *, in_project: bool) -> Change:
    """Remove it from the file. Raises `InputError`: the file doesn't set it; else as `set_setting`."""
    place = _place(app, in_project=in_project)
    was_set, _ = _written(place, path)
    if not was_set:
        origin = app.settings.origins.get(dotted(path))
        at = f"It is set in {origin}." if origin is not None and origin.layer != "packaged" else None
        raise InputError(f"`{dotted(path)}` is not set in `{place.file}`", hint=at or "llm-orc config show")
    return _change(app, path, place, None, lambda: remove_setting(place.file, path))


def _change(app: App, path: SettingPath, place: _Place, value: JsonValue, write: Callable[[], None]) -> Change:
    file = place.file
    lock = app.paths.state / "settings.lock"
    with exclusive(lock, wait_s=_LONGEST_WAIT_S) as held:
        if not held:
            raise StorageError(
                f"another process has been changing `{file}` for {_LONGEST_WAIT_S:g} s", hint="Try again."
            )
        old = file.read_bytes() if file.exists() else None
        was_set, before = _written(place, path)
        write()
        try:
            after = _reread(app)
        except LlmOrcError as e:
            _restore(file, old)
            problems = e.problems if isinstance(e, SettingsError) else ()
            raise _unusable(path, problems) if problems else e from None
        broken = after.settings.broken_profiles
        new = [name for name in broken if name not in app.settings.broken_profiles]
        if new:
            _restore(file, old)
            raise _unusable(path, [one for name in new for one in broken[name]])
    key = dotted(path)
    origin = after.settings.origins.get(key)
    is_elsewhere = origin is not None and origin.layer != "packaged" and origin.file != file
    withheld = any(one.key == key and one.origin.file == file for one in after.settings.withheld)
    change = Change(key, file, value, was_set, before, needs_trust=withheld)
    if origin is None or not is_elsewhere or withheld:
        return change
    row = field_at(path)
    variable = row.variable if row is not None and origin.layer == "environment" else None
    return replace(change, overridden_by=variable or str(origin))


def _unusable(path: SettingPath, problems: Sequence[Problem]) -> InputError:
    """Return the error for a change after which the settings could not be used; it was taken back."""
    said = "; ".join(one.message for one in problems)
    return InputError(f"`{dotted(path)}` is not changed, because then {said}", hint=problems[0].hint)


def _reread(app: App) -> App:
    around = app.environment
    settings = load_settings(app.paths, around.cwd, around.environ, home=around.home)
    return replace(app, settings=settings)


def _restore(file: Path, old: bytes | None) -> None:
    if old is None:
        file.unlink(missing_ok=True)
    else:
        write_where_named(file, old)


def _written(place: _Place, path: SettingPath) -> tuple[bool, JsonValue]:
    """Return whether the file sets it, and to what."""
    if not place.file.exists():
        return False, None
    found = {
        value.path: value.value for value in read_layer([place.file], place.layer).values if not value.is_entry
    }
    value = found.get(path)
    return path in found, [*value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True)
class _Place:
    file: Path
    layer: Layer


def _place(app: App, *, in_project: bool) -> _Place:
    if not in_project:
        return _Place(app.paths.config / _FILE, "user")
    around = app.environment
    folder = settings_folder(project_folders(around.cwd, around.home, app.paths.config))
    if folder is None:
        raise InputError(
            f"`{around.cwd}` is in no project: neither it nor a folder above it has a `{FOLDER}` folder",
            hint=f"mkdir {FOLDER}",
        )
    file = folder / _FILE
    if is_linked(file):  # a clone could make it lead to any file of the user
        raise InputError(
            f"`{file}` is reached through a link, and is not changed", hint="Change the target yourself."
        )
    return _Place(file, "project")


def _seen_from(app: App, place: _Place, typed: str) -> str:
    """Return a path, which is typed as seen from the working directory, as it is to be read from the file."""
    if typed.startswith(("~", "/")) or Path(typed).is_absolute():
        return typed
    absolute = os.path.normpath(app.environment.cwd / typed)
    return os.path.relpath(absolute, place.file.parent) if place.layer == "project" else absolute
