"""Change one setting in a configuration file; everything around it, including comments, stays unchanged."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError, StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from pathlib import Path


Written = str | bool | Sequence[str] | None


def write_setting(file: Path, path: Sequence[str], value: Sequence[str]) -> None:
    """Set the list at `path`, creating missing mappings; a link to the file stays a link.

    Raises `SettingsError` if there is no mapping at `path`, `StorageError` if the file can't be read or written.
    """
    write_settings(file, path[:-1], {path[-1]: value})


def write_settings(file: Path, path: Sequence[str], values: Mapping[str, Written]) -> None:
    """Set keys of the mapping at `path` in one write; None removes a key. Raises like `write_setting`."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only for those who change a setting
    from ruamel.yaml.comments import CommentedMap, CommentedSeq  # noqa: PLC0415
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
        where = ".".join([*path, *values])
        raise SettingsError(f"`{where}` can't be set in `{target}`: there is no mapping for it")
    for key, value in values.items():
        if value is None:
            place.pop(key, None)
        elif isinstance(value, str | bool):
            place[key] = value
        else:
            place[key] = CommentedSeq(value)
            place[key].fa.set_flow_style()
    written = io.StringIO()
    yaml.dump(document, written)
    # A file with only comments is no document: they go before the first one.
    lead = text if text.strip() and not any(line.split("#")[0].strip() for line in text.splitlines()) else ""
    write_private(target, (lead + written.getvalue()).encode())
