"""An API key that its user brings; the caller has read it from a prompt, standard input, a file or a variable."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_orc.auth.credential import ApiKey
from llm_orc.auth.methods.base import Login, login_with_key
from llm_orc.auth.secret import Secret
from llm_orc.errors import LoginFailed

if TYPE_CHECKING:
    from llm_orc.auth.methods.base import Ask

_LONGEST_KEY = 8192  # characters; what servers take in one header


@dataclass(frozen=True, slots=True)
class ApiKeyLogin:
    """Checks the shape only: what a key may look like is its provider's business."""

    key: Secret = field(repr=False)

    async def log_in(self, ask: Ask) -> Login:
        return login_with_key(checked_key(self.key))


def checked_key(key: Secret) -> ApiKey:
    """Return it without the white space around it. Raises `LoginFailed`, which does not repeat the key."""
    text = key.reveal().removeprefix("\ufeff").strip()
    if problem := _problem_of(text):
        raise LoginFailed(
            f"That is no API key: {problem}.", hint="Give the key alone, on one line.", error="bad_key"
        )
    return ApiKey(Secret(text))


def _problem_of(text: str) -> str:
    problems = (
        (not text, "it is empty"),
        (len(text.splitlines()) > 1, "it has more than one line"),
        (any(c.isspace() for c in text), "it has a space in it"),
        (not text.isascii() or not text.isprintable(), "it holds characters that can't be sent"),
        (len(text) > _LONGEST_KEY, f"it is longer than {_LONGEST_KEY} characters"),
    )
    return next((words for is_bad, words in problems if is_bad), "")
