"""What a server offers: ensembles, their agents, and model profiles, each under the name that clients use."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import needs_of
from llm_orc.app.conversations.targets import agent_alone, model_alone
from llm_orc.app.projects.find_ensemble import find_ensemble
from llm_orc.dataclass import dataclass
from llm_orc.errors import EnsembleNotFound, InputError, LlmOrcError
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llm_orc.app.wiring import App
    from llm_orc.ensembles.ensemble import Ensemble

PROFILE = "profile:"
_FRESH_S = 1.0  # files are read again no sooner


@dataclass(frozen=True, slots=True)
class Offer:
    """`id` is what clients call it: `ENSEMBLE`, `ENSEMBLE:AGENT` or `profile:NAME`; `about` says what it is."""

    id: str
    ensemble: Ensemble
    about: str = ""


@dataclass(frozen=True, slots=True)
class NotOffered:
    """An ensemble that can't be offered, and why."""

    name: str
    because: LlmOrcError


@dataclass(frozen=True, slots=True)
class _Read:
    """An ensemble as its file said at this time (monotonic seconds), or what is wrong with it."""

    at: float
    found: Ensemble | LlmOrcError


class Offers:
    """What there is, as the files say now: a changed file counts after a second.

    `names` are the ensembles to offer; empty: all that can be invoked by name here, and the model profiles.
    """

    def __init__(self, app: App, names: Sequence[str] = ()) -> None:
        self._app, self._names = app, tuple(names)
        self._kept: dict[str, _Read] = {}
        self._reading: dict[str, asyncio.Lock] = {}
        self._listed = self._names
        self._listed_at = -math.inf  # monotonic seconds

    async def all(self) -> tuple[Offer, ...]:
        """Return all offers: ensembles first, each with its agents. Those with a mistake are left out."""
        offers: dict[str, Offer] = {}
        for name in await self._all_names():
            found = await self._ensemble(name)
            if isinstance(found, LlmOrcError):
                continue
            offers[name] = Offer(name, found, found.description)
            for agent in _agents_of(name, found):
                offers.setdefault(agent.id, agent)
        for profile in self._profiles():
            offers.setdefault(profile.id, profile)
        return tuple(offers.values())

    async def missing(self) -> tuple[NotOffered, ...]:
        """Return what can't be offered now, such as an ensemble with a mistake in its file."""
        read = [(name, await self._ensemble(name)) for name in await self._all_names()]
        return tuple(NotOffered(name, found) for name, found in read if isinstance(found, LlmOrcError))

    async def find(self, name: str) -> Offer:
        """Return the offer of this name.

        Raises `EnsembleNotFound` with the closest one, and what is wrong with an ensemble that can't be offered.
        """
        for profile in self._profiles():
            if profile.id == name:
                return profile
        ensemble, colon, _ = name.rpartition(":") if ":" in name else (name, "", "")
        if ensemble in self._listed or ensemble in await self._all_names():
            found = await self._ensemble(ensemble)
            if isinstance(found, LlmOrcError):
                raise found
            if not colon:
                return Offer(name, found, found.description)
            for one in _agents_of(ensemble, found):
                if one.id == name:
                    return one
        offers = [offer.id for offer in await self.all()]
        raise EnsembleNotFound(
            f"this server offers no `{name[:200]}`",
            hint=did_you_mean(name, offers) or "`GET /v1/models` lists what it offers.",
        )

    async def _all_names(self) -> tuple[str, ...]:
        if self._names or self._app.clock.monotonic() - self._listed_at < _FRESH_S:
            return self._listed
        listing = await asyncio.to_thread(self._app.library.listing)
        valid = {entry.name: None for entry in listing.entries if entry.shadowed_by is None}
        broken = {problem.file.stem: None for problem in listing.broken if problem.file is not None}
        self._listed, self._listed_at = tuple({**valid, **broken}), self._app.clock.monotonic()
        return self._listed

    async def _ensemble(self, name: str) -> Ensemble | LlmOrcError:
        """Return the ensemble, read within the last second. Who asks meanwhile gets the one of before."""
        lock = self._reading.setdefault(name, asyncio.Lock())
        kept = self._kept.get(name)
        if kept is not None and (lock.locked() or self._is_fresh(kept)):
            return kept.found
        async with lock:
            kept = self._kept.get(name)
            if kept is None or not self._is_fresh(kept):
                found = await asyncio.to_thread(self._read, name)
                kept = self._kept[name] = _Read(self._app.clock.monotonic(), found)
        return kept.found

    def _is_fresh(self, read: _Read) -> bool:
        return self._app.clock.monotonic() - read.at < _FRESH_S

    def _read(self, name: str) -> Ensemble | LlmOrcError:
        try:
            found = find_ensemble(self._app, name)
            _refuse_what_no_client_can_ask(found)
        except LlmOrcError as e:
            return e
        return found

    def _profiles(self) -> Iterator[Offer]:
        if not self._names:
            for profile in self._app.settings.profiles.values():
                alone = model_alone(self._app, profile.name)
                yield Offer(PROFILE + profile.name, alone, profile.description or "")


def _refuse_what_no_client_can_ask(ensemble: Ensemble) -> None:
    """Clients say a task and nothing else. Raises `InputError`."""
    if ensemble.task == "none":
        raise InputError(f"ensemble `{ensemble.name}` takes no task, and clients give nothing else")
    missing = [f"`{spec.name}`" for spec in ensemble.inputs if spec.is_required]
    if missing:
        raise InputError(
            f"ensemble `{ensemble.name}` needs {' and '.join(missing)}, and clients give nothing but a task",
            hint="An input with a `default` need not be given.",
        )


def _agents_of(name: str, ensemble: Ensemble) -> list[Offer]:
    """Return the agents that can be asked by themselves: language models that need no other's answer."""
    found: list[Offer] = []
    for spec in ensemble.agents:
        if not needs_of(spec.work).models or spec.repeats or len(ensemble.agents) == 1:
            continue
        try:
            alone = agent_alone(ensemble, spec.name)
        except LlmOrcError:
            continue  # it refers to another agent's answer
        found.append(Offer(f"{name}:{spec.name}", alone, f"`{spec.name}` of `{name}`"))
    return found
