"""The data key in the operating system's keychain, accessed by a child process that can be killed."""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from llm_orc.auth.stores.keys import DataKey, KeyHeader, NewKey, Protection
from llm_orc.errors import CredentialStoreError, StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_SERVICE = "llm-orc"
_CHILD = "llm_orc.auth.stores.keychain_child"
# A keychain that failed is not tried again for a while: briefly if a store needs it, longer for a new one.
_REST_BEFORE_FIND_S = 20.0
_REST_BEFORE_CREATE_S = 15 * 60.0
# Set in a desktop session and not in a scheduled job: a failure in one says nothing about the other.
_SESSION = ("DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "PYTHON_KEYRING_BACKEND")


class Keychain:
    """Stores 32 bytes, because some keychains truncate longer items; each store has its own item, by key id.

    `cache` is a folder where failures are remembered. The child has no terminal, so it can't prompt on one; a
    desktop dialog must be answered within `limit_s`.
    """

    protection = Protection.KEYCHAIN
    notices: tuple[str, ...] = ()

    def __init__(
        self,
        cache: Path,
        *,
        environ: Mapping[str, str] = os.environ,
        limit_s: float = 3.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        session = "\0".join([sys.executable, *(environ.get(name, "") for name in _SESSION)])
        digest = hashlib.sha256(session.encode("utf-8", "surrogateescape")).hexdigest()
        self._failure = cache / f"keychain-{digest[:16]}.json"
        self._environ = environ
        self._limit_s = limit_s
        self._clock = clock

    def create(self) -> NewKey:
        self._refuse_after_failure(_REST_BEFORE_CREATE_S)
        key = DataKey.new()
        text = b64encode(key.reveal()).decode()
        self._ask("set", key.id, text)
        if self._ask("get", key.id) != text:
            with contextlib.suppress(CredentialStoreError):
                self._ask("delete", key.id)
            raise self._failed("it does not return what was stored")
        return NewKey(key, KeyHeader(key.id, Protection.KEYCHAIN))

    def find(self, header: KeyHeader) -> DataKey:
        self._refuse_after_failure(_REST_BEFORE_FIND_S)
        text = self._ask("get", header.id)
        if text is None:
            raise CredentialStoreError(
                "the keychain does not have the key of this credential store", state="wrong_key"
            )
        with contextlib.suppress(ValueError, binascii.Error):
            key = DataKey(b64decode(text, validate=True))
            if key.id == header.id:
                return key
        raise CredentialStoreError(
            "the keychain's item is not the key of this credential store", state="wrong_key"
        )

    def forget(self, header: KeyHeader) -> None:
        with contextlib.suppress(CredentialStoreError):
            self._ask("delete", header.id)  # if left behind, it decrypts nothing

    def _ask(self, do: str, user: str, value: str | None = None) -> str | None:
        if importlib.util.find_spec("keyring") is None:
            from llm_orc.errors.installing import adding  # noqa: PLC0415 - only for an error

            raise CredentialStoreError(
                "the operating system's keychain can't be used: the package `keyring` is not installed",
                state="locked",
                hint=adding("keyring"),
            )
        request = {"do": do, "service": _SERVICE, "user": user, "value": value, "limit_s": self._limit_s}
        reply = self._reply(json.dumps(request).encode())
        match reply:
            case {"value": str() | None as found}:
                self._failure.unlink(missing_ok=True)
                return found
            case {"why": "none"}:
                raise self._failed("there is none")
            case {"why": "locked"}:
                raise self._failed("it is locked")
            case _:
                raise self._failed(f"it failed ({reply.get('detail', 'unknown')})")

    def _reply(self, request: bytes) -> dict[str, Any]:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own program
                # -P: the working directory may be another person's and must not provide the module `keyring`.
                [sys.executable, "-P", "-m", _CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(self._environ),
                start_new_session=True,
            )
        except OSError as e:
            raise self._failed(f"its helper program did not start ({e.strerror or e})") from e
        with _ended(child):
            try:
                out, _ = child.communicate(request, timeout=self._limit_s)
            except subprocess.TimeoutExpired:
                raise self._failed(f"it did not answer within {self._limit_s:g} s") from None
        try:
            reply = json.loads(out)
        except ValueError:
            reply = None
        return reply if isinstance(reply, dict) else {}

    def _refuse_after_failure(self, rest_s: float) -> None:
        try:
            failure = json.loads(self._failure.read_bytes())
            why, at = str(failure["why"]), float(failure["at"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        if 0 <= self._clock() - at < rest_s:
            raise _unusable(f"{why}, {self._clock() - at:.0f} s ago")

    def _failed(self, why: str) -> CredentialStoreError:
        with contextlib.suppress(StorageError):
            write_private(self._failure, json.dumps({"why": why, "at": self._clock()}).encode())
        return _unusable(why)


def _unusable(why: str) -> CredentialStoreError:
    return CredentialStoreError(
        f"the operating system's keychain can't be used now: {why}",
        state="locked",
        hint="Unlock it and try again; over SSH or in a container there may be no keychain.",
    )


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a child that did not end by itself, and its child processes. Daemons that it started stay."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if child.poll() is None:
                _kill(child)
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)
