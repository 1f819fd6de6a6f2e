"""The yes to bills that a person gave for good, for one ensemble: remembered, used, shown and withdrawn.

It holds as long as the ensemble says the same and the access is the same: another provider, model, credential or
address is asked for again, and so is a changed file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.spec import NestedEnsemble
from llm_orc.app.access.choices import choices_of
from llm_orc.auth.access import Bill, Billing
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from llm_orc.app.access.consent import Consent
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.wiring import App
    from llm_orc.jsontypes import JsonValue

_HARMLESS = frozenset({"source", "description", "default_task"})  # where it is from, and what it is run on


@dataclass(frozen=True, slots=True)
class Agreement:
    """A file of an ensemble, and the bills that its user agreed to for good."""

    file: Path
    bills: tuple[Bill, ...]


def with_agreements(app: App, ensemble: Ensemble, consent: Consent) -> Consent:
    """Return the consent with what the person agreed to for good. Raises `StorageError`: the file is damaged."""
    if ensemble.source is None:
        return consent
    by_digest = app.trust.agreements().get(ensemble.source.path)
    kept = by_digest.get(_digest(app, ensemble)) if by_digest else None  # a digest takes a while
    return replace(consent, agreed=consent.agreed.union(Bill(*one) for one in kept)) if kept else consent


def bills_of(plan: AccessPlan) -> tuple[Bill, ...]:
    """Return what a run with this plan may be billed for, fallbacks included."""
    ways = [way for agent in plan.agents for way in ((agent.model, agent.access), *agent.fallbacks)]
    may_cost = {Billing.METERED, Billing.PLAN_CREDITS}
    return tuple(dict.fromkeys(Bill.of(model, access) for model, access in ways if access.billing in may_cost))


def remember(app: App, ensemble: Ensemble, bills: Sequence[Bill]) -> None:
    """Keep the yes to these bills, for this ensemble as it is. Raises `StorageError`."""
    assert ensemble.source is not None, ensemble.name
    app.trust.agree(ensemble.source.path, _digest(app, ensemble), bills)


def agreements(app: App) -> tuple[Agreement, ...]:
    return tuple(
        Agreement(Path(file), tuple(dict.fromkeys(Bill(*one) for bills in kept.values() for one in bills)))
        for file, kept in app.trust.agreements().items()
    )


def forget(app: App, place: Path) -> int:
    """Withdraw the yes for the ensemble's file `place`, or for all files below it; return how many there were."""
    place = place.resolve()
    files = [(file, Path(file).resolve()) for file in app.trust.agreements()]
    return sum(app.trust.disagree(file) for file, real in files if place in (real, *real.parents))


def _digest(app: App, ensemble: Ensemble) -> str:
    """Return a digest of what shapes calls and limits their cost: of everything but what is known harmless."""
    said = [_plain(ensemble), _plain(_parameters(app, ensemble))]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _parameters(app: App, ensemble: Ensemble) -> Mapping[str, object] | None:
    """Return what profiles say of each agent's calls; which models they name is part of the bills."""
    try:
        chosen = choices_of(ensemble, app.settings)
    except LlmOrcError:  # the run itself reports it
        return None
    return {
        agent: [(one.system_prompt, one.temperature, one.max_tokens, one.options) for one in choices]
        for agent, choices in chosen.items()
    }


def _plain(value: object) -> JsonValue:
    if is_dataclass(value):
        left_out = _HARMLESS if isinstance(value, Ensemble | NestedEnsemble) else frozenset()
        kept = [one.name for one in fields(value) if one.name not in left_out]
        return [type(value).__name__, {name: _plain(getattr(value, name)) for name in kept}]
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(map(repr, value))
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else repr(value)
