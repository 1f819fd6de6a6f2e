"""A model whose turns are written down, tools that are functions, and runs of one agent with them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from llm_orc.agents.caller import AgentCaller
from llm_orc.agents.candidate import Candidate
from llm_orc.agents.choice import ModelChoice
from llm_orc.agents.model.caller import LlmCaller
from llm_orc.agents.output import AgentOutput
from llm_orc.agents.path import AgentPath
from llm_orc.agents.spec import AgentSpec
from llm_orc.agents.tools.tool import Tool, ToolResult, Tools, ToolUse
from llm_orc.agents.work import ModelWork
from llm_orc.auth.access import Access, Billing
from llm_orc.engine.before import Before
from llm_orc.engine.execute import RunStart, execute
from llm_orc.engine.plan import make_plan
from llm_orc.ensembles.ensemble import Ensemble
from llm_orc.errors import LlmOrcError
from llm_orc.jsontypes import JsonValue
from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver, Usage
from llm_orc.providers.parts import OwnBlocks, ToolCall
from llm_orc.runs.state import RunState
from tests.engine.conftest import KeptEvents, RealClock

ACCESS = Access("pretend", "api-key", Billing.METERED, "the test", "http://127.0.0.1:1")

Does = str | Sequence[ToolCall] | LlmOrcError | Callable[[ModelRequest], Awaitable[Reply]]


def call(name: str, arguments: dict[str, JsonValue] | None = None, id: str = "") -> ToolCall:  # noqa: A002
    return ToolCall(id or f"id-of-{name}", name, {} if arguments is None else arguments)


class WrittenModel(ModelInterface):
    """Does what it is told, one thing for each request: an answer, calls of tools, or an error."""

    provider = "pretend"

    def __init__(self, *does: Does, name: str = "m") -> None:
        self.name, self._does = name, list(does)
        self.requests: list[ModelRequest] = []

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        self.requests.append(request)
        await asyncio.sleep(0)
        match self._does.pop(0):
            case LlmOrcError() as error:
                raise error
            case str(text):
                return Reply(text, f"{self.name}-today", Usage(10, 5))
            case list() | tuple() as calls:
                own = OwnBlocks("anthropic", ({"signed": len(self.requests)},))
                return Reply("", f"{self.name}-today", Usage(10, 5), "tool_use", calls=tuple(calls), own=own)
            case does:
                return await does(request)  # type: ignore[operator]


Function = Callable[[ToolUse, dict[str, JsonValue]], Awaitable[ToolResult]]


async def works(_use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
    return ToolResult(f"result of {arguments}")


@dataclass
class FewTools:
    """Implements `Tools`: those that it is given, by name. `called` has every call that was carried out."""

    tools: Mapping[str, Tool]
    refuses: Mapping[str, str] = field(default_factory=dict)
    called: list[tuple[str, dict[str, JsonValue]]] = field(default_factory=list)

    async def offered(self, agent: AgentPath, names: Sequence[str]) -> tuple[Tool, ...]:
        return tuple(self.tools[name] for name in names)

    async def refusal(self, use: ToolUse, tool: Tool, arguments: dict[str, JsonValue]) -> str | None:
        return self.refuses.get(tool.name)


def few_tools(
    functions: Mapping[str, Function] | None = None,
    *,
    reads: Sequence[str] = (),
    idempotent: Sequence[str] = (),
    parameters: dict[str, JsonValue] | None = None,
    refuses: Mapping[str, str] | None = None,
) -> FewTools:
    """Return tools of these names; those in `reads` don't act."""
    tools: dict[str, Tool] = {}
    few = FewTools(tools, refuses or {})

    def counted(name: str, function: Function) -> Function:
        async def called(use: ToolUse, arguments: dict[str, JsonValue]) -> ToolResult:
            few.called.append((name, arguments))
            return await function(use, arguments)

        return called

    for name, function in (functions or {"run.it": works}).items():
        tools[name] = Tool(
            name,
            f"Does {name}.",
            parameters or {"type": "object"},
            counted(name, function),
            acts=name not in reads,
            is_idempotent=name in idempotent,
        )
    return few


async def run(
    model: ModelInterface | Sequence[ModelInterface],
    tools: Tools,
    spec: AgentSpec | None = None,
    *,
    task: str = "the task",
    before: Before | None = None,
    sink: KeptEvents | None = None,
    rehearsal: bool = False,
    done: Mapping[str, AgentOutput] | None = None,
    candidates_of: Sequence[str] = (),
) -> KeptEvents:
    """Run an agent with all of these tools, unless its `spec` names some; its models are asked in their order.

    `candidates_of` are the places of all agents that have these models; empty: that of the agent.
    """
    sink = sink or KeptEvents()
    names = tuple(tools.tools) if isinstance(tools, FewTools) else ()
    spec = spec or AgentSpec("a", ModelWork(tools=names))
    models = [model] if isinstance(model, ModelInterface) else list(model)
    choice = ModelChoice("pretend", "m", "user")
    candidates = [Candidate(choice, one, ACCESS, lambda _model, _usage: 0.25) for one in models]
    places = candidates_of or (spec.name,)
    async with asyncio.timeout(20):
        await execute(
            make_plan(Ensemble("e", (spec,))),
            RunStart("run-1", task, done=done or {}, before=before or Before(), sandbox=rehearsal),
            AgentCaller(LlmCaller(dict.fromkeys(places, candidates)), rehearsal=rehearsal, tools=tools),
            sink,
            clock=RealClock(),
            max_concurrent=8,
        )
    return sink


def state_of(sink: KeptEvents) -> RunState:
    state = RunState()
    for event in sink.events:
        state.apply(event)
    return state
