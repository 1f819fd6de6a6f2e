"""What a token command writes: the bare token, or JSON with the token and the time when it ends."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import TYPE_CHECKING

from llm_orc.auth.key_check import checked_key_bytes, checked_key_text
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass
from llm_orc.errors import TokenCommandFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOKENS = ("token", "access_token", "accessToken")
# Azure's program writes both of the last: `expiresOn` is local time without a zone.
_LOCAL = "expiresOn"
_ENDS = ("expires_at", "expiresAt", "expiration", "Expiration", "expirationTimestamp", "expires_on", _LOCAL)
_LASTS = ("expires_in", "expiresIn")
_MILLISECONDS = 1e11  # seconds until the year 5138; a larger number counts milliseconds


@dataclass(frozen=True, slots=True)
class CommandToken:
    """`ends_at` is in Unix seconds by our clock; None: the command did not say."""

    secret: Secret
    ends_at: float | None


def read_output(data: bytes, where: str, origin: str, now: float) -> CommandToken:
    """Return the token in the output of `where`, which is to be sent to `origin`.

    JSON may be as AWS (`Expiration`), `az` (`accessToken`, `expires_on`), `gcloud` (`token`) and kubectl's
    `ExecCredential` (`status.token`, `status.expirationTimestamp`) write it. Raises `KeyMalformed` for what can't
    be a token, `TokenCommandFailed` for JSON without one, or one that has ended.
    """
    if not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return CommandToken(checked_key_bytes(data, where, origin), None)
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise TokenCommandFailed(f"{where} starts like JSON and is none", hint=_HINT) from None
    status = found.get("status")
    fields: Mapping[str, object] = status if isinstance(status, dict) else found
    text = next((value for name in _TOKENS if isinstance(value := fields.get(name), str) and value), None)
    if text is None:
        raise TokenCommandFailed(f"{where} is JSON without a token", hint=_HINT)
    ends_at = next(_ends(fields, now), None)
    if ends_at is not None and ends_at <= now:
        raise TokenCommandFailed(
            f"{where} is a token that ended {now - ends_at:.0f} s ago", hint="Check this machine's clock."
        )
    return CommandToken(checked_key_text(text, f"the token in {where}", origin), ends_at)


_HINT = (
    "It must write the bare token, or JSON with `token` or `access_token`, and maybe `expires_at` or `expires_in`."
)


def _ends(fields: Mapping[str, object], now: float) -> Iterator[float]:
    for name in _ENDS:
        if (moment := _moment(fields.get(name), may_be_local=name == _LOCAL)) is not None:
            yield moment
    for name in _LASTS:
        if (seconds := _number(fields.get(name))) is not None:
            yield now + seconds


def _moment(value: object, *, may_be_local: bool) -> float | None:
    """Return a time in Unix seconds, from a number or from text as in RFC 3339; None: it can't be read.

    A time without a zone may be anywhere's, unless it `may_be_local`.
    """
    number = _number(value)
    if number is not None:
        return number / 1000 if number > _MILLISECONDS else number
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.timestamp() if may_be_local or moment.tzinfo is not None else None
    except (ValueError, OverflowError, OSError):
        return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number > 0 else None
