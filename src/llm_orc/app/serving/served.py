"""One run for each request of a client: on the runtime of the server, on its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.work import ModelWork
from llm_orc.app.access.bills.agreements import with_agreements
from llm_orc.app.access.choices import choices_of
from llm_orc.app.access.consent import Caller, Consent
from llm_orc.app.access.models import plan_of
from llm_orc.app.conversations.targets import with_role
from llm_orc.app.runs.conversation import ConversationOptions
from llm_orc.app.runs.request import RunLimits, RunListener
from llm_orc.app.runs.run import RunOptions, run_ensemble
from llm_orc.app.runs.runtime import Terms
from llm_orc.app.runs.task import TaskPart, compose_task
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError

if TYPE_CHECKING:
    from llm_orc.app.access.models import AccessPlan
    from llm_orc.app.runs.runtime import Runtime
    from llm_orc.app.serving.offers import Offer
    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.providers.base import Message
    from llm_orc.runs.results import RunResult

_INSTRUCTIONS = "the instructions of the client"


@dataclass(frozen=True, slots=True)
class ServeTerms:
    """What a server may do for its clients. None: as the settings say."""

    consent: Consent = Consent()
    caller: Caller = "own machine"
    limits: RunLimits = RunLimits()
    rehearse: bool = False  # canned answers from the sandbox; no model is asked


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """What a client asks. The last message is the task, and those before it are the history.

    `instructions` are the client's own system prompt. With a `conversation`, a name, the history is what is stored
    there, and the turn is added to it. `client` is whose key the request has: each has conversations of its own.
    """

    offer: Offer
    messages: tuple[Message, ...]
    instructions: str | None = None
    conversation: str | None = None
    client: str | None = None


class Served:
    """Runs what clients ask for. Any number of runs may be under way at once.

    `runtime` is one for work without a person (`app.access.consent.unattended`).
    """

    def __init__(self, runtime: Runtime, terms: ServeTerms) -> None:
        self._app, self._runtime, self._terms = runtime.app, runtime, terms

    @property
    def is_for_owner(self) -> bool:
        """Whether only programs on the owner's machine can ask."""
        return self._terms.caller == "own machine"

    async def plan(self, offer: Offer) -> AccessPlan:
        """Return which access the agents of an offer would use, and who pays. Raises what a run would raise."""
        consent = with_agreements(self._app, offer.ensemble, self._terms.consent)
        terms = Terms(consent, self._terms.rehearse, stream=True, caller=self._terms.caller)
        models = await self._runtime.models_for(choices_of(offer.ensemble, self._app.settings), terms)
        return plan_of(self._app, offer.ensemble, models.ready)

    async def run(self, request: ServedRequest, listener: RunListener) -> RunResult:
        """Run the offer on what the client says, and return the result; a failure of an agent is in the result.

        Cancel it when the client has gone: what has ended is kept in the record. Raises `InputError` for messages
        that are no task, and what `run_ensemble` raises.
        """
        if not request.messages or request.messages[-1].role != "user":
            raise InputError("the last message is not the user's, so there is nothing to answer")
        *before, last = request.messages
        ensemble, task = _with_instructions(request.offer.ensemble, request.instructions, last.content)
        options = RunOptions(
            task,
            self._terms.limits,
            self._terms.consent,
            rehearse=self._terms.rehearse,
            conversation=ConversationOptions(_stored_name(request), forget=request.conversation is None),
            caller=self._terms.caller,
            is_served=True,
            said=() if request.conversation is not None else tuple(before),
        )
        return await run_ensemble(self._app, ensemble, options, listener, runtime=self._runtime)


def _stored_name(request: ServedRequest) -> str | None:
    if request.conversation is None or request.client is None:
        return request.conversation
    return f"{request.client}/{request.conversation}"


def _with_instructions(ensemble: Ensemble, instructions: str | None, task: str) -> tuple[Ensemble, str]:
    """A single model without a role takes the client's instructions as its own; else they come with the task."""
    if not instructions or not instructions.strip():
        return ensemble, task
    if len(ensemble.agents) == 1:
        work = ensemble.agents[0].work
        if isinstance(work, ModelWork) and work.system_prompt is None:
            return with_role(ensemble, instructions), task
    return ensemble, compose_task(task, [TaskPart(_INSTRUCTIONS, instructions)])
