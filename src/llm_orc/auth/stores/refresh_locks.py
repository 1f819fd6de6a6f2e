"""What processes share beside the store: refresh locks, and cool-downs of token endpoints."""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import CredentialStoreError, StorageError
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LONGEST_COOLDOWN_S = 24 * 3600.0  # a later end means a wrong clock


@contextmanager
def hold(path: Path, what: str, *, wait_s: float, waited_s: float = 0.0, poll_s: float = 0.05) -> Iterator[None]:
    """Hold a lock or raise `CredentialStoreError`: `busy` names the process that has it, `unlockable` says why."""
    try:
        with exclusive(path, wait_s=wait_s, poll_s=poll_s) as held:
            if not held:
                pid = holder_of(path)
                who = f"process {pid}" if pid else "another process"
                total_s = wait_s + waited_s
                raise CredentialStoreError(
                    f"{what} is locked by {who}"
                    + (f", which did not finish within {total_s:g} s" if total_s else " now"),
                    state="busy",
                    hint="Try again; if that process hangs, end it, which releases the lock.",
                )
            yield
    except StorageError as e:
        raise CredentialStoreError(e.message, state="unlockable", hint=e.hint) from e


class RefreshLocks:
    """One refresh at a time for each credential, and cool-downs, as files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def refresh(self, provider: str, account: str, *, wait_s: float, waited_s: float = 0.0) -> Iterator[None]:
        what = f"the sign-in `{provider}` (account `{account}`)"
        with hold(self._file(provider, account, "lock"), what, wait_s=wait_s, waited_s=waited_s):
            yield

    def cooldown(self, provider: str, account: str, now: float) -> float | None:
        """Return when it ends (Unix seconds); None: there is none now."""
        try:
            until = float(self._file(provider, account, "cooldown").read_text("ascii"))
        except (OSError, ValueError):
            return None
        return until if now < until <= now + _LONGEST_COOLDOWN_S else None

    def set_cooldown(self, provider: str, account: str, until: float | None) -> None:
        path = self._file(provider, account, "cooldown")
        try:
            if until is None:
                path.unlink(missing_ok=True)
            else:
                write_private(path, f"{until!r}\n".encode())
        except (OSError, StorageError) as e:
            raise CredentialStoreError(
                f"can't store the cool-down of `{provider}`: {e}", state="unwritable"
            ) from e

    def _file(self, provider: str, account: str, kind: str) -> Path:
        shown = re.sub(r"[^a-z0-9]+", "-", provider.lower())[:40].strip("-")
        digest = hashlib.sha256(f"{provider}\0{account}".encode()).hexdigest()[:16]
        return self._folder / f"{shown}-{digest}.{kind}"
