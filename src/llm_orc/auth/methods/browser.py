"""Whether a browser can be opened here, told from the environment alone."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# They would take over the terminal, and can't show a modern sign-in page.
CONSOLE_BROWSERS = frozenset(
    {"browsh", "carbonyl", "chawan", "elinks", "links", "links2", "lynx", "netrik", "retawq", "w3m", "www-browser"}
)
_OPENERS = (
    "xdg-open",
    "gio",
    "wslview",
    "x-www-browser",
    "firefox",
    "google-chrome",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
    "brave-browser",
    "epiphany",
    "konqueror",
)
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES", "REMOTE_CONTAINERS")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")


@dataclass(frozen=True, slots=True)
class BrowserChances:
    """`may_open`: try to open one. `offers_paste`: its redirect may not reach us, so ask for a paste at once."""

    may_open: bool
    offers_paste: bool
    reason: str = ""  # why not, to be shown


def browser_chances(
    environ: Mapping[str, str],
    platform: str,
    which: Callable[[str], str | None],
    exists: Callable[[str], bool],
) -> BrowserChances:
    """Decide from `os.environ`, `sys.platform`, `shutil.which` and `os.path.exists`, which are passed in."""
    named = [entry for entry in environ.get("BROWSER", "").split(":") if entry.strip()]
    away = _why_away(environ, exists)
    if named:
        if all(is_console_browser(entry) for entry in named):
            return BrowserChances(False, True, f"`{named[0]}` (from `BROWSER`) can't show the sign-in page")
        # It was chosen, so it works from here: editors set it to reach the browser on the user's own machine.
        return BrowserChances(True, bool(away), away)
    if away:
        return BrowserChances(False, True, away)
    if platform in {"darwin", "win32", "cygwin"}:
        return BrowserChances(True, False)
    return _on_unix(environ, which)


def is_console_browser(command: str) -> bool:
    """`command` as in `BROWSER`: a path and arguments are allowed."""
    words = command.split()
    return bool(words) and PurePath(words[0]).name.removesuffix(".exe").lower() in CONSOLE_BROWSERS


def _why_away(environ: Mapping[str, str], exists: Callable[[str], bool]) -> str:
    if any(environ.get(name) for name in _REMOTE):
        return "this is a remote session (SSH)"
    if any(environ.get(name) for name in _CONTAINER_VARIABLES) or any(map(exists, _CONTAINER_FILES)):
        return "this is a container"
    return ""


def _on_unix(environ: Mapping[str, str], which: Callable[[str], str | None]) -> BrowserChances:
    is_wsl = bool(environ.get("WSL_DISTRO_NAME") or environ.get("WSL_INTEROP"))
    if not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY") or (is_wsl and which("wslview"))):
        return BrowserChances(False, True, "there is no graphical display")
    if not any(which(opener) for opener in _OPENERS):
        return BrowserChances(False, True, "no browser was found")
    # In WSL the browser is that of Windows; whether its loopback reaches ours depends on the network mode.
    return BrowserChances(True, is_wsl)
