"""The overall state: access, default, ensembles, conversations, runs, storage."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.app.access.bills.today import Today, spent_today
from llm_orc.app.access.explain import default_access
from llm_orc.app.access.models import AgentAccess
from llm_orc.app.accounts.official_cli import look_at_clis
from llm_orc.app.accounts.status import AuthStatus, CredentialStatus, auth_status
from llm_orc.app.conversations.archive import ConversationSummary, count_conversations, list_conversations
from llm_orc.app.diagnostics.unfinished import BatchesSeen, UntrustedProject, untrusted_project
from llm_orc.app.history.runs import ENSEMBLE_RUNS, RunSummary, RunsWanted, count_runs, list_runs
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError, MissingExtra
from llm_orc.net.late_loop import in_thread

if TYPE_CHECKING:
    from llm_orc.app.wiring import App


@dataclass(frozen=True, slots=True)
class Status:
    """`default` is what an agent without a model would use now, or why there is nothing."""

    default: AgentAccess | LlmOrcError
    credentials: tuple[CredentialStatus, ...]  # for each provider what a run would use, or what prevents it
    own_ensembles: int
    packaged_ensembles: int
    broken_ensembles: int
    conversations: int
    last_conversation: ConversationSummary | None
    runs: int  # of ensembles
    chat_turns: int
    last_run: RunSummary | None
    unfinished: tuple[RunSummary, ...]  # what `resume` can finish, newest first
    waiting: tuple[RunSummary, ...]  # the runs, beside the newest of these, whose agents wait for a plan
    asking: tuple[RunSummary, ...]  # the runs that wait for a person
    batches: BatchesSeen | None  # None: there is no store yet
    untrusted: UntrustedProject | None
    protection: str | None  # how credentials are protected; None: there are none
    storage: Path
    storage_bytes: int
    today: Today | None = None  # None: the settings limit no day

    @property
    def has_access(self) -> bool:
        return not isinstance(self.default, LlmOrcError)


async def look(app: App) -> Status:
    """Examine everything on this machine; no other server is called. Raises `StorageError`."""
    default = await default_access(app)
    clis = await look_at_clis(app)
    return await in_thread(_gather, app, default, auth_status(app, None, clis))


def _gather(app: App, default: AgentAccess | LlmOrcError, access: AuthStatus) -> Status:
    listing = app.library.listing()
    own = sum(entry.place != "packaged" for entry in listing.entries)
    last = list_runs(app, limit=1)
    talks = list_conversations(app, limit=1)
    open_runs = list_runs(app, RunsWanted(statuses=("interrupted", "running")), limit=None)
    asking = list_runs(app, RunsWanted(None, statuses=("waiting",)), limit=None)
    interrupted = tuple(run for run in open_runs if run.status == "interrupted")
    return Status(
        default=default,
        credentials=access.first_of_each(),
        own_ensembles=own,
        packaged_ensembles=len(listing.entries) - own,
        broken_ensembles=len(listing.broken),
        conversations=count_conversations(app),
        last_conversation=talks[0] if talks else None,
        runs=count_runs(app, ENSEMBLE_RUNS),
        chat_turns=count_runs(app, RunsWanted("chat")),
        last_run=last[0] if last else None,
        unfinished=interrupted,
        waiting=tuple(run for run in open_runs if run.waits_until is not None and run not in interrupted[:1]),
        asking=tuple(run for run in asking if run.status == "waiting"),
        batches=_batches(app),
        untrusted=untrusted_project(app),
        protection=None if access.protection is None else access.protection.words,
        storage=app.paths.state,
        today=spent_today(app),
        storage_bytes=sum(_size(path) for path in app.paths.state.glob("*") if path.is_file()),
    )


def _batches(app: App) -> BatchesSeen | None:
    """Look at the batches, without asking a server. None: there is no store yet, or the extra is not installed."""
    if app.settings.batch.store is None and not app.paths.batches_database.exists():
        return None
    try:
        from llm_orc.app.diagnostics.batches import seen_batches  # noqa: PLC0415 - SQLite, for those with batches
    except MissingExtra:
        return None
    return seen_batches(app)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
