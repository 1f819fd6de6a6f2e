"""The store of one sign-in, as tests and the processes that they start open it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from llm_orc.auth.storage import CredentialStorage
from llm_orc.auth.stores.key_file import KeyFile

PROVIDER = "pretend"


def open_storage(folder: Path, clock: Callable[[], float] = time.time) -> CredentialStorage:
    return CredentialStorage(folder / "credentials.json", KeyFile(folder / "credentials.key"), clock=clock)
