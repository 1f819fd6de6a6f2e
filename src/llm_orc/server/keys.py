"""The keys of a server's clients, from a file of its owner: one for each line."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.providers.redact import remember_secret_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SHORTEST = 16  # characters: a shorter key can be guessed
_LARGEST_FILE = 1_000_000  # bytes
_LONGEST_NAME = 40  # characters
_MAKE_ONE = "Make one: `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`."


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A key by its digest: the key itself is not kept. `name` is its line's, for the log and for what is kept
    of the client: a new key with the name of an old one is the same client.
    """

    name: str
    digest: bytes


class ClientKeys:
    """Tells clients by their keys. None at all: nobody is asked for one."""

    def __init__(self, keys: Sequence[ClientKey] = ()) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def name_of(self, headers: Mapping[str, str]) -> str | None:
        """Return the name of the client whose key the request has; None: it has none of them.

        Every key is compared, each in constant time, so that the time tells nothing about any of them.
        """
        digest = sha256(_given(headers).encode("utf-8", "surrogateescape")).digest()
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key.name
        return found


def _given(headers: Mapping[str, str]) -> str:
    """Return the key of a request, as clients of OpenAI (RFC 6750) or of Anthropic send it."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("X-Api-Key", "")


def read_keys(file: Path) -> ClientKeys:
    """Read a file with a key on each line, perhaps with a name for the log behind it; `#` begins a comment.

    Raises `InputError` for a file that can't be read or has no key, or a key that can be guessed.
    """
    try:
        text = file.read_bytes()[:_LARGEST_FILE].decode()
    except OSError as e:
        raise InputError(f"can't read the keys in `{file}`: {e.strerror or e}") from e
    except UnicodeDecodeError:
        raise InputError(f"can't read the keys in `{file}`: it is no text") from None
    keys: list[ClientKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split(maxsplit=1)
        if not words:
            continue
        if len(words[0]) < _SHORTEST:
            raise InputError(
                f"the key on line {number} of `{file}` has fewer than {_SHORTEST} characters", hint=_MAKE_ONE
            )
        digest = sha256(words[0].encode()).digest()
        name = words[1].strip() if len(words) > 1 else f"key-{digest.hex()[:8]}"
        if not name.isprintable() or "/" in name or len(name) > _LONGEST_NAME:
            raise InputError(
                f"the name on line {number} of `{file}` can't be one",
                hint=f"Use at most {_LONGEST_NAME} characters that can be shown, without `/`.",
            )
        remember_secret_values({f"key-{number}": words[0]})
        keys.append(ClientKey(name, digest))
    if not keys:
        raise InputError(f"the file `{file}` has no keys", hint=_MAKE_ONE)
    return ClientKeys(keys)
