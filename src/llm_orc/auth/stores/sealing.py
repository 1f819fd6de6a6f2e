"""Encrypt and decrypt single entries: AES-256-GCM, bound to the format's version, the key and the slot."""

from __future__ import annotations

import binascii
import hmac
import json
import os
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, final

from llm_orc.auth.stores.envelope import FORMAT, VERSION

if TYPE_CHECKING:
    from llm_orc.auth.stores.keys import DataKey
    from llm_orc.jsontypes import JsonValue

_NONCE_BYTES = 12  # random: safe for 2**32 entries under one key (NIST SP 800-38D §8.3)


class Damaged(Exception):
    """The entry was not encrypted with this key for this slot, or was changed since."""


@final
class Sealer:
    """Encrypts with one data key. The first one loads `cryptography`, so that help and imports stay fast."""

    __slots__ = ("_aead", "_slot_key", "key_id")

    def __init__(self, key: DataKey) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        self.key_id = key.id
        self._aead = AESGCM(key.derive("entries"))
        self._slot_key = key.derive("slots")

    def slot(self, provider: str, account: str) -> str:
        digest = hmac.digest(self._slot_key, f"{provider}\0{account}".encode(), "sha256")
        return f"{provider}/{digest[:12].hex()}"

    def seal(self, slot: str, payload: dict[str, JsonValue]) -> JsonValue:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, json.dumps(payload).encode(), self._bound_to(slot))
        return {"nonce": b64encode(nonce).decode(), "ciphertext": b64encode(sealed).decode()}

    def open(self, slot: str, sealed: JsonValue) -> dict[str, JsonValue]:
        """Decrypt. Raises `Damaged`, without any decrypted data in its message or cause."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        if not isinstance(sealed, dict):
            raise Damaged
        try:
            nonce = b64decode(str(sealed["nonce"]), validate=True)
            text = self._aead.decrypt(
                nonce, b64decode(str(sealed["ciphertext"]), validate=True), self._bound_to(slot)
            )
            payload = json.loads(text)
        except (KeyError, ValueError, binascii.Error, InvalidTag):
            raise Damaged from None
        if not isinstance(payload, dict):
            raise Damaged
        return payload

    def _bound_to(self, slot: str) -> bytes:
        return f"{FORMAT}\n{VERSION}\n{self.key_id}\n{slot}".encode()
