"""A process that works on a credential store as told, and, as told, dies in the middle of it.

Each request is carried out in a fork, so that each starts without anything in memory and may be killed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from llm_orc.auth.storage import CredentialStorage

_STEPS_IN = ("atomic.py", "private_file.py", "pathlib.py", "lock.py", "_unix.py")
_STEPS = {"open", "fdopen", "write", "flush", "fsync", "close", "__exit__", "ftruncate", "fchmod", "flock"} | {
    "mkdir",
    "replace",
    "rename",
    "unlink",
}


class StoreWorker:
    """Sends requests to the process of this module. Use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def begin(self, *step: str, die_at: int | None = None, limit_bytes: int | None = None) -> None:
        """`die_at`: kill -9 before or after the so many-th system call; `limit_bytes`: no file may become larger."""
        assert self._process.stdin is not None
        request = {"folder": str(self.folder), "step": step, "die_at": die_at, "limit_bytes": limit_bytes}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Return `killed`, and `result` or the `error` and its `state`."""
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def do(self, *step: str, die_at: int | None = None, limit_bytes: int | None = None) -> dict[str, Any]:
        self.begin(*step, die_at=die_at, limit_bytes=limit_bytes)
        return self.end()


def perform(folder: Path, step: list[str]) -> Any:
    from dataclasses import replace

    from llm_orc.auth.storage import CredentialStorage
    from llm_orc.auth.stores.key_file import KeyFile

    storage = CredentialStorage(folder / "credentials.json", KeyFile(folder / "credentials.key"))
    match step:
        case ["key", provider, account, key]:
            storage.store_api_key(provider, key, account=account)
        case ["token", provider, account, token]:
            storage.store_oauth_token(provider, token, f"refresh-{token}", account=account)
        case ["label", provider, account, label]:
            storage.update(provider, account, lambda entry: replace(entry, label=label))
        case ["count", provider, account, times]:
            for _ in range(int(times)):
                storage.update(provider, account, lambda e: replace(e, label=str(int(e.label or 0) + 1)))
        case ["activate", provider, account]:
            storage.activate(provider, account)
        case ["remove", provider, account]:
            storage.remove(provider, account)
        case ["rekey"]:
            storage.reprotect(KeyFile(folder / "credentials.key"))
        case ["list"]:
            return _seen(storage)
        case _:
            raise AssertionError(step)
    return None


def _seen(storage: CredentialStorage) -> dict[str, Any]:
    from llm_orc.auth.credential import ApiKey, OAuthToken

    found = {}
    for entry in storage.entries():
        match entry.credential:
            case ApiKey(key=secret) | OAuthToken(access_token=secret):
                found[f"{entry.provider} {entry.account}"] = [secret.reveal(), entry.label, entry.is_active]
    return {"state": storage.state.name, "entries": found, "notices": storage.notices}


def _die_at(number: int) -> None:
    left = number

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        if (
            event in {"c_call", "c_return"}
            and called.__name__ in _STEPS
            and frame.f_code.co_filename.endswith(_STEPS_IN)
        ):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def _carry_out(request: dict[str, Any], out: int) -> None:
    from llm_orc.errors import LlmOrcError

    if (limit := request["limit_bytes"]) is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if request["die_at"] is not None:
        _die_at(request["die_at"])
    try:
        answer = {"result": perform(Path(request["folder"]), request["step"])}
    except LlmOrcError as e:
        answer = {"error": f"{type(e).__name__}: {e}", "state": getattr(e, "state", None)}
    finally:
        sys.setprofile(None)
    os.write(out, json.dumps(answer).encode())


def main() -> None:
    import llm_orc.auth.storage
    import llm_orc.auth.stores.key_file
    import llm_orc.auth.stores.sealing
    import llm_orc.storage.lock  # noqa: F401 - loaded before the fork, so that only the store's own steps count

    for line in sys.stdin:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _carry_out(json.loads(line), writing)
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        answer = json.loads(said) if said else {}
        print(json.dumps({"killed": os.WIFSIGNALED(status), "crashed": not said, **answer}), flush=True)


if __name__ == "__main__":
    main()
