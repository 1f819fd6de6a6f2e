"""What people type who know other programs, or earlier releases, and the command here. Only errors read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST = 3  # words of a key below


def command_for(path: Sequence[str], typed: Sequence[str]) -> str | None:
    """Return the words of the command that does what the words `typed` do elsewhere; None: there is none.

    `path` has the group that they were typed in; it is empty for the program itself.
    """
    for length in range(min(len(typed), _LONGEST), 0, -1):
        if found := OTHER_WORDS.get(" ".join([*path, *typed[:length]])):
            return found
    if typed[:1] == ["ls"] and path:
        return " ".join([*path, "list"])
    return None


OTHER_WORDS: Mapping[str, str] = {
    # running
    "run": "invoke",
    "exec": "invoke",
    "prompt": "ask",
    "query": "ask",
    "repl": "chat",
    "again": "runs retry last",
    "retry": "runs retry last",
    "continue": "resume last",
    # earlier runs
    "history": "runs list",
    "logs": "runs list",
    "log": "runs list",
    "logs list": "runs list",
    "ps": "runs list",
    "last": "runs show last",
    "show": "runs show last",
    "diff": "runs diff",
    "export": "runs export",
    "chats": "conversations list",
    "sessions": "conversations list",
    "threads": "conversations list",
    "batches": "batch list",
    # what there is
    "list": "list-ensembles",
    "ls": "list-ensembles",
    "list ensembles": "list-ensembles",
    "list profiles": "list-profiles",
    "list models": "models list",
    "list runs": "runs list",
    "ensembles": "list-ensembles",
    "ensembles list": "list-ensembles",
    "templates": "library list",
    "profiles": "list-profiles",
    "profiles list": "list-profiles",
    "aliases": "list-profiles",
    "providers": "setup --list",
    "info": "status",
    "whoami": "auth status",
    "usage": "status",
    "cost": "status",
    # checking
    "validate": "check",
    "lint": "check",
    "test": "check",
    "diagnose": "doctor",
    # setting up
    "configure": "setup",
    "settings": "config show",
    "set": "config set",
    "get": "config get",
    "config list": "config show",
    "config edit": "config path",
    "config init": "setup",
    "config check": "doctor",
    "init": "new",
    "create": "new",
    "completions": "completion",
    "login": "auth add",
    "logout": "auth logout",
    "keys": "auth list",
    "key": "auth list",
    "keys list": "auth list",
    "keys set": "auth add",
    "auth login": "auth add",
    "auth set": "auth add",
    "auth setup": "setup",
    "auth keys": "auth list",
    "auth whoami": "auth status",
    "library browse": "library list",
    "library copy": "new --from",
    "man": "help",
    # one letter or two, in earlier releases
    "i": "invoke",
    "a": "auth",
    "c": "config",
    "l": "library",
    "h": "help",
    "le": "list-ensembles",
    "lp": "list-profiles",
}
