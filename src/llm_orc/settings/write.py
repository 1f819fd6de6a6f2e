"""Change one setting in a configuration file; what its user wrote around it, comments too, stays as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from llm_orc.errors import SettingsError, StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def write_setting(file: Path, path: Sequence[str], value: Sequence[str]) -> None:
    """Set the list at `path`, making what is missing on the way; a link to the file stays a link.

    Raises `SettingsError` where the file is no mapping there, `StorageError` where it can't be read or written.
    """
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
    for key in path[:-1]:
        if not isinstance(place, CommentedMap):
            break
        if place.get(key) is None:
            place[key] = CommentedMap()
        place = place[key]
    if not isinstance(place, CommentedMap):
        raise SettingsError(f"`{'.'.join(path)}` can't stand in `{target}`: there is no mapping to put it into")
    listed = CommentedSeq(value)
    listed.fa.set_flow_style()
    place[path[-1]] = listed
    written = io.StringIO()
    yaml.dump(document, written)
    # A file of comments alone is no document: they go before the first one.
    lead = text if text.strip() and not any(line.split("#")[0].strip() for line in text.splitlines()) else ""
    write_private(target, (lead + written.getvalue()).encode())
