"""The program that talks to the keychain: one request on standard input, one reply on standard output.

A separate process, because a keychain that hangs can't be interrupted from within. It loads none of our code.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

# These keep entries unprotected in a file, or nowhere at all.
_NO_KEYCHAIN = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return `value` and the `backend`, or `why` not: a keyword, never a backend's own text."""
    try:
        import keyring  # noqa: PLC0415
        from keyring import errors  # noqa: PLC0415
    except Exception as e:  # noqa: BLE001 - a backend's import may run any code
        return {"why": "failed", "detail": type(e).__name__}
    try:
        chosen = keyring.get_keyring()
        backend = type(chosen).__module__
        if backend.startswith(_NO_KEYCHAIN):
            return {"why": "none"}
        return {"value": _perform(chosen, request), "backend": backend}
    except (errors.KeyringLocked, errors.InitError):
        return {"why": "locked"}
    except errors.NoKeyringError:
        return {"why": "none"}
    except Exception as e:  # noqa: BLE001 - its text may quote the secret, so only its type is reported
        return {"why": "failed", "detail": type(e).__name__}


def _perform(chosen: Any, request: dict[str, Any]) -> str | None:
    service, user = request["service"], request["user"]
    match request["do"]:
        case "set":
            chosen.set_password(service, user, request["value"])
        case "delete":
            if chosen.get_password(service, user) is not None:
                chosen.delete_password(service, user)
        case _:
            value: str | None = chosen.get_password(service, user)
            return value
    return None


def main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)  # a backend's output is not a reply
    request = json.loads(sys.stdin.buffer.read())
    if hasattr(signal, "alarm"):
        signal.alarm(int(request["limit_s"]) + 2)  # in case the parent that would end us is killed first
    with os.fdopen(replies, "w", encoding="utf-8") as out:
        json.dump(answer(request), out)
    os._exit(0)  # a backend's threads or exit handlers may hang


if __name__ == "__main__":
    main()
