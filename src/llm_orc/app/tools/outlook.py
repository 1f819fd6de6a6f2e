"""Which tools agents of an ensemble name, and what would happen to their calls; nothing is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.app.tools.layers import layers_of
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, SettingsError

if TYPE_CHECKING:
    from llm_orc.app.tools.sources import Look
    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble


_ENSEMBLES = "ensemble."  # found with the ensembles that an agent names, and what is within is looked at by itself
_RUNS_ENSEMBLE: Look = ("allow", "")


@dataclass(frozen=True, slots=True)
class ToolOutlook:
    """A tool that an agent names. `verdict`: `allow`, `ask` or `deny`; `words` say so with the reason.

    `problem` is why there is no such tool here; then there is no verdict.
    """

    agent: str
    name: str
    verdict: str = ""
    words: str = ""
    problem: LlmOrcError | None = None


def tool_outlook(app: App, ensemble: Ensemble) -> tuple[ToolOutlook, ...]:
    """Return the tools of all agents, in their order. What a server offers is known only once it has started."""
    named = [(path, name) for path, spec in all_agents(ensemble) for name in needs_of(spec.work).tools]
    if not named:
        return ()
    from llm_orc.app.tools.sources import source_of  # noqa: PLC0415 - heavy: only where there are tools

    layers = layers_of(app, ensemble)
    found: list[ToolOutlook] = []
    for path, name in named:
        try:
            usual, digest = source_of(name).look(app, name) if not name.startswith(_ENSEMBLES) else _RUNS_ENSEMBLE
        except LlmOrcError as e:
            found.append(ToolOutlook(path, name, problem=e))
            continue
        decision = layers.of(path).decide_named(name, digest, usual)
        found.append(ToolOutlook(path, name, decision.verdict, decision.words))
    return tuple(found)


def refuse_tools(app: App, ensemble: Ensemble) -> None:
    """Raise `SettingsError` if agents name tools that there are not here, before anything is spent."""
    wrong = [one for one in tool_outlook(app, ensemble) if one.problem is not None]
    if not wrong or wrong[0].problem is None:
        return
    first = wrong[0].problem
    if len(wrong) == 1 and not isinstance(first, SettingsError):
        raise first  # such as `NotTrusted`, which says what to do
    raise SettingsError(
        "; ".join(f"agent `{one.agent}`: {one.problem.message}" for one in wrong if one.problem is not None),
        hint=first.hint,
    )
