"""The access that each agent's models use, and who pays: the data for planning a run and showing the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING, Self

from llm_orc.agents.candidate import Unbounded
from llm_orc.agents.choice import ModelChoice, NamedModel
from llm_orc.agents.kinds import all_agents, needs_of
from llm_orc.agents.spec import CacheUse
from llm_orc.app.projects.in_force import without_trust
from llm_orc.app.projects.programs import AgentProgram, files_of, programs_of
from llm_orc.auth.access import Access, Billing
from llm_orc.auth.apply import Authoriser
from llm_orc.catalog.call_rules import NO_RULES, CallRules
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.lookup import official_clis
from llm_orc.providers.official_cli.state import CliState
from llm_orc.providers.options.left_out import takes_limit
from llm_orc.providers.options.request import ALL_DIALECTS, unpriced_options

if TYPE_CHECKING:
    from llm_orc.app.wiring import App
    from llm_orc.catalog.rows import DialectName
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.net.transport import Transport
    from llm_orc.providers.base import ModelInterface
    from llm_orc.providers.limits.limiter import Limiter
    from llm_orc.providers.official_cli.official import OfficialClis


@dataclass(frozen=True, slots=True)
class HttpConnection:
    """An address, what authenticates requests to it, and the system prompt that this access requires."""

    endpoint: Endpoint
    authoriser: Authoriser
    required_system_prompt: str | None = None

    @property
    def dialects(self) -> tuple[DialectName, ...]:
        """The dialects that its requests may use."""
        return (self.endpoint.dialect,)

    @property
    def calls(self) -> CallRules:
        """What its requests must be like."""
        return self.endpoint.calls

    def build(
        self,
        ready: Model,
        http: Transport,
        *,
        max_retries: int,
        stream: bool = False,
        limiter: Limiter | None = None,
    ) -> ModelInterface:
        from llm_orc.providers.build import build_model  # noqa: PLC0415 - heavy: asyncio

        return build_model(
            self.endpoint,
            ready.model,
            self.authoriser,
            http,
            max_retries=max_retries,
            stream=stream,
            required_system_prompt=self.required_system_prompt,
            limiter=limiter,
        )


class LazyClis:
    """The official CLIs of a process, opened when one is first used. Leaving it ends their processes."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._clis: OfficialClis | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._clis is not None:
            await self._clis.__aexit__(*_)

    def __call__(self) -> OfficialClis:
        if self._clis is None:
            from llm_orc.providers.official_cli.official import OfficialClis  # noqa: PLC0415 - for those who use one

            settings = self._app.settings
            self._clis = OfficialClis(
                self._app.environment.environ,
                max_live=settings.runs.max_cli_processes,
                network=settings.network,
                rows=official_clis(settings.providers),
            )
        return self._clis


