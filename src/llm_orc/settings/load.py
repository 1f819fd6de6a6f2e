"""Read every layer and merge them: packaged < user < project < environment < flags."""

from __future__ import annotations

from dataclasses import field
from dataclasses import fields as attributes_of
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llm_orc.catalog.rows import InteractiveOnly
from llm_orc.dataclass import dataclass
from llm_orc.errors import Problem, SettingsError
from llm_orc.errors.problem import count_of
from llm_orc.net.options import NetworkSettings
from llm_orc.settings.environment import environment_layer, flag_layer
from llm_orc.settings.fields import SettingPath, field_at, plain_fields
from llm_orc.settings.guard import GuardedSettings, counts_untrusted, guarded_settings, right_to
from llm_orc.settings.layer import LayerValues, Value, dotted, layer_files, read_layer, read_presets
from llm_orc.settings.model import (
    BatchSettings,
    CallSettings,
    McpServerSettings,
    ModelProfile,
    NotificationSettings,
    OAuthNotice,
    OAuthSettings,
    Permission,
    Project,
    ProviderSettings,
    RunSettings,
    Settings,
    ToolSettings,
    WebSettings,
    Withheld,
)
from llm_orc.settings.oauth import endpoints_of_another_server, oauth_problems
from llm_orc.settings.profiles import fallback_problems, missing_fallbacks
from llm_orc.settings.project import home_directory, project_folders, settings_folder
from llm_orc.settings.trust import SETTINGS, TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.paths import Paths

T = TypeVar("T")

_PACKAGED = [Path(__file__).with_name("packaged.yaml")]


def trust_file(paths: Paths) -> Path:
    return paths.config / "trust.json"


def load_settings(
    paths: Paths,
    cwd: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, JsonValue] | None = None,
    *,
    home: Path | None = None,
) -> Settings:
    """Return the merged settings for work in `cwd`.

    `flags` are dotted keys of `runs` and `network`; None: the flag was not given. Raises
    `SettingsError` with every problem of every file, `StorageError` if the list of trusted projects is damaged.
    """
    home = home or home_directory(environ)
    own = _own_layers(paths)
    merged = _flat(own)
    project = _read_project(paths, cwd, home, merged)
    around, given = environment_layer(environ), flag_layer(flags or {})
    layers = [*own, *([project.layer] if project else []), around, given]
    problems = [problem for layer in layers for problem in layer.problems]
    trusted = project is not None and TrustStore(trust_file(paths)).is_trusted(
        project.root, SETTINGS, project.guarded.digest
    )
    taken = _Taken()
    if project is not None:
        taken = _taken(project.layer, merged, trusted=trusted)
        merged |= taken.values
    merged |= _flat([around, given])
    problems += oauth_problems(merged)
    if problems:
        raise SettingsError(
            f"the settings can't be used: {count_of(problems)}",
            problems=problems,
            hint="Correct them and try again.",
        )
    theirs = project.layer.broken if project else {}
    broken = _broken_profiles(
        merged, own, {name: found for name, found in theirs.items() if trusted or not _names(own, name)}
    )
    merged = {
        path: value for path, value in merged.items() if path[0] != "model_profiles" or path[1] not in broken
    }
    reader = _Merged(merged, home, cwd)
    return Settings(
        profiles=reader.profiles(),
        broken_profiles=broken,
        providers=reader.providers(),
        mcp_servers=reader.mcp_servers(),
        tools=reader.tools(),
        permissions={
            path[1]: Permission(value.value, value.origin)
            for path, value in merged.items()
            if path[0] == "permissions"
        },
        web=reader.record(WebSettings, ("web",)),
        runs=reader.record(RunSettings, ("runs",)),
        batch=reader.record(BatchSettings, ("batch",)),
        network=reader.record(NetworkSettings, ("network",)),
        notifications=reader.record(NotificationSettings, ("notifications",)),
        project=Project(project.root, trusted) if project else None,
        withheld=tuple(taken.withheld.values()),
        origins={dotted(path): value.origin for path, value in merged.items()},
        written={dotted(path): _shown(value.value) for path, value in merged.items() if not value.is_entry},
        defaults={dotted(path): row.default for path, row in plain_fields()},
        notices=(*(notice for layer in layers for notice in layer.notices), *taken.notices),
    )


