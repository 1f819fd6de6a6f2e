"""Whole conversations: create, find, list, read, fork, undo, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.auth.access import Access, Billing
from llm_orc.conversations import turns as within
from llm_orc.conversations.chosen import decode_chosen, encode_chosen
from llm_orc.conversations.claims import refuse_if_held
from llm_orc.conversations.conversation import Conversation, Turn, check_name
from llm_orc.conversations.database import Database
from llm_orc.dataclass import dataclass
from llm_orc.errors import ConversationNotFound, InputError
from llm_orc.storage.patience import USUAL_PATIENCE, Patience
from llm_orc.storage.suggest import closest_names

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from llm_orc.conversations.chosen import Chosen
    from llm_orc.providers.base import Message, Role

_COLUMNS = "number, name, ensemble, source, created_at, changed_at, forked_from"
_TURN = (
    "t.number, agent, role, t.text, state, at, run_id, p.text, model, provider, method, billing, source, endpoint,"
    " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, stop_reason, files"
)
_COPIED = (
    "agent, role, state, text, at, run_id, system_prompt, model, provider, method, billing, source, endpoint,"
    " input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd, stop_reason, request_id, files"
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals of a conversation: its turns, tokens, and the cost as far as prices are known."""

    turns: int
    agents: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class ConversationStore:
    """All conversations of a user. Every method blocks, and raises `StorageError` if the file can't be used."""

    def __init__(self, path: Path, patience: Patience = USUAL_PATIENCE) -> None:
        self.database = Database(path, patience)

    def close(self) -> None:
        self.database.close()

    def get(self, name: str) -> Conversation | None:
        rows = self.database.read(f"SELECT {_COLUMNS} FROM conversations WHERE name = ?", (name,))  # noqa: S608
        return Conversation(*rows[0]) if rows else None

    def find(self, name: str) -> Conversation:
        """Return the conversation of that name; `last` is the most recently changed one.

        Raises `ConversationNotFound`.
        """
        found = self.get(name) or (self.newest() if name == "last" else None)
        if found is not None:
            return found
        if name == "last":
            raise ConversationNotFound("there are no conversations yet", hint="llm-orc chat")
        names = [row[0] for row in self.database.read("SELECT name FROM conversations")]
        near = closest_names(name, names)
        raise ConversationNotFound(
            f"there is no conversation `{name}`",
            hint=f"Did you mean `{near[0]}`?" if near else "llm-orc conversations list",
        )

    def newest(self, ensemble: str | None = None) -> Conversation | None:
        """Return the most recently changed conversation, of all or of those that `ensemble` started."""
        found = self.all(limit=1, ensemble=ensemble)
        return found[0] if found else None

    def all(
        self, *, limit: int | None = None, ensemble: str | None = None, since: float | None = None
    ) -> list[Conversation]:
        """Return conversations, most recently changed first; `since`: those that changed then or later."""
        given = {"ensemble = ?": ensemble, "changed_at >= ?": since}
        conditions = {condition: value for condition, value in given.items() if value is not None}
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        rows = self.database.read(
            f"SELECT {_COLUMNS} FROM conversations {where} ORDER BY changed_at DESC, number DESC LIMIT ?",  # noqa: S608
            (*conditions.values(), -1 if limit is None else limit),
        )
        return [Conversation(*row) for row in rows]

    def figures(self, conversation: Conversation) -> Figures:
        rows = self.database.read(
            "SELECT agent, count(*), sum(max(input_tokens, 0)), sum(max(output_tokens, 0)), sum(cost_usd),"
            " sum(role = 'assistant' AND state = 'done' AND model IS NOT NULL AND cost_usd IS NULL)"
            " FROM turns WHERE conversation = ? AND state <> 'undone' GROUP BY agent ORDER BY min(number)",
            (conversation.number,),
        )
        is_known = not any(unknown for *_, unknown in rows)
        return Figures(
            sum(count for _, count, *_ in rows),
            tuple(agent for agent, *_ in rows),
            sum(tokens for _, _, tokens, *_ in rows),
            sum(tokens for _, _, _, tokens, *_ in rows),
            sum(cost or 0.0 for _, _, _, _, cost, _ in rows) if is_known else None,
        )

    def turns(
        self, conversation: Conversation, *, agent: str | None = None, newest: int | None = None
    ) -> list[Turn]:
        """Return the turns in order, without undone ones; `newest` limits their number."""
        rows = self.database.read(
            f"SELECT {_TURN} FROM turns t LEFT JOIN system_prompts p ON system_prompt = p.number"  # noqa: S608
            f" WHERE conversation = ? AND state <> 'undone' {'' if agent is None else 'AND agent = ?'}"
            " ORDER BY t.number DESC LIMIT ?",
            (conversation.number, *([] if agent is None else [agent]), -1 if newest is None else newest),
        )
        return [_turn(row) for row in reversed(rows)]

    def count(self, conversation: Conversation, *, agent: str | None = None) -> int:
        """Return how many turns `turns` would."""
        mine = "" if agent is None else "AND agent = ?"
        rows = self.database.read(
            f"SELECT count(*) FROM turns WHERE conversation = ? AND state <> 'undone' {mine}",  # noqa: S608
            (conversation.number, *([] if agent is None else [agent])),
        )
        return int(rows[0][0])

    def history(self, conversation: Conversation, agent: str) -> tuple[Message, ...]:
        """Return the history that the agent receives with its next turn."""
        with self.database.change() as connection:
            return within.history(connection, conversation.number, agent)

    def told_length(self, conversation: Conversation, agent: str) -> int:
        """Return the number of characters of that history, without a summary."""
        with self.database.change() as connection:
            return within.told_length(connection, conversation.number, agent)

    def files(self) -> set[str]:
        """Return the contents that turns refer to, by SHA-256."""
        rows = self.database.read("SELECT DISTINCT files FROM turns WHERE files IS NOT NULL")
        return {one.sha256 for (stored,) in rows for one in within.stored_files(stored)}

    def begin(self, name: str, ensemble: str, source: str | None, now: float) -> Conversation:
        """Return the conversation of that name, a new one if there is none. Raises `InputError`."""
        check_name(name)
        if name == "last":
            raise InputError("`last` stands for the newest conversation", hint="Choose another name.")
        with self.database.change() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO conversations (name, ensemble, source, created_at, changed_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (name, ensemble, source, now, now),
            )
        return self.find(name)

    def chosen(self, conversation: Conversation) -> Chosen | None:
        """Return what was chosen in it; None: nothing was ever stored, as by earlier builds."""
        rows = self.database.read("SELECT chosen FROM conversations WHERE number = ?", (conversation.number,))
        return None if not rows or rows[0][0] is None else decode_chosen(rows[0][0])

    def choose(self, conversation: Conversation, chosen: Chosen) -> None:
        """Store what was chosen in it, in place of what was chosen before."""
        with self.database.change() as connection:
            connection.execute(
                "UPDATE conversations SET chosen = ? WHERE number = ?",
                (encode_chosen(chosen), conversation.number),
            )

    def add(
        self,
        conversation: Conversation,
        agent: str,
        role: Role,
        text: str,
        now: float,
        *,
        system_prompt: str | None = None,
    ) -> None:
        """Add a message from elsewhere. Raises `InputError`, `ConversationBusy`."""
        with self.database.change() as connection:
            refuse_if_held(connection, conversation.number, conversation.name, now)
            if role not in ("user", "assistant"):
                raise InputError(f"a turn's role is `user` or `assistant`, not `{role}`")
            if role == "assistant" and not within.history(connection, conversation.number, agent):
                raise InputError("a conversation starts with a turn of the user")
            within.insert(connection, within.NewTurn(conversation.number, agent, role, text, system_prompt), now)
            connection.execute(
                "UPDATE conversations SET changed_at = ? WHERE number = ?", (now, conversation.number)
            )

    def undo(self, conversation: Conversation, now: float) -> list[Turn]:
        """Undo the last run's turns of all agents; return them. Raises `ConversationBusy`."""
        with self.database.change() as connection:
            refuse_if_held(connection, conversation.number, conversation.name, now)
            row = connection.execute(
                "SELECT run_id, number FROM turns WHERE conversation = ? AND state <> 'undone'"
                " ORDER BY number DESC LIMIT 1",
                (conversation.number,),
            ).fetchone()
            if row is None:
                return []
            run_id, number = row
            rows = connection.execute(
                f"SELECT {_TURN} FROM turns t LEFT JOIN system_prompts p ON system_prompt = p.number"  # noqa: S608
                " WHERE conversation = ? AND state <> 'undone'"
                " AND (t.number = ? OR (run_id = ? AND run_id <> '')) ORDER BY t.number",
                (conversation.number, number, run_id),
            ).fetchall()
            connection.executemany("UPDATE turns SET state = 'undone' WHERE number = ?", [(r[0],) for r in rows])
        return [_turn(row) for row in rows]

    def clear(self, conversation: Conversation, now: float, *, agent: str | None = None) -> int:
        """Undo all turns, of one agent or all; return how many there were. Raises `ConversationBusy`."""
        with self.database.change() as connection:
            refuse_if_held(connection, conversation.number, conversation.name, now)
            mine = "" if agent is None else "AND agent = ?"
            values = (conversation.number, *([] if agent is None else [agent]))
            connection.execute(f"DELETE FROM windows WHERE conversation = ? {mine}", values)  # noqa: S608
            return connection.execute(
                f"UPDATE turns SET state = 'undone' WHERE conversation = ? AND state <> 'undone' {mine}",  # noqa: S608
                values,
            ).rowcount

    def fork(self, conversation: Conversation, name: str, now: float) -> Conversation:
        """Copy it under a new name; both are independent from then on. Raises `InputError`, `ConversationBusy`."""
        check_name(name)
        with self.database.change() as connection:
            refuse_if_held(connection, conversation.number, conversation.name, now)
            if (
                connection.execute("SELECT 1 FROM conversations WHERE name = ?", (name,)).fetchone()
                or name == "last"
            ):
                raise InputError(f"conversation `{name}` already exists", hint="Choose another name.")
            number = connection.execute(
                "INSERT INTO conversations (name, ensemble, source, created_at, changed_at, forked_from, chosen)"
                " SELECT ?, ensemble, source, ?, ?, name, chosen FROM conversations WHERE number = ?",
                (name, now, now, conversation.number),
            ).lastrowid
            _copy_turns(connection, conversation.number, number)
        return self.find(name)

    def delete(self, conversations: Sequence[Conversation], now: float) -> None:
        """Delete conversations and all their content. Raises `ConversationBusy` before any is deleted."""
        with self.database.change() as connection:
            for conversation in conversations:
                refuse_if_held(connection, conversation.number, conversation.name, now)
            connection.executemany(
                "DELETE FROM conversations WHERE number = ?", [(c.number,) for c in conversations]
            )
            connection.execute(
                "DELETE FROM system_prompts WHERE number NOT IN"
                " (SELECT system_prompt FROM turns WHERE system_prompt IS NOT NULL)"
            )
        self.database.read("PRAGMA wal_checkpoint(TRUNCATE)")


