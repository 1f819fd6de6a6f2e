"""The environment of an official CLI: built from an allow-list, never by removing variables.

A key, an address or a cloud switch that the list does not name can't move the child to another account or bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.redact import remember_secret_values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "TMPDIR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DBUS_SESSION_BUS_ADDRESS"),
        *(
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
            "no_proxy",
        ),
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


def child_env(environ: Mapping[str, str], also: Collection[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Return the child's environment: what any program needs, `also` if set, and `fixed`, which overrides all."""
    seen = {
        name: value
        for name, value in environ.items()
        if name in _NAMES or name in also or name.startswith(_PREFIXES) or name.upper() in _WINDOWS
    }
    child = {**seen, **fixed}
    remember_secret_values({name: seen[name] for name in seen.keys() & set(also)})
    return child
