"""How a run has ended, as an answer for a client: its text and its usage, or the failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llm_orc.dataclass import dataclass
from llm_orc.server.openai.errors import Failure, Reader, failure_in

if TYPE_CHECKING:
    from llm_orc.runs.results import RunResult

Finish = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a whole run, as the providers of its agents have counted them."""

    input: int
    output: int
    cached: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer. `tokens` None: a provider has not counted, so the sum is unknown."""

    text: str
    finish: Finish = "stop"
    tokens: Tokens | None = None


def outcome_of(result: RunResult, reader: Reader) -> Outcome | Failure:
    """Return the ensemble's answer, or why there is none."""
    if result.answer is not None:
        agent = result[result.answered_by]
        finish: Finish = "length" if agent.stop_reason == "max_tokens" else "stop"
        return Outcome(result.answer, finish, tokens_of(result))
    if result.status == "waiting":
        agents = ", ".join(f"`{agent.name}`" for agent in result.waiting)
        command = f": `llm-orc runs approve {result.run_id}`" if reader.is_owner else ""
        what = f"The run waits for a person's answer to {agents}{command}."
        return Failure(409, what, "conflict_error", "waiting")
    errors = [a.error for a in result.agents if a.error is not None and a.name == result.answered_by]
    errors += [a.error for a in result.agents if a.error is not None]
    error = result.error or next(iter(errors), None)
    if error is None:
        return Failure(502, "No agent of the ensemble has answered.", "server_error", "no_answer")
    return failure_in(error, reader)


def tokens_of(result: RunResult) -> Tokens | None:
    """Return the sum over all calls; None: a call's is unknown."""
    total = result.total
    if total.calls_without_usage:
        return None
    cached = sum(call.usage.cache_read_tokens for agent in result.agents for call in agent.calls)
    return Tokens(total.input_tokens, total.output_tokens, cached)
