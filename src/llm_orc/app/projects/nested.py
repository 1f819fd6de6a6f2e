"""The ensembles that agents of an ensemble run, each with what is in force of its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.projects.in_force import in_force
from llm_orc.ensembles.check import check
from llm_orc.ensembles.library import is_path
from llm_orc.ensembles.nested import with_nested
from llm_orc.ensembles.parse import ParsedEnsemble
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound
from llm_orc.errors.problem import count_of
from llm_orc.storage.yaml_source import Located

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.ensembles.nested import Nested


def nested_in(app: App, parsed: ParsedEnsemble, *, as_if_trusted: bool = False) -> Nested:
    """Return the ensemble with those that its agents run. What is wrong with them is in `problems`."""

    def find(name: str, within: ParsedEnsemble) -> ParsedEnsemble:
        source = within.ensemble.source
        folder = app.environment.cwd if source is None else Path(source.path).parent
        if is_path(name) and (Path(name).is_absolute() or name.startswith("~")):
            raise EnsembleNotFound(
                f"`{name[:200]}` is not relative to the file", hint="Write its path from here, `./NAME.yaml`."
            )
        found = app.library.find(name, folder)
        return found.when_trusted() if as_if_trusted else in_force(app, found)

    return with_nested(parsed, find)


def complete(app: App, ensemble: Ensemble) -> Ensemble:
    """Return an ensemble that a program made, with those that its agents name. Raises `EnsembleInvalid`."""
    found = nested_in(app, ParsedEnsemble(ensemble, Located(None)))
    problems = [*found.problems]
    for file in found.files[1:]:
        if file.ensemble.source is not None:
            problems += check(file.when_trusted(), app.settings).problems
    if problems:
        raise EnsembleInvalid(f"ensemble `{ensemble.name}` can't be used: {count_of(problems)}", problems=problems)
    return found.ensemble
