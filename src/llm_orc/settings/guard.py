"""What a project's settings may do before the user trusts them, and what trust would allow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.settings.fields import SECTIONS, field_at, is_entry, keys_of
from llm_orc.settings.layer import dotted
from llm_orc.settings.model import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.settings.field import Field, Right
    from llm_orc.settings.fields import SettingPath
    from llm_orc.settings.layer import Value


def right_to(path: SettingPath, own: Mapping[SettingPath, Value]) -> Right:
    """Return what an untrusted project may do with the setting at `path`.

    `own` has the values without the project: the package's and the user's. A project can't change a profile of the
    user, and can only choose the model of the package's profile.
    """
    if is_entry(path):  # the mere existence of this profile or provider
        known = SECTIONS[path[0]].fields.values()
        right: Right = "counts" if any(row.right == "counts" for row in known) else "trust"
    else:
        row = _first_row(path)
        right = row.right if row is not None else "trust"
    if path[0] == "model_profiles" and (entry := own.get(path[:2])) is not None:
        return right if right == "chooses" and entry.origin.layer == "packaged" else "trust"
    return right


def _first_row(path: SettingPath) -> Field | None:
    """Return the row of the setting at or around `path`: its right applies to everything inside."""
    section, keys = SECTIONS.get(path[0]), keys_of(path)
    if section is not None and section.of_each is not None:
        return section.of_each
    return section.fields.get(keys[0]) if section is not None and keys else None


def counts_untrusted(value: Value, own: Mapping[SettingPath, Value]) -> bool:
    """Whether a value of an untrusted project takes effect."""
    right = right_to(value.path, own)
    return _is_lower(value, own) if right == "lowers" else right in {"counts", "chooses"}


def _is_lower(value: Value, own: Mapping[SettingPath, Value]) -> bool:
    """True for a lower limit. An empty value would remove it; if the user has none, every limit is lower.

    A limit doesn't define a provider: without trust it only applies to a provider of the user or the package.
    """
    if value.value is None or (value.path[0] == "providers" and value.path[:2] not in own):
        return False
    users = own.get(value.path)
    row = field_at(value.path)
    limit = users.value if users is not None else row and row.default
    return limit is None or value.value <= limit


@dataclass(frozen=True, slots=True)
class GuardedValue:
    """A value that needs trust, and where it stands."""

    key: str  # dotted
    value: JsonValue
    origin: Origin


@dataclass(frozen=True, slots=True)
class GuardedSettings:
    """What trust in a project's settings would allow. Any change of `values` changes `digest`."""

    root: Path
    values: tuple[GuardedValue, ...]
    digest: str  # SHA-256 in hexadecimal


def guarded_settings(root: Path, values: Iterable[Value], own: Mapping[SettingPath, Value]) -> GuardedSettings:
    """Return the values of a project layer that need trust, the effective one for each key."""
    effective = {v.path: v for v in values if not v.is_entry and right_to(v.path, own) not in {"counts", "never"}}
    shown = tuple(GuardedValue(dotted(v.path), v.value, v.origin) for v in effective.values())
    return GuardedSettings(root, shown, _digest(effective.values()))


def _digest(values: Iterable[Value]) -> str:
    """Return the digest; it includes the folder, because relative paths depend on it."""
    return digest_of(sorted([*v.path, json.dumps(v.value), _folder(v) if _is_path(v) else ""] for v in values))


def _is_path(value: Value) -> bool:
    row = field_at(value.path)
    return row is not None and row.is_path


def digest_of(canonical: JsonValue | list[list[str]]) -> str:
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()


def _folder(value: Value) -> str:
    return value.origin.file.parent.name if value.origin.file else ""
