"""How failed calls are tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from llm_orc.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is tried again at `most`; `sleep` waits before it for seconds, which `jitter` spreads."""

    most: int = 4
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
