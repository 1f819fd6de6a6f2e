"""Find an ensemble that can be run: it is valid, what it names exists, and its options are allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.app.projects.in_force import in_force
from llm_orc.ensembles.check import check
from llm_orc.errors import EnsembleInvalid
from llm_orc.errors.problem import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


def find_ensemble(app: App, name_or_path: str, notice: Callable[[str], None] = lambda _sentence: None) -> Ensemble:
    """Return the ensemble of that name or path; `notice` is called about keys that this release ignores.

    Raises `EnsembleNotFound` with the closest names, `EnsembleInvalid` with every problem and its position.
    """
    parsed = in_force(app, app.library.find(name_or_path, app.environment.cwd))
    found = check(parsed.when_trusted(), app.settings)
    if found.problems:
        raise EnsembleInvalid(
            f"ensemble `{parsed.ensemble.name}` can't be used with your settings: {count_of(found.problems)}",
            problems=found.problems,
            hint=f"llm-orc check {name_or_path}",
        )
    for ignored in parsed.ignored:
        notice(str(ignored))
    return parsed.ensemble
