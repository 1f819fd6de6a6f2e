"""The turns under a lease: a question is on the disk before it is sent, an answer before it is shown.

Every function takes a connection within a transaction, which its caller commits.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from llm_orc.agents.files.ref import as_json, files_of
from llm_orc.agents.output import AgentOutput, ModelCall
from llm_orc.auth.access import Access, Billing, Method
from llm_orc.conversations.claims import is_ours
from llm_orc.conversations.conversation import CUT_MARK
from llm_orc.dataclass import dataclass
from llm_orc.errors import ConversationBusy
from llm_orc.providers.base import Message, Role, StopReason, Usage
from llm_orc.providers.parts import FileRef

if TYPE_CHECKING:
    import sqlite3

    from llm_orc.conversations.claims import Claim
    from llm_orc.conversations.conversation import Question, TurnState, Window

_ANSWER = (
    "text, model, provider, method, billing, source, endpoint, input_tokens, output_tokens,"
    " cache_read_tokens, cache_write_tokens, cost_usd, stop_reason, request_id"
)
_UNKNOWN = -1  # uncounted tokens
_TOLD = "(state = 'done' OR (state = 'cut' AND role = 'assistant' AND t.text <> ''))"


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn before it has its number."""

    conversation: int
    agent: str
    role: Role
    text: str
    system_prompt: str | None = None
    files: tuple[FileRef, ...] = ()


def answered(connection: sqlite3.Connection, claim: Claim, agent: str) -> AgentOutput | None:
    """Return the answer that this run already has from this agent: a resumed run asks nothing twice."""
    rows = connection.execute(
        f"SELECT {_ANSWER} FROM turns WHERE conversation = ? AND agent = ? AND run_id = ?"  # noqa: S608 - our own words
        " AND role = 'assistant' AND state = 'done'",
        (claim.conversation, agent, claim.run_id),
    ).fetchall()
    return _output(rows[0]) if rows else None


def ask(
    connection: sqlite3.Connection, claim: Claim, question: Question, now: float
) -> tuple[int, tuple[Message, ...]]:
    """Store a question; return its number and the history for the agent.

    A remainder of this turn from an earlier attempt of the same run is replaced, unless the agent was asked
    something else since: then it stays, and the question is added at the end. Raises `ConversationBusy` if another
    process has taken over the conversation.
    """
    agent = question.agent
    if not is_ours(connection, claim):
        raise ConversationBusy(
            "another process has taken over the conversation because this one sent no heartbeat",
            hint=f"llm-orc resume {claim.run_id}",
        )
    connection.execute(
        "DELETE FROM turns WHERE conversation = ?1 AND agent = ?2 AND run_id = ?3 AND state <> 'aside'"
        " AND NOT EXISTS (SELECT 1 FROM turns since WHERE since.conversation = ?1 AND since.agent = ?2"
        " AND since.run_id <> ?3 AND since.number > turns.number AND since.state <> 'undone')",
        (claim.conversation, agent, claim.run_id),
    )
    told = history(connection, claim.conversation, agent)
    turn = NewTurn(claim.conversation, agent, "user", question.text, question.system_prompt, question.files)
    number = insert(connection, turn, now, state="open", run_id=claim.run_id)
    connection.execute("UPDATE conversations SET changed_at = ? WHERE number = ?", (now, claim.conversation))
    return number, told


def answer(connection: sqlite3.Connection, claim: Claim, question: int, output: AgentOutput, now: float) -> None:
    """Store the answer. If the conversation was taken over meanwhile, store it separately from the history."""
    last, usage = output.last, output.usage
    access = last.access if last else None
    updated = connection.execute(
        "UPDATE turns SET state = 'done' WHERE number = ? AND state = 'open'", (question,)
    ).rowcount
    state = "done" if updated and is_ours(connection, claim) else "aside"
    if state == "aside":
        connection.execute("UPDATE turns SET state = 'aside' WHERE number = ?", (question,))
    connection.execute(
        f"INSERT INTO turns (conversation, agent, role, state, at, run_id, {_ANSWER})"  # noqa: S608 - our own words
        " SELECT conversation, agent, 'assistant', ?, ?, run_id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
        " FROM turns WHERE number = ?",
        (
            state,
            now,
            _storable(output.text),
            output.model,
            *((None,) * 5 if access is None else _access_columns(access)),
            _UNKNOWN if usage.input_tokens is None else usage.input_tokens,
            _UNKNOWN if usage.output_tokens is None else usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            output.cost_usd,
            None if last is None else f"{last.stop_reason} {last.stop_word}".rstrip(),
            None if last is None else last.request_id,
            question,
        ),
    )
    connection.execute("UPDATE conversations SET changed_at = ? WHERE number = ?", (now, claim.conversation))


def _access_columns(access: Access) -> tuple[str, ...]:
    return access.provider, access.method, str(access.billing), access.source, access.endpoint


def failed(connection: sqlite3.Connection, question: int) -> None:
    """Note that no answer will come. The question stays, outside the history."""
    connection.execute("UPDATE turns SET state = 'failed' WHERE number = ? AND state = 'open'", (question,))


