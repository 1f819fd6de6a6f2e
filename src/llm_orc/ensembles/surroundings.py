"""Where the files that an ensemble names are looked for."""

from __future__ import annotations

from pathlib import Path

from llm_orc.agents.kind import Surroundings
from llm_orc.settings.project import FOLDER

PACKAGED = Path(__file__).with_name("packaged")
SCRIPTS = "scripts"
_LIBRARY = "llm-orchestra-library"


def surroundings(file: Path | None, shared: tuple[Path, ...]) -> Surroundings:
    """Return the folders of a file: its own, `scripts` in it and beside it, the project's, and `shared`.

    A file in `.llm-orc/ensembles` so finds `.llm-orc/scripts`, and one in the user's own folder `ensembles` the
    user's `scripts`. The project's directory itself, and the library in it, are those of earlier releases. The
    scripts of the packaged ensembles come last, for copies of these.
    """
    if file is None:
        return Surroundings(shared)
    folder = file.absolute().parent
    project = next((one for one in (folder, *folder.parents) if one.name == FOLDER), None)
    folders = [folder, folder / SCRIPTS, folder.parent / SCRIPTS]
    if project is not None:
        library = project.parent / _LIBRARY
        folders += (project / SCRIPTS, project, project.parent)
        folders += (library / below for below in (SCRIPTS, "primitives/python", "primitives", "."))
    found = dict.fromkeys((*folders, *shared, PACKAGED / SCRIPTS))
    return Surroundings(tuple(found), None if project is None else project.parent)
