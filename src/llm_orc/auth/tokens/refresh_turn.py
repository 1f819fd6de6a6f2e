"""Refresh a sign-in in one process at a time, with a time limit and a notice while waiting."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_orc.errors import CredentialStoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llm_orc.auth.storage import CredentialStorage

_LONGEST_S, _NOTICE_S, _POLL_S = 60.0, 2.0, 0.02


@asynccontextmanager
async def refresh_turn(
    storage: CredentialStorage,
    provider: str,
    account: str,
    tell: Callable[[str], None],
    *,
    notice_s: float = _NOTICE_S,
) -> AsyncIterator[None]:
    """Hold the credential's lock across awaits. It waits here, without blocking a thread.

    Raises `CredentialStoreError` of state `busy` after a minute, and reports after `notice_s` that it is waiting.
    """
    now = asyncio.get_running_loop().time
    began, has_told = now(), False
    while True:
        lock = storage.refresh_lock(provider, account, wait_s=0.0, waited_s=_LONGEST_S)
        try:
            await asyncio.to_thread(lock.__enter__)
            break
        except CredentialStoreError as e:
            waited_s = now() - began
            if e.state != "busy" or waited_s >= _LONGEST_S:
                raise
        if waited_s >= notice_s and not has_told:
            has_told = True
            tell(f"Waiting for another process that is refreshing the sign-in `{provider}`.")
        await asyncio.sleep(_POLL_S)
    try:
        yield
    finally:
        await asyncio.to_thread(lock.__exit__, None, None, None)