@dataclass(frozen=True, slots=True)
class CliConnection:
    """An official CLI. `base_url` None: its vendor's own address."""

    clis: OfficialClis
    state: CliState
    base_url: str | None = None

    @property
    def dialects(self) -> tuple[DialectName, ...]:
        """All dialects: it is sent no options, so any dialect's options do no harm."""
        return ALL_DIALECTS

    @property
    def calls(self) -> CallRules:
        return NO_RULES

    def build(
        self,
        ready: Model,
        http: Transport,
        *,
        max_retries: int,
        stream: bool = False,
        limiter: Limiter | None = None,
    ) -> ModelInterface:
        """Build the model. The program calls its vendor itself, so `http` is unused; its own slots limit it."""
        return self.clis.model(
            self.state,
            ready.choice.model,
            provider=ready.access.provider,
            base_url=self.base_url,
            max_retries=max_retries,
            stream=stream,
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A complete choice: how the model is reached, who pays, and why."""

    choice: ModelChoice
    model: str  # for showing; the choice's own may be None if a program has a default
    connection: HttpConnection | CliConnection
    access: Access
    why: str = ""

    @property
    def unpriced_options(self) -> tuple[str, ...]:
        """What makes the most that a call can cost unknown: `options` that may bill anything but tokens, or tokens
        at another price; `max_tokens`, if the provider takes no limit, as no official CLI does for all it sends.
        """
        if self.access.billing is not Billing.METERED:
            return ()
        if not isinstance(self.connection, HttpConnection):
            return ("max_tokens",)
        endless = () if takes_limit(self.connection.calls) else ("max_tokens",)
        return (*unpriced_options(self.choice.options, self.connection.endpoint.dialect), *endless)

    @property
    def unbounded(self) -> Unbounded | None:
        """Why nobody knows beforehand how many tokens a call may take; None: the request itself says it."""
        name = f"`{self.access.provider}`"
        if not isinstance(self.connection, HttpConnection):
            why = f"{name} is an official CLI, which adds to prompts, and takes no limit of an answer"
            return Unbounded(why, "Limit its calls: `--max-calls`.")
        if not takes_limit(self.connection.calls):
            return Unbounded(f"{name} takes no limit of an answer", "Use another provider, or limit its calls.")
        options = unpriced_options(self.choice.options, self.connection.endpoint.dialect)
        if options:
            listed = ", ".join(f"`{option}`" for option in options)
            return Unbounded(f"{listed} in `options` may take more than was sent", "Take them out of `options`.")
        return None


@dataclass(frozen=True, slots=True)
class Considered:
    """A route that was considered: `outcome` says what came of it."""

    provider: str
    method: str
    outcome: str
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class AgentAccess:
    """What one agent will use, and the fallbacks that may take over, in order."""

    agent: str
    profile: str | None
    model: str
    access: Access
    fallbacks: tuple[tuple[str, Access], ...] = ()
    why: str = ""
    considered: tuple[Considered, ...] = ()
    instead: NamedModel | None = None  # the user named it in place of the ensemble's


@dataclass(frozen=True, slots=True)
class MissingAccess:
    """Why an agent can use nothing, and what was considered for it."""

    agent: str
    problems: tuple[LlmOrcError, ...]
    considered: tuple[Considered, ...] = ()


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the metered calls of a run would cost, in US dollars at list price; None: a price is not known.

    `likely_usd` assumes answers of 500 tokens, `most_usd` the longest that each agent may give. Retries and
    fallbacks are not included.
    """

    calls: int
    likely_usd: float | None
    most_usd: float | None
    is_bound: bool = False  # there may be fewer calls: how many, an answer says

    def plus(self, other: Estimate) -> Estimate:
        """Return what both together would cost; an unknown part makes the sum unknown."""
        return Estimate(
            self.calls + other.calls,
            _sum(self.likely_usd, other.likely_usd),
            _sum(self.most_usd, other.most_usd),
            self.is_bound or other.is_bound,
        )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """What a run will use, for showing; `notices` are what the user should know.

    `without_model` are the agents that ask no model, each with the kind of its work; `programs` are
    what a run would start. `people` are the agents that ask a person, each with what it asks, as written. `files`
    are those that answers are written to, each with its agent. `cached` are the agents that may be given an answer
    of before, each with how old it may be. `missing` are those without access, so that no run is possible.
    """

    agents: tuple[AgentAccess, ...]
    notices: tuple[str, ...] = ()
    without_model: tuple[tuple[str, str], ...] = ()
    programs: tuple[AgentProgram, ...] = ()
    people: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    cached: tuple[tuple[str, CacheUse], ...] = ()
    missing: tuple[MissingAccess, ...] = ()
    estimate: Callable[[], Estimate | None] = field(default=lambda: None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Models:
    """The models of each agent, what else was considered, and what the user should know."""

    by_agent: Mapping[str, tuple[Model, ...]]
    considered: Mapping[str, tuple[Considered, ...]]
    notices: tuple[str, ...]

    @property
    def plan(self) -> AccessPlan:
        return AccessPlan(tuple(self._of(agent) for agent in self.by_agent), self.notices)

    def _of(self, agent: str) -> AgentAccess:
        first, *others = self.by_agent[agent]
        return AgentAccess(
            agent,
            first.choice.profile,
            first.model,
            first.access,
            tuple((m.model, m.access) for m in others),
            first.why,
            self.considered[agent],
            first.choice.instead,
        )


def plan_of(app: App, ensemble: Ensemble, ready: Models) -> AccessPlan:
    """Return what a run will use, for showing, with a notice of values without effect because of missing trust."""
    plan = ready.plan
    without_model = tuple(
        (path, spec.work.kind) for path, spec in all_agents(ensemble) if not needs_of(spec.work).models
    )
    notice = without_trust(app, ensemble)
    standing = dict.fromkeys(agent.instead for agent in plan.agents if agent.instead and agent.instead.is_standing)
    notices = (
        *plan.notices,
        *(f"{one.by} names `{one.text}` in place of the ensemble's models." for one in standing),
        *(() if notice is None else (notice,)),
    )
    people = tuple((path, asked) for path, spec in all_agents(ensemble) for asked in needs_of(spec.work).people)
    programs = programs_of(app, ensemble)
    return replace(
        plan,
        notices=notices,
        without_model=without_model,
        programs=programs,
        people=people,
        files=files_of(ensemble),
        cached=cached_in(ensemble),
    )


def cached_in(ensemble: Ensemble) -> tuple[tuple[str, CacheUse], ...]:
    """Return the agents that may be given an answer of before, in their order."""
    return tuple((path, spec.cache) for path, spec in all_agents(ensemble) if spec.cache is not None)
