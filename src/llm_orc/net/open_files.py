"""How many connections may be open at once: limited by the open files that the system allows this process."""

from __future__ import annotations

import sys

_RESERVED = 100  # journal, terminal, pipes of child processes, the event loop's own
_FEWEST = 16
_WANTED = 65_536  # more open files than this have no benefit and cost kernel tables
_WINDOWS = 500  # its event loop reports no limit; this many sockets are known to work


def raise_open_files() -> int:
    """Raise the soft limit of open files as far as allowed; return how many connections may be open at once."""
    if sys.platform == "win32":
        return _WINDOWS
    import resource  # noqa: PLC0415 - does not exist on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    top = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    # macOS may report an unlimited hard limit and still refuse more than its kernel's maximum.
    for limit in (top, 10_240, 4_096):
        if soft == resource.RLIM_INFINITY or limit <= soft or limit > top:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            continue
        soft = limit
    usable = _WANTED if soft == resource.RLIM_INFINITY else soft
    return max(_FEWEST, usable - _RESERVED)
