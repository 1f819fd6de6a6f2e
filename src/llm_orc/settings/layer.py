"""One layer's values from its files: checked one by one, each with its position, not merged yet."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING, Any

from llm_orc.catalog.table import PROVIDERS
from llm_orc.dataclass import dataclass
from llm_orc.errors import Problem
from llm_orc.settings.field import Field
from llm_orc.settings.fields import SECTIONS, SettingPath, is_entry
from llm_orc.settings.model import Origin
from llm_orc.settings.types.values import KEY_HINT
from llm_orc.storage.field_types import WrongValue, non_empty_text, type_of
from llm_orc.storage.links import is_linked, link_problem
from llm_orc.storage.yaml_fields import FieldReader
from llm_orc.storage.yaml_source import read_yaml_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.model import Layer

_PROFILE_NAME = Field(non_empty_text, "The profile's name.")
_CONFIG_FILES = ("config.yaml", "config.local.yaml")
# Keys of settings that look like secrets, and what to do instead.
KEY_ITSELF: Mapping[str, str] = {
    **dict.fromkeys(
        ("api_key", "apikey", "key", "token", "access_token", "auth_token", "secret", "password"), KEY_HINT
    ),
    "client_secret": "A program that anyone can read has no secrets (RFC 8252 §8.5): register a public client.",
}
_PRESET = Origin("packaged")


@dataclass(frozen=True, slots=True)
class Value:
    """One setting."""

    path: SettingPath
    value: Any  # as the schema read it
    origin: Origin
    column: int = 0

    @property
    def is_entry(self) -> bool:
        """True if the path ends at a name, so that only the profile or provider exists."""
        return is_entry(self.path)


@dataclass(slots=True)
class LayerValues:
    """In the order of files and lines: the later one of the same path takes effect.

    `broken` has, by name, the problems of model profiles, which only concern runs that use them.
    """

    values: list[Value] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)
    broken: dict[str, list[Problem]] = field(default_factory=dict)


def dotted(path: SettingPath) -> str:
    return ".".join(path)


def layer_files(folder: Path) -> list[Path]:
    """Return the settings files of a `llm-orc` folder in order of precedence, local ones last."""
    profiles = _yaml_files(folder / "profiles")
    local = [p for p in profiles if p.stem.endswith(".local")]
    shared = [p for p in profiles if p not in local]
    config, config_local = ([p] if os.path.lexists(p) else [] for p in map(folder.joinpath, _CONFIG_FILES))
    return [*config, *shared, *config_local, *local]


def _yaml_files(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - hidden files are left out by name
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError:
        return [folder]  # reading it reports the problem
    return [folder / n for n in sorted(names) if n.endswith((".yaml", ".yml")) and not n.startswith(".")]


def read_layer(files: list[Path], layer: Layer) -> LayerValues:
    """Read all `files`; one that is broken adds its problems and does not stop the others."""
    found = LayerValues()
    for file in files:
        if layer == "project" and is_linked(file):
            _read_linked(file, found)
        else:
            _File(file, layer, found).read()
    return found


def read_presets() -> LayerValues:
    """Return what the rows of providers say in the place of settings: how to sign in, and limits of calls."""
    found, rows = LayerValues(), SECTIONS["providers"].fields["oauth"].fields
    for provider in PROVIDERS.values():
        path = ("providers", provider.name)
        if provider.oauth or provider.max_concurrent:
            found.values.append(Value(path, None, _PRESET))
        if provider.max_concurrent:
            found.values.append(Value((*path, "max_concurrent"), provider.max_concurrent, _PRESET))
        found.values += _preset((*path, "oauth"), provider.oauth, rows)
    return found


def _preset(path: SettingPath, given: Mapping[str, Any], rows: Mapping[str, Field]) -> Iterator[Value]:
    for key, value in given.items():
        row = rows[key]
        if row.fields:
            yield from _preset((*path, key), value, row.fields)
            continue
        for inner, leaf in _leaves(key, row.type(value), row):
            yield Value((*path, *inner), leaf, _PRESET)


def _read_linked(file: Path, found: LayerValues) -> None:
    """Read a link's target without quoting it: it may be any file that the user can read."""
    target = LayerValues()
    _File(file, "project", target).read()
    if target.problems or target.broken or target.notices:
        found.problems.append(link_problem(file, "settings file"))
    else:
        found.values += target.values


