"""When this process started, according to the system: earlier than Python could read a clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

_LOADED_AT = time.time()
_START_TICKS = 19  # the field of proc(5) `stat`, counted behind the program's name


def started_at() -> float:
    """Return it in Unix seconds; without such a record, the time when this module was loaded."""
    try:
        stat = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(stat[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return _LOADED_AT
    return min(_LOADED_AT, time.time() - age_s)
