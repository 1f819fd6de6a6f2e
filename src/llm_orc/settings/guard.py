"""Which of a project's settings wait for its user's trust: whatever decides where prompts and keys go."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.jsontypes import JsonValue
from llm_orc.settings.layer import dotted
from llm_orc.settings.model import Origin
from llm_orc.settings.schema import PATHS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llm_orc.settings.layer import SettingPath, Value

_SECTIONS = frozenset({"providers", "network", "batch"})
_PROFILE_KEYS = frozenset({"base_url", "api_key_env", "api_key_file"})


def is_guarded(path: SettingPath) -> bool:
    """True for endpoints, keys' places, headers, who pays, where batches are kept, and the network."""
    if path[0] in _SECTIONS:
        return True
    return path[0] == "model_profiles" and len(path) > 2 and path[2] in _PROFILE_KEYS


@dataclass(frozen=True, slots=True)
class GuardedValue:
    key: str  # dotted
    value: JsonValue
    origin: Origin


@dataclass(frozen=True, slots=True)
class GuardedProject:
    """What trusting the project in `root` would allow. Any change of `values` changes `digest`."""

    root: Path
    values: tuple[GuardedValue, ...]
    digest: str  # SHA-256 in hexadecimal


def guarded_project(root: Path, values: Iterable[Value]) -> GuardedProject:
    """Return the guarded ones among a project layer's `values`, the one that counts for each key."""
    effective = {v.path: v for v in values if is_guarded(v.path) and not v.is_entry}
    shown = tuple(GuardedValue(dotted(v.path), v.value, v.origin) for v in effective.values())
    return GuardedProject(root, shown, _digest(effective.values()))


def _digest(values: Iterable[Value]) -> str:
    """A relative path counts from its file's folder, so the folder is part of what was agreed to."""
    canonical = sorted([*v.path, json.dumps(v.value), _folder(v) if v.path[-1] in PATHS else ""] for v in values)
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()


def _folder(value: Value) -> str:
    return value.origin.file.parent.name if value.origin.file else ""
