"""Backends for the real `keyring` package, chosen by PYTHON_KEYRING_BACKEND: keychains of all tempers.

`FAKE_KEYRING_FILE` names the file in which they keep their items; each call is noted in `<file>.calls`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class Working(KeyringBackend):
    """Keeps what it is given."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._file = Path(os.environ["FAKE_KEYRING_FILE"])

    def get_password(self, service: str, username: str) -> str | None:
        self._note("get")
        found: str | None = self._items().get(f"{service} {username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._note("set")
        self._file.write_text(json.dumps({**self._items(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        self._note("delete")
        items = self._items()
        del items[f"{service} {username}"]
        self._file.write_text(json.dumps(items))

    def _items(self) -> dict[str, str]:
        items: dict[str, str] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return items

    def _note(self, call: str) -> None:
        with Path(f"{self._file}.calls").open("a") as calls:
            calls.write(f"{call} {os.getpid()}\n")


class Talkative(Working):
    """Prints what nobody asked for."""

    def get_password(self, service: str, username: str) -> str | None:
        print("welcome to your keychain!", flush=True)
        return super().get_password(service, username)


class Cutting(Working):
    """Keeps only the beginning of an item."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:10])


class Forgetful(Working):
    """Says that it keeps an item, and does not."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self._note("set")


class Locked(Working):
    """Waits for somebody to unlock it."""

    def get_password(self, service: str, username: str) -> str | None:
        self._note("get")
        raise KeyringLocked("unlock me")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.get_password(service, username)


class Quoting(Locked):
    """Fails, and repeats the secret in its error."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"can't store {password}")


class Hanging(Working):
    """Never answers, nor does a program that it started."""

    def get_password(self, service: str, username: str) -> str | None:
        self._note("get")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with Path(f"{self._file}.calls").open("a") as calls:
            calls.write(f"child {child.pid}\n")
        time.sleep(600)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        self.get_password(service, username)
