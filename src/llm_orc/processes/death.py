"""What ends our child processes if we are killed and can't end them ourselves.

`dying_with_us` is a prefix of a command line, for Linux: it ends the process, but not those that it has started.
The `Guard` ends whole process groups on all POSIX systems: it is a shell whose standard input closes when we die.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

# Ends the child if we are killed: the only tool that needs no code between fork and exec.
_SETPRIV = ("/usr/bin/setpriv", "--pdeathsig", "TERM", "--")
_GUARD = """
while read -r what group; do
  rest=
  for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done
  groups=$rest
  [ "$what" = + ] && groups="$groups $group"
done
for one in $groups; do kill -KILL "-$one" 2>/dev/null; done
"""


@cache
def dying_with_us() -> tuple[str, ...]:
    """Return what to put before a command so that it ends if we are killed; empty where there is nothing."""
    if sys.platform != "linux" or not Path(_SETPRIV[0]).exists():
        return ()
    tried = subprocess.run([*_SETPRIV, "true"], capture_output=True, check=False)  # noqa: S603 - fixed; 2 ms
    return _SETPRIV if tried.returncode == 0 else ()


class Guard:
    """Ends the process groups that it knows if this process dies. Where it can't be started, nothing does.

    One for each process of ours; it starts with the first group, and takes 1 MB of memory.
    """

    def __init__(self) -> None:
        self._shell: subprocess.Popen[bytes] | None = None
        self._of = 0

    def get_ready(self) -> None:
        """Start it, if it isn't there: before a process is, so that `add` can follow at once."""
        if sys.platform != "win32" and (self._shell is None or self._of != os.getpid()):
            self._shell, self._of = _started(), os.getpid()
            atexit.register(self._end)

    def add(self, group: int) -> None:
        self._tell(b"+ %d\n" % group)

    def remove(self, group: int) -> None:
        self._tell(b"- %d\n" % group)

    def _end(self) -> None:
        if self._shell is not None and self._of == os.getpid():
            self._shell.communicate()

    def _tell(self, line: bytes) -> None:
        pipe = self._shell.stdin if self._shell is not None and self._of == os.getpid() else None
        if pipe is not None:
            with suppress(OSError):
                os.write(pipe.fileno(), line)


GUARD = Guard()


def _started() -> subprocess.Popen[bytes] | None:
    with suppress(OSError):
        return subprocess.Popen(  # noqa: S603 - fixed
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            start_new_session=True,
        )
    return None
