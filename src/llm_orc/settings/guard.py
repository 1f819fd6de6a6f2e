"""The one rule for what a project's settings may do before their user trusts them, and what trust would allow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.jsontypes import JsonValue
from llm_orc.settings.layer import dotted
from llm_orc.settings.model import Origin, RunSettings
from llm_orc.settings.rights import right_of
from llm_orc.settings.schema import FIELD_NAMES, NAMED, PATHS, PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.settings.layer import SettingPath, Value
    from llm_orc.settings.rights import Right


def right_to(path: SettingPath, own: Mapping[SettingPath, Value]) -> Right:
    """Return what an untrusted project may do with the setting at `path`.

    `own` is what stands without the project: the package's values and the user's. A profile of the user's is
    theirs alone, and of the package's a project may only say which model it is.
    """
    section = path[0]
    if section in NAMED and len(path) == 2:  # that this profile or provider exists
        known = NAMED[section].values()
        right: Right = "words" if any(right_of(kind) == "words" for kind in known) else "trust"
    elif section in NAMED:
        right = right_of(NAMED[section].get(path[2]))
    else:
        right = right_of(PLAIN.get(section, {}).get(path[1]))
    if section == "model_profiles" and (entry := own.get(path[:2])) is not None:
        return right if right == "chooses" and entry.origin.layer == "packaged" else "trust"
    return right


def counts_untrusted(value: Value, own: Mapping[SettingPath, Value]) -> bool:
    """Whether a value of an untrusted project counts."""
    right = right_to(value.path, own)
    return _is_lower(value, own) if right == "lowers" else right in {"words", "chooses"}


def _is_lower(value: Value, own: Mapping[SettingPath, Value]) -> bool:
    """An empty value would take a limit away; where the user has none, every limit is lower.

    A limit makes no provider: without trust it is one of a provider that the user or the package speaks of.
    """
    if value.value is None or (value.path[0] == "providers" and value.path[:2] not in own):
        return False
    users = own.get(value.path)
    limit = users.value if users is not None else _usual(value.path)
    return limit is None or value.value <= limit


def _usual(path: SettingPath) -> float | None:
    if path[0] != "runs":
        return None
    limit: float | None = getattr(RunSettings(), FIELD_NAMES.get(path[-1], path[-1]))
    return limit


@dataclass(frozen=True, slots=True)
class GuardedValue:
    key: str  # dotted
    value: JsonValue
    origin: Origin


@dataclass(frozen=True, slots=True)
class GuardedSettings:
    """What trusting a project's settings would allow. Any change of `values` changes `digest`."""

    root: Path
    values: tuple[GuardedValue, ...]
    digest: str  # SHA-256 in hexadecimal


def guarded_settings(root: Path, values: Iterable[Value], own: Mapping[SettingPath, Value]) -> GuardedSettings:
    """Return all but words among a project layer's `values`, the one that counts for each key."""
    effective = {v.path: v for v in values if not v.is_entry and right_to(v.path, own) not in {"words", "users"}}
    shown = tuple(GuardedValue(dotted(v.path), v.value, v.origin) for v in effective.values())
    return GuardedSettings(root, shown, _digest(effective.values()))


def _digest(values: Iterable[Value]) -> str:
    """A relative path counts from its file's folder, so the folder is part of what was agreed to."""
    return digest_of(
        sorted([*v.path, json.dumps(v.value), _folder(v) if v.path[-1] in PATHS else ""] for v in values)
    )


def digest_of(canonical: JsonValue | list[list[str]]) -> str:
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()


def _folder(value: Value) -> str:
    return value.origin.file.parent.name if value.origin.file else ""