def _copy_turns(connection: sqlite3.Connection, old: int, new: int | None) -> None:
    connection.execute(
        f"INSERT INTO turns (conversation, {_COPIED}) SELECT ?, {_COPIED} FROM turns"  # noqa: S608 - our own words
        " WHERE conversation = ? AND state <> 'undone' ORDER BY number",
        (new, old),
    )
    # A window starts after a turn's number: find the copy of that turn by its position.
    for agent, after, summary, at in connection.execute(
        "SELECT agent, after, summary, at FROM windows WHERE conversation = ?", (old,)
    ).fetchall():
        (place,) = connection.execute(
            "SELECT count(*) FROM turns WHERE conversation = ? AND agent = ? AND state <> 'undone'"
            " AND number <= ?",
            (old, agent, after),
        ).fetchone()
        row = connection.execute(
            "SELECT number FROM turns WHERE conversation = ? AND agent = ? ORDER BY number LIMIT 1 OFFSET ?",
            (new, agent, place - 1),
        ).fetchone()
        connection.execute(
            "INSERT INTO windows (conversation, agent, after, summary, at) VALUES (?, ?, ?, ?, ?)",
            (new, agent, row[0] if row and place else 0, summary, at),
        )


def _turn(row: tuple[Any, ...]) -> Turn:
    number, agent, role, text, state, at, run_id, prompt, model, provider, method, billing, source, endpoint = row[
        :14
    ]
    access = None if provider is None else Access(provider, method, Billing(billing), source, endpoint)
    usage = within.stored_usage(*row[14:18])
    stop_reason, stop_word = within.stored_ending(row[19])
    return Turn(
        number,
        agent,
        role,
        text,
        state,
        at,
        run_id,
        prompt,
        model,
        access,
        usage,
        cost_usd=row[18],
        stop_reason=stop_reason,
        stop_word=stop_word,
        files=within.stored_files(row[20]),
    )
