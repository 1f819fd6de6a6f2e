"""The variables that any program needs: an allow-list, so that no other key or address is passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "TMPDIR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"),
        *_PROXIES,
        *(name.lower() for name in _PROXIES),
    }
)
_PREFIXES = ("LC_", "XDG_")
# Windows looks names up in any case, and little starts there without these.
_WINDOWS = frozenset(
    {
        *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TEMP", "TMP", "APPDATA", "LOCALAPPDATA"),
        *("PROGRAMDATA", "PROGRAMFILES", "USERPROFILE", "USERNAME", "HOMEDRIVE", "HOMEPATH", "PATH"),
    }
)


def is_needed(name: str) -> bool:
    """Return whether any program may need this variable."""
    return name in _NAMES or name.startswith(_PREFIXES) or name.upper() in _WINDOWS


def basic_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what any program needs. A proxy with a password in its address is left out."""
    return {
        name: value
        for name, value in environ.items()
        if is_needed(name) and not (name.upper() in _PROXIES and "@" in value)
    }
