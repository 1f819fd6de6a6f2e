"""Short hashes that stand for a secret or a sign-in where neither may be written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_orc.auth.credential import OAuthToken
    from llm_orc.auth.secret import Secret


def hash_of(secret: Secret) -> str:
    """Return what identifies a secret in marks: SHA-256, hexadecimal."""
    return hashlib.sha256(secret.reveal().encode()).hexdigest()


def lasting_secret(token: OAuthToken) -> Secret:
    """Return what identifies a sign-in: its refresh token, else the access token."""
    return token.refresh_token or token.access_token
