"""What is unfinished: batches with rows that wait, and a project whose values wait for trust."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.wiring import App
    from llm_orc.batches.glance import Glance


@dataclass(frozen=True, slots=True)
class BatchesSeen:
    """The batches of the store that the settings name. `glance` None: it is a server, or can't be read."""

    store: str
    glance: Glance | None
    is_worked_on: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class UntrustedProject:
    """A project with values that have no effect, because it is not trusted."""

    root: Path
    values: int


def untrusted_project(app: App) -> UntrustedProject | None:
    """Return the project around the working directory if something in it needs trust and has none."""
    if app.settings.project is None:
        return None
    from llm_orc.app.projects.trust import view_trust  # noqa: PLC0415 - for those in a project

    try:
        view = view_trust(app, app.environment.cwd)
    except LlmOrcError:
        return None  # its files can't be read, which other lines of the status and `doctor` report
    return None if view.trusted or not view.guarded else UntrustedProject(view.root, len(view.guarded))
