"""Keep our own credential out of what a provider says: some repeat it in their errors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llm_orc.errors import LlmOrcError
    from llm_orc.net.transport import Answer

_MASK = "[credential]"
_SHORTEST = 6  # characters; less proves nothing and would blot out common words
_NO_SECRETS = frozenset({"anthropic-beta", "user-agent", "content-type", "accept"})


def credentials_in(headers: Mapping[str, str], plain: Collection[str]) -> tuple[str, ...]:
    """Return the secrets among `headers`: what stands under names not in `plain` and not known as harmless."""
    values = [v for name, v in headers.items() if name not in plain and name.lower() not in _NO_SECRETS]
    secrets = {value.rpartition(" ")[2] for value in values}
    return tuple(secret for secret in secrets if len(secret) >= _SHORTEST)


def without(secrets: Collection[str], answer: Answer) -> Answer:
    """Return the answer with every secret masked, before any excerpt of it can cut one in two."""
    body = answer.body
    for secret in secrets:
        body = body.replace(secret.encode(), _MASK.encode())
    return replace(answer, body=body)


def mask_error(secrets: Collection[str], error: LlmOrcError) -> None:
    """Mask them in what the error says, too: they may have come escaped, or in pieces."""
    for name in ("message", "hint", "provider_message"):
        text = getattr(error, name, None)
        if isinstance(text, str):
            setattr(error, name, _masked(text, secrets))
    error.args = tuple(_masked(arg, secrets) if isinstance(arg, str) else arg for arg in error.args)


def _masked(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, _MASK)
    return text