def _broken_profiles(
    merged: Mapping[SettingPath, Value], own: list[LayerValues], of_project: Mapping[str, list[Problem]]
) -> dict[str, tuple[Problem, ...]]:
    """Return the problems of each unusable profile; the other settings are usable."""
    found: dict[str, tuple[Problem, ...]] = {}
    for broken in (*(layer.broken for layer in own), of_project, missing_fallbacks(merged)):
        for name, problems in broken.items():
            found[name] = (*found.get(name, ()), *problems)
    return found


def _names(layers: list[LayerValues], profile: str) -> bool:
    """An untrusted project can't break a profile that the user or the package has."""
    return any(value.path == ("model_profiles", profile) for layer in layers for value in layer.values)


def _shown(value: Any) -> JsonValue:
    return [*value] if isinstance(value, tuple) else value


def read_guarded(
    paths: Paths, cwd: Path, environ: Mapping[str, str], *, home: Path | None = None
) -> GuardedSettings | None:
    """Return what `llm-orc trust` would allow the settings in effect in `cwd`; None outside of any project.

    Raises `SettingsError` if the project's files can't be used: unreadable settings can't be trusted.
    """
    project = _read_project(paths, cwd, home or home_directory(environ), _flat(_own_layers(paths)))
    if project is None:
        return None
    problems = [*project.layer.problems, *(p for found in project.layer.broken.values() for p in found)]
    if problems:
        raise SettingsError(
            f"the project's settings can't be used: {count_of(problems)}",
            problems=problems,
            hint="Correct them and try again.",
        )
    return project.guarded


def _own_layers(paths: Paths) -> list[LayerValues]:
    """Return the layers without any project: the package's and the user's."""
    return [read_layer(_PACKAGED, "packaged"), read_presets(), read_layer(layer_files(paths.config), "user")]


def _flat(layers: list[LayerValues]) -> dict[SettingPath, Value]:
    return {value.path: value for layer in layers for value in layer.values}


@dataclass(slots=True)
class _Taken:
    """A project's values: the effective ones, those that need trust, and those without effect."""

    values: dict[SettingPath, Value] = field(default_factory=dict)
    withheld: dict[str, Withheld] = field(default_factory=dict)
    notices: list[Problem] = field(default_factory=list)


def _taken(layer: LayerValues, own: Mapping[SettingPath, Value], *, trusted: bool) -> _Taken:
    taken = _Taken()
    for value in layer.values:
        if right_to(value.path, own) == "never":
            message = f"`{dotted(value.path)}` only has an effect in your own config.yaml"
            origin = value.origin
            taken.notices.append(Problem(message, origin.file, origin.line, value.column))
        elif trusted or counts_untrusted(value, own):
            taken.values[value.path] = value
        elif not value.is_entry:
            key, is_limit = dotted(value.path), right_to(value.path, own) == "lowers"
            taken.withheld[key] = Withheld(key, value.origin, is_limit)
    if not trusted:
        _withhold_what_breaks(taken, own)
    return taken


def _withhold_what_breaks(taken: _Taken, own: Mapping[SettingPath, Value]) -> None:
    """Withhold a project's fallback that leads nowhere, or makes the user's profiles a cycle."""
    for path, value in [*taken.values.items()]:
        is_fallback = path[0] == "model_profiles" and path[2:] == ("fallback_model_profile",)
        if is_fallback and path[:2] in own and path[1] in fallback_problems({**own, **taken.values}):
            del taken.values[path]
            taken.withheld[dotted(path)] = Withheld(dotted(path), value.origin)


@dataclass(frozen=True, slots=True)
class _ProjectLayer:
    """The settings of a project, with what in them needs trust."""

    root: Path
    layer: LayerValues
    guarded: GuardedSettings


def _read_project(paths: Paths, cwd: Path, home: Path, own: Mapping[SettingPath, Value]) -> _ProjectLayer | None:
    folder = settings_folder(project_folders(cwd, home, paths.config))
    if folder is None:
        return None
    layer = read_layer(layer_files(folder), "project")
    return _ProjectLayer(folder.parent, layer, guarded_settings(folder.parent, layer.values, own))


