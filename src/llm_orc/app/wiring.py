"""The one place where parts are chosen and joined: the process environment and settings in, an `App` out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.ensembles.library import Library
from llm_orc.settings.environment import ProcessEnvironment
from llm_orc.settings.load import load_settings
from llm_orc.settings.model import Settings
from llm_orc.settings.trust import TrustStore
from llm_orc.storage.paths import Paths, user_paths
from llm_orc.storage.private_file import keep_private

if TYPE_CHECKING:
    from llm_orc.conversations.store import ConversationStore
    from llm_orc.jsontypes import JsonValue
    from llm_orc.runs.journal import Journal
    from llm_orc.storage.patience import Patience


class SystemClock:
    """Real time."""

    @staticmethod
    def now() -> float:
        return time.time()

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()

    @staticmethod
    async def sleep(seconds: float) -> None:
        import asyncio  # noqa: PLC0415 - most commands wait for nothing

        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class App:
    """Everything that the functions of this room work with. Nothing is open yet."""

    environment: ProcessEnvironment
    paths: Paths
    settings: Settings
    library: Library
    trust: TrustStore
    clock: SystemClock = field(default_factory=SystemClock)
    tell: Callable[[str], None] = lambda _sentence: None  # told what is waited for, in one sentence

    def open_journal(self) -> Journal:
        """Open the record of runs; the caller closes it. Raises `StorageError`."""
        from llm_orc.runs.journal import Journal  # noqa: PLC0415 - sqlite3 only where runs are recorded or read

        return Journal(self.paths.runs_database, self._patience())

    def open_conversations(self) -> ConversationStore:
        """Open what was said in conversations; the caller closes it. Raises `StorageError`."""
        from llm_orc.conversations.store import ConversationStore  # noqa: PLC0415 - as above

        return ConversationStore(self.paths.conversations_database, self._patience())

    def _patience(self) -> Patience:
        from llm_orc.storage.patience import Patience  # noqa: PLC0415 - as above

        return Patience(tell=self.tell)

    def new_run_id(self) -> str:
        """Return an id that sorts by time and is unique: UTC second and 24 random bits."""
        return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(self.clock.now()))}-{secrets.token_hex(3)}"


def open_app(
    environment: ProcessEnvironment,
    flags: Mapping[str, JsonValue] | None = None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> App:
    """Read the settings and join the parts. Raises `SettingsError` with every problem of every file."""
    paths = user_paths(environment.environ, environment.platform, environment.home)
    for folder in (paths.state, paths.cache):
        keep_private(folder)
    settings = load_settings(paths, environment.cwd, environment.environ, flags, home=environment.home)
    return App(
        environment=environment,
        paths=paths,
        settings=settings,
        library=Library.around(environment.cwd, paths.config, environment.home),
        trust=TrustStore(paths.config / "trust.json"),
        tell=tell,
    )