def shorten(connection: sqlite3.Connection, claim: Claim, agent: str, window: Window, now: float) -> None:
    """From now on give this agent only the turns in `window`; none is deleted."""
    rows = connection.execute(
        f"SELECT number FROM turns t WHERE conversation = ? AND agent = ? AND {_TOLD}"  # noqa: S608 - our own words
        " ORDER BY number DESC LIMIT 1 OFFSET ?",
        (claim.conversation, agent, window.newest),
    ).fetchall()
    if rows:
        connection.execute(
            "INSERT OR REPLACE INTO windows (conversation, agent, after, summary, at) VALUES (?, ?, ?, ?, ?)",
            (claim.conversation, agent, rows[0][0], window.summary, now),
        )


def history(connection: sqlite3.Connection, conversation: int, agent: str) -> tuple[Message, ...]:
    """Return an agent's history, each user turn with the system prompt in force."""
    opened = connection.execute(
        "SELECT after, summary FROM windows WHERE conversation = ? AND agent = ?", (conversation, agent)
    ).fetchone()
    after, summary = opened or (0, None)
    rows = connection.execute(
        "SELECT role, t.text, state = 'cut' OR stop_reason = 'max_tokens', p.text, t.files FROM turns t"  # noqa: S608 - as above
        " LEFT JOIN system_prompts p ON system_prompt = p.number"
        f" WHERE conversation = ? AND agent = ? AND t.number > ? AND {_TOLD}"
        " ORDER BY t.number",
        (conversation, agent, after),
    ).fetchall()
    told = [
        Message(role, f"{text}\n\n{CUT_MARK}" if is_cut else text, prompt, files=stored_files(files))
        for role, text, is_cut, prompt, files in rows
    ]
    if summary is not None:
        first = next((m.system_prompt for m in told if m.role == "user"), None)
        told[:0] = summary_turns(summary, first)
    return tuple(told)


def told_length(connection: sqlite3.Connection, conversation: int, agent: str) -> int:
    """Return the number of characters of `history`, without a summary."""
    (length,) = connection.execute(
        f"SELECT sum(length(t.text)) FROM turns t WHERE conversation = ? AND agent = ? AND {_TOLD} AND number >"  # noqa: S608 - our own words
        " coalesce((SELECT after FROM windows WHERE conversation = t.conversation AND agent = t.agent), 0)",
        (conversation, agent),
    ).fetchone()
    return length or 0


def summary_turns(summary: str, system_prompt: str | None) -> tuple[Message, Message]:
    """Return the turns that give a model the summary of the earlier ones."""
    return (
        Message("user", f"A summary of our conversation so far:\n\n{summary}", system_prompt),
        Message("assistant", "Understood. We continue from there."),
    )


def insert(
    connection: sqlite3.Connection, turn: NewTurn, now: float, *, state: TurnState = "done", run_id: str = ""
) -> int:
    """Add a turn at the end; return its number."""
    prompt = None
    if turn.system_prompt is not None:
        text = _storable(turn.system_prompt)
        connection.execute("INSERT OR IGNORE INTO system_prompts (text) VALUES (?)", (text,))
        (prompt,) = connection.execute("SELECT number FROM system_prompts WHERE text = ?", (text,)).fetchone()
    cursor = connection.execute(
        "INSERT INTO turns (conversation, agent, role, state, text, at, run_id, system_prompt, files)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (turn.conversation, turn.agent, turn.role, state, _storable(turn.text), now, run_id, prompt, _files(turn)),
    )
    return cast("int", cursor.lastrowid)


def _files(turn: NewTurn) -> str | None:
    return json.dumps([as_json(one) for one in turn.files]) if turn.files else None


def stored_files(stored: str | None) -> tuple[FileRef, ...]:
    """Return the files in a row's column."""
    return () if stored is None else files_of(json.loads(stored)) or ()


def _storable(text: str) -> str:
    """Return the text as SQLite can store it: a lone surrogate, from a byte that is not text, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def stored_usage(tokens_in: int, tokens_out: int, read: int, written: int) -> Usage:
    """Return the usage in a row's columns."""
    return Usage(
        None if tokens_in == _UNKNOWN else tokens_in, None if tokens_out == _UNKNOWN else tokens_out, read, written
    )


def stored_ending(stored: str | None) -> tuple[StopReason | None, str]:
    """Return why an answer ended, and the provider's own word if nothing else is known."""
    reason, _, word = (stored or "").partition(" ")
    return (cast("StopReason", reason) if reason else None, word)


def _output(row: tuple[Any, ...]) -> AgentOutput:
    text, model, provider, method, billing, source, endpoint, *tokens = row
    tokens_in, tokens_out, read, written, cost_usd, stop_reason, request_id = tokens
    reason, word = stored_ending(stop_reason)
    if provider is None:
        return AgentOutput(text, ())
    call = ModelCall(
        model=model,
        access=Access(provider, cast("Method", method), Billing(billing), source, endpoint),
        usage=stored_usage(tokens_in, tokens_out, read, written),
        cost_usd=cost_usd,
        stop_reason=reason or "end_turn",
        request_id=request_id or "",
        stop_word=word,
    )
    return AgentOutput(text, (call,))