class _Merged:
    """Turns the flat map of merged values into the records of `settings.model`."""

    def __init__(self, values: Mapping[SettingPath, Value], home: Path, cwd: Path) -> None:
        self._home = home
        self._cwd = cwd
        self._by_parent: dict[SettingPath, list[Value]] = {}
        self._entries: dict[str, dict[str, Value]] = {}
        for path, value in values.items():
            if value.is_entry:
                self._entries.setdefault(path[0], {})[path[1]] = value
            else:
                self._by_parent.setdefault(path[:-1], []).append(value)
        self._open: dict[SettingPath, list[SettingPath]] = {}  # free mappings by their parent
        for path in self._by_parent:
            row = field_at(path)
            if row is not None and row.is_open:
                self._open.setdefault(path[:-1], []).append(path)

    def profiles(self) -> dict[str, ModelProfile]:
        return {
            name: self.record(ModelProfile, value.path, name=name, origin=value.origin)
            for name, value in self._entries.get("model_profiles", {}).items()
        }

    def providers(self) -> dict[str, ProviderSettings]:
        return {
            name: self.record(
                ProviderSettings,
                value.path,
                name=name,
                oauth=self._oauth(value.path),
                interactive_only=self._interactive_only(value.path),
                calls=self.record(CallSettings, (*value.path, "calls")),
                auth_methods=self.values(value.path).get("auth_methods") or (),  # empty: unset
            )
            for name, value in self._entries.get("providers", {}).items()
        }

    def mcp_servers(self) -> dict[str, McpServerSettings]:
        return {
            name: self.record(McpServerSettings, value.path, name=name, origin=value.origin)
            for name, value in self._entries.get("mcp_servers", {}).items()
        }

    def tools(self) -> dict[str, ToolSettings]:
        return {
            name: self.record(ToolSettings, value.path, name=name, origin=value.origin)
            for name, value in self._entries.get("tools", {}).items()
        }

    def _oauth(self, provider: SettingPath) -> OAuthSettings | None:
        """Return the OAuth settings; an unset key counts as not written."""
        path = (*provider, "oauth")
        left_out = endpoints_of_another_server({v.path[-1]: v for v in self._by_parent.get(path, ())})
        given = {k: value for k, value in self.values(path).items() if value is not None and k not in left_out}
        notice = {key: value for key, value in self.values((*path, "notice")).items() if value is not None}
        if not given:
            return None
        return _made(OAuthSettings, given, notice=_made(OAuthNotice, notice) if notice.get("text") else None)

    def _interactive_only(self, provider: SettingPath) -> InteractiveOnly | None:
        given = {
            k: value for k, value in self.values((*provider, "interactive_only")).items() if value is not None
        }
        return _made(InteractiveOnly, given) if given.get("reason") else None

    def record(self, record: type[T], path: SettingPath, **more: object) -> T:
        """Make the record of the settings directly below `path`."""
        return _made(record, self.values(path), **more)

    def values(self, path: SettingPath) -> dict[str, Any]:
        """Return the values directly below `path`, by the names of the records' attributes."""
        found: dict[str, Any] = {}
        for value in self._by_parent.get(path, ()):
            row = field_at(value.path)
            assert row is not None, value.path  # the layers contain nothing else
            found[row.attribute or value.path[-1]] = self._file(value) if row.is_path else value.value
        for mapping in self._open.get(path, ()):
            found[mapping[-1]] = {v.path[-1]: v.value for v in self._by_parent[mapping]}
        return found

    def _file(self, value: Value) -> Path | None:
        """Return the file; a path is relative to the file that contains it, else to the working directory."""
        if value.value is None:
            return None
        written = str(value.value)
        if written == "~" or written.startswith(("~/", "~\\")):
            return self._home / written[2:]
        folder = value.origin.file.parent if value.origin.file else self._cwd
        return folder / written


def _made(record: type[T], values: Mapping[str, Any], **more: object) -> T:
    """Make the record; values without an attribute are only available through `Settings.value`."""
    known = {attribute.name for attribute in attributes_of(record)}  # type: ignore[arg-type]
    return record(**more, **{name: value for name, value in values.items() if name in known and name not in more})
