"""Change one setting in a configuration file; everything around it, including comments, stays unchanged."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError, StorageError
from llm_orc.storage.atomic import write_private, write_where_named

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ruamel.yaml.comments import CommentedMap

    from llm_orc.jsontypes import JsonValue


Written = str | bool | Sequence[str] | None


def write_setting(file: Path, path: Sequence[str], value: Sequence[str]) -> None:
    """Set the list at `path`, creating missing mappings; a link to the file stays a link.

    Raises `SettingsError` if there is no mapping at `path`, `StorageError` if the file can't be read or written.
    """
    write_settings(file, path[:-1], {path[-1]: value})


def write_settings(file: Path, path: Sequence[str], values: Mapping[str, Written]) -> None:
    """Set keys of the mapping at `path` in one write; None removes a key. Raises like `write_setting`."""

    def change(place: CommentedMap) -> None:
        for key, value in values.items():
            if value is None:
                place.pop(key, None)
            else:
                _put(place, key, value if isinstance(value, str | bool) else list(value))

    _change(file, path, [*values], change)


def put_setting(file: Path, path: Sequence[str], value: JsonValue) -> None:
    """Set the value at `path`; null is a value too. Raises like `write_setting`."""
    _change(file, path[:-1], path[-1:], lambda place: _put(place, path[-1], value))


def remove_setting(file: Path, path: Sequence[str]) -> None:
    """Remove the key at `path`, and the mappings that are empty without it. Raises like `write_setting`."""

    def change(document: CommentedMap) -> None:
        places: list[dict[str, object]] = [document]
        for key in path[:-1]:
            inner = places[-1].get(key)
            if not isinstance(inner, dict):
                return
            places.append(inner)
        for place, key in zip(reversed(places), reversed(path), strict=True):
            place.pop(key, None)
            if place:
                return

    _change(file, (), path, change)


def _put(place: CommentedMap, key: str, value: JsonValue) -> None:
    """Put in a value; lists and mappings stand in one line."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415 - only for those who change a setting

    if isinstance(value, list | dict):
        place[key] = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
        place[key].fa.set_flow_style()
    else:
        place[key] = value


def _change(file: Path, path: Sequence[str], keys: Sequence[str], change: Callable[[CommentedMap], None]) -> None:
    """Change the mapping at `path`, and write the file once. `keys` are named in the error."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only for those who change a setting
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    target = file.resolve()
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else ""
        document = yaml.load(text)
    except (OSError, UnicodeDecodeError) as e:
        raise StorageError(f"can't read `{target}`: {e}") from e
    except YAMLError as e:
        raise SettingsError(f"`{target}` is not YAML, so nothing was changed", hint="llm-orc check") from e
    document = CommentedMap() if document is None else document
    place = document
    for key in path:
        if not isinstance(place, CommentedMap):
            break
        if place.get(key) is None:
            place[key] = CommentedMap()
        place = place[key]
    if not isinstance(place, CommentedMap):
        where = ".".join([*path, *keys])
        raise SettingsError(f"`{where}` can't be set in `{target}`: there is no mapping for it")
    change(place)
    written = io.StringIO()
    yaml.dump(document, written)
    # A file with only comments is no document: they go before the first one.
    lead = text if text.strip() and not any(line.split("#")[0].strip() for line in text.splitlines()) else ""
    data = (lead + written.getvalue()).encode()
    if target.exists():
        write_where_named(target, data)  # keeps its mode
    else:
        write_private(target, data)
