"""An API key that its user brings; the caller has read it from a prompt, standard input, a file or a variable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.key_check import checked_key_text
from llm_orc.auth.methods.base import Login, login_with_key
from llm_orc.auth.secret import Secret

if TYPE_CHECKING:
    from llm_orc.auth.methods.base import Ask


@dataclass(frozen=True, slots=True)
class ApiKeyLogin:
    """Checks the shape only: what a key may look like is its provider's business."""

    key: Secret = field(repr=False)

    async def log_in(self, ask: Ask) -> Login:
        return login_with_key(checked_key(self.key))


def checked_key(key: Secret, where: str = "what was given", origin: str = "") -> ApiKey:
    """Return it without the white space around it. Raises `KeyMalformed`, which does not repeat the key."""
    return ApiKey(checked_key_text(key.reveal(), where, origin))
