"""The one place where parts are chosen and joined: surroundings and settings in, an `App` out."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.ensembles.library import Library
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process finds around it. Its `repr` hides the environment, which may hold keys."""

    environ: Mapping[str, str] = field(repr=False)
    platform: str  # `sys.platform`
    home: Path
    cwd: Path

    @classmethod
    def here(cls) -> Surroundings:
        return cls(environ=dict(os.environ), platform=sys.platform, home=Path.home(), cwd=Path.cwd())


class SystemClock:
    """Real time."""

    @staticmethod
    def now() -> float:
        return time.time()

    @staticmethod
    def monotonic() -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class App:
    """Everything that the functions of this room work with. Nothing is open yet."""

    surroundings: Surroundings
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
    surroundings: Surroundings,
    flags: Mapping[str, JsonValue] | None = None,
    tell: Callable[[str], None] = lambda _sentence: None,
) -> App:
    """Read the settings and join the parts. Raises `SettingsError` with every problem of every file."""
    paths = user_paths(surroundings.environ, surroundings.platform, surroundings.home)
    for folder in (paths.state, paths.cache):
        keep_private(folder)
    settings = load_settings(paths, surroundings.cwd, surroundings.environ, flags, home=surroundings.home)
    return App(
        surroundings=surroundings,
        paths=paths,
        settings=settings,
        library=Library.around(surroundings.cwd, paths.config, surroundings.home),
        trust=TrustStore(paths.config / "trust.json"),
        tell=tell,
    )