class _File:
    def __init__(self, path: Path, layer: Layer, found: LayerValues) -> None:
        self._path = path
        self._layer: Layer = layer
        self._found = found
        self._fields = FieldReader(read_yaml_file(path))

    def read(self) -> None:
        data = self._fields.document.data
        is_profile = self._path.parent.name == "profiles" and not _is_config(data)
        if is_profile:
            with self._problems_of(self._path.stem):
                self._profile_file(data)
        elif isinstance(data, dict):
            self._config_file(data)
        elif data is not None:
            self._fields.problem(f"settings are a mapping of sections, not {type_of(data)}", ())
        self._found.problems += self._fields.in_order()
        self._found.notices += self._fields.ignored

    @contextmanager
    def _problems_of(self, profile: str) -> Iterator[None]:
        """Attribute the problems found inside, and those of a whole file, to the profile."""
        whole_file = self._path.parent.name == "profiles" and profile == self._path.stem
        before = 0 if whole_file else len(self._fields.problems)
        yield
        if found := self._fields.problems[before:]:
            del self._fields.problems[before:]
            self._found.broken.setdefault(profile, []).extend(found)

    def _config_file(self, data: Mapping[str, JsonValue]) -> None:
        for name, content in data.items():
            section = SECTIONS.get(name)
            if section is None:
                self._notice(name)
            elif section.is_named:
                for entry, inner in self._mapping((name,), content).items():
                    self._entry((name, entry), (name, entry), inner, section.fields)
            else:
                rows = section.fields
                if section.of_each is not None:
                    rows = dict.fromkeys(self._mapping((name,), content), section.of_each)
                self._entry((name,), (name,), content, rows)

    def _notice(self, section: str) -> None:
        message = f"`{section[:80]}` is not a setting of this release and is ignored"
        hint = self._fields.question(section, SECTIONS)
        self._found.notices.append(self._fields.document.problem(message, (section,), at_key=True, hint=hint))

    def _profile_file(self, data: JsonValue) -> None:
        if not isinstance(data, dict):
            if data is not None:
                self._fields.problem(f"a profile is a mapping with a `name`, not {type_of(data)}", ())
            return
        rows = {"name": _PROFILE_NAME, **SECTIONS["model_profiles"].fields}
        try:
            name = non_empty_text(data.get("name"))
        except WrongValue as e:
            self._fields.problem(f"a profile's file needs a `name`: {e.needs}", ("name",))
            name = self._path.stem
        rest = {key: value for key, value in data.items() if key != "name"}
        self._entry(("model_profiles", name), (), rest, rows)

    def _mapping(self, place: SettingPath, content: JsonValue) -> Mapping[str, JsonValue]:
        if isinstance(content, dict):
            return content
        if content is not None:
            self._fields.problem(f"`{dotted(place)}` must be a mapping, not {type_of(content)}", place)
        return {}

    def _entry(self, path: SettingPath, place: SettingPath, content: JsonValue, rows: Mapping[str, Field]) -> None:
        """Read the keys of one profile, provider or plain section; `place` is its path in this file."""
        if is_entry(path):
            self._found.values.append(self._value(path, None, place))
        if path[0] == "model_profiles":
            with self._problems_of(path[1]):
                self._keys(path, place, self._mapping(place, content), rows)
        else:
            self._keys(path, place, self._mapping(place, content), rows)

    def _keys(
        self, path: SettingPath, place: SettingPath, mapping: Mapping[str, JsonValue], rows: Mapping[str, Field]
    ) -> None:
        what = f"`{dotted(path)}`"
        keys_themselves = {key: hint for key in mapping if (hint := KEY_ITSELF.get(key.lower().replace("-", "_")))}
        for key, hint in keys_themselves.items():
            self._fields.problem(f"{what} has no key `{key}`", (*place, key), at_key=True, hint=hint)
        rest = {key: value for key, value in mapping.items() if key not in keys_themselves}
        for key, value in self._fields.read(
            place, rest, rows, what, ignores_foreign=path[0] == "model_profiles"
        ).items():
            if rows[key].fields:
                self._keys((*path, key), (*place, key), value, rows[key].fields)
                continue
            for inner, leaf in _leaves(key, value, rows[key]):
                self._found.values.append(self._value((*path, *inner), leaf, (*place, *inner)))

    def _value(self, path: SettingPath, value: Any, place: SettingPath) -> Value:
        at = self._fields.document.key_at(place)
        return Value(path, value, Origin(self._layer, self._path, at.line), at.column)


def _is_config(data: JsonValue) -> bool:
    """True for files with several profiles, which earlier releases wrote below `profiles/`."""
    return isinstance(data, dict) and "name" not in data and isinstance(data.get("model_profiles"), dict)


def _leaves(key: str, value: Any, row: Field) -> Iterator[tuple[SettingPath, Any]]:
    if row.is_open:
        yield from (((key, inner), leaf) for inner, leaf in value.items())
    else:
        yield (key,), value
