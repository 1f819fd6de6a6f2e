"""Settings and ensembles of earlier releases: which are read, and which keys are not supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass
from llm_orc.ensembles.check import check
from llm_orc.ensembles.ensemble_files import ensemble_files
from llm_orc.errors import EnsembleInvalid
from llm_orc.settings.layer import layer_files, read_layer
from llm_orc.settings.project import FOLDER, project_folders, settings_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llm_orc.app.wiring import App

FileState = Literal["read", "read-in-part", "refused", "not-read"]


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """`read`: as it is; `read-in-part`: except what the remarks say; `not-read`: it is where nothing looks."""

    file: Path
    kind: Literal["settings", "ensemble"]
    state: FileState
    remarks: tuple[str, ...] = ()


def earlier_files(app: App) -> tuple[EarlierFile, ...]:
    """Read every file of settings and ensembles that applies to this user here; change none."""
    config, around = app.paths.config, app.environment
    folders = project_folders(around.cwd, around.home, config)
    found = [*_settings(config)]
    if (nearest := settings_folder(folders)) is not None:
        found += _settings(nearest)
    for folder in (*folders, config):
        found += _ensembles(app, folder)
    ancient = around.home / FOLDER
    if ancient.resolve() != config.resolve():
        found += (_unread(file, config) for file in (*_settings(ancient), *_ensembles(app, ancient)))
    return tuple(found)


def _settings(folder: Path) -> Iterator[EarlierFile]:
    for file in layer_files(folder):
        layer = read_layer([file], "user")
        if layer.problems:
            yield EarlierFile(file, "settings", "refused", tuple(map(str, layer.problems)))
        else:
            yield EarlierFile(
                file, "settings", "read-in-part" if layer.notices else "read", tuple(map(str, layer.notices))
            )


def _ensembles(app: App, folder: Path) -> Iterator[EarlierFile]:
    for file in ensemble_files(folder / "ensembles"):
        try:
            found = check(app.library.load(file).when_trusted(), app.settings)
        except EnsembleInvalid as e:
            yield EarlierFile(file, "ensemble", "refused", tuple(map(str, e.problems)))
            continue
        state: FileState = "refused" if found.problems else "read-in-part" if found.warnings else "read"
        yield EarlierFile(file, "ensemble", state, tuple(map(str, (*found.problems, *found.warnings))))


def _unread(file: EarlierFile, config: Path) -> EarlierFile:
    remark = f"only the oldest releases read files here; to use it, move it to the same place in {config}"
    return EarlierFile(file.file, file.kind, "not-read", (remark, *file.remarks))
