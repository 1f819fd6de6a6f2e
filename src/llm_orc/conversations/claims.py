"""Leases: a row with its owner and a heartbeat holds a conversation, so no two runs interleave turns.

A killed owner leaves its row behind. It is taken over at once if its process is gone, otherwise when its heartbeat
is old; what it left unanswered is then marked as cut.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import ConversationBusy

if TYPE_CHECKING:
    import sqlite3

BEAT_S = 5.0
OLD_S = 30.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that is in the middle of a turn."""

    process: int
    run_id: str
    claimed_at: float


@dataclass(frozen=True, slots=True)
class Claim:
    """The lease of one conversation. `owner` is a random token that only its owner knows."""

    conversation: int
    run_id: str
    owner: str = field(default_factory=lambda: secrets.token_hex(16))


def try_claim(connection: sqlite3.Connection, claim: Claim, now: float) -> Holder | None:
    """Take the conversation, and mark unanswered turns as cut; or return its present holder."""
    held = _holder(connection, claim.conversation, now)
    if held is not None:
        return held
    connection.execute("DELETE FROM claims WHERE conversation = ?", (claim.conversation,))
    _cut_open_turns(connection, claim.conversation, {}, now)
    connection.execute(
        "INSERT INTO claims (conversation, owner, place, process, run_id, claimed_at, heartbeat)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (claim.conversation, claim.owner, _place(), os.getpid(), claim.run_id, now, now),
    )
    return None


def beat(connection: sqlite3.Connection, claim: Claim, now: float) -> None:
    """Update the heartbeat. An owner that was declared dead is not restored."""
    connection.execute(
        "UPDATE claims SET heartbeat = ? WHERE conversation = ? AND owner = ?",
        (now, claim.conversation, claim.owner),
    )


def release(connection: sqlite3.Connection, claim: Claim, partial: dict[str, str], now: float) -> None:
    """Release. Unanswered turns are marked as cut; `partial` has the text that arrived, by agent."""
    if is_ours(connection, claim):
        _cut_open_turns(connection, claim.conversation, partial, now)
        connection.execute("DELETE FROM claims WHERE conversation = ?", (claim.conversation,))


def is_ours(connection: sqlite3.Connection, claim: Claim) -> bool:
    row = connection.execute("SELECT owner FROM claims WHERE conversation = ?", (claim.conversation,)).fetchone()
    return row is not None and row[0] == claim.owner


def refuse_if_held(connection: sqlite3.Connection, conversation: int, name: str, now: float) -> None:
    """Raise `ConversationBusy` if a live process is in the middle of a turn."""
    held = _holder(connection, conversation, now)
    if held is not None:
        raise ConversationBusy(
            f"process {held.process} is in the middle of a turn of conversation `{name}`",
            hint=f"Wait until it ends, or look at it: `llm-orc runs show {held.run_id}`.",
        )


def _holder(connection: sqlite3.Connection, conversation: int, now: float) -> Holder | None:
    row = connection.execute(
        "SELECT place, process, run_id, claimed_at, heartbeat FROM claims WHERE conversation = ?", (conversation,)
    ).fetchone()
    if row is None:
        return None
    place, process, run_id, claimed_at, heartbeat = row
    is_gone = place == _place() and not _may_be_alive(process)
    # A heartbeat in the future is as old as one in the past: the clock was changed.
    return None if is_gone or abs(now - heartbeat) > OLD_S else Holder(process, run_id, claimed_at)


def _cut_open_turns(
    connection: sqlite3.Connection, conversation: int, partial: dict[str, str], now: float
) -> None:
    """Keep every question; one with a partial answer counts as answered, as far as it arrived."""
    rows = connection.execute(
        "SELECT number, agent, run_id FROM turns WHERE conversation = ? AND state = 'open'", (conversation,)
    ).fetchall()
    for number, agent, run_id in rows:
        text = partial.get(agent, "")
        connection.execute("UPDATE turns SET state = ? WHERE number = ?", ("done" if text else "cut", number))
        connection.execute(
            "INSERT INTO turns (conversation, agent, role, state, text, at, run_id)"
            " VALUES (?, ?, 'assistant', 'cut', ?, ?, ?)",
            (conversation, agent, text, now, run_id),
        )


@cache
def _place() -> str:
    """Where a process id is meaningful: this host, and on Linux this PID namespace."""
    try:
        namespace = os.readlink("/proc/self/ns/pid") if sys.platform == "linux" else ""  # noqa: PTH115 - not a path
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}"


def _may_be_alive(process: int) -> bool:
    if sys.platform == "win32":  # there is no harmless check there; the heartbeat decides
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
