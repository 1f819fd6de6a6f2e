"""An API key that the user enters; the caller read it from a prompt, standard input, a file or a variable."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.key_check import checked_key_text
from llm_orc.auth.methods.base import Login, login_with_key
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from llm_orc.auth.methods.base import Ask


@dataclass(frozen=True, slots=True)
class ApiKeyLogin:
    """Checks only what holds for all providers' keys."""

    key: Secret = field(repr=False)

    async def log_in(self, ask: Ask) -> Login:
        return login_with_key(checked_key(self.key))


def checked_key(key: Secret, where: str = "the given value", origin: str = "") -> ApiKey:
    """Return the key without surrounding whitespace. Raises `KeyMalformed`, which does not repeat it."""
    return ApiKey(checked_key_text(key.reveal(), where, origin))
