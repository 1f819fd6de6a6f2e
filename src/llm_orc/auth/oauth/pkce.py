"""Proof Key for Code Exchange (RFC 7636): ties the login page to the token request."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING

from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

_VERIFIER_BYTES = 32  # 256 bits, as §7.1 asks; 43 characters


@dataclass(frozen=True, slots=True)
class Pkce:
    verifier: Secret  # 43 unreserved characters; kept until the token request
    challenge: str  # base64url(sha256(verifier)); shown to the login page


def new_pkce(random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> Pkce:
    """Return a fresh S256 pair (§4.1, §4.2). `plain` is never offered (§7.2)."""
    verifier = base64url(random_bytes(_VERIFIER_BYTES))
    return Pkce(Secret(verifier), challenge_of(verifier))


def challenge_of(verifier: str) -> str:
    """The S256 transformation (§4.2)."""
    return base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def base64url(data: bytes) -> str:
    """Without padding, as appendix A has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
