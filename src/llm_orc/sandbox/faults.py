"""Faults on demand: which requests each one hits, and its effect on them."""

from __future__ import annotations

from dataclasses import fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.sandbox.refusals import SIGNATURES, SignatureName
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.protocols.chat_request import ChatRequest

Met_contra = TypeVar("Met_contra", contravariant=True)
Done_co = TypeVar("Done_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP error in the dialect's own format, or with `body` as it is."""

    status: int = 500
    retry_after_s: float | None = None
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Nothing is sent, not even headers, for `seconds`; then the answer is normal."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class SlowHeaders:
    """The headers are sent a few bytes at a time, over `seconds`; then the answer is normal."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Drip:
    """The body is sent a few bytes at a time, split within events and characters, with pauses between."""

    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed after this many tokens of the answer."""

    tokens: int = 3


@dataclass(frozen=True, slots=True)
class Hang:
    """After this many tokens nothing more is sent, and the connection stays open. None: no headers either."""

    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """After this many tokens the stream ends with an error. A whole reply is that error, with status 200."""

    tokens: int = 3


@dataclass(frozen=True, slots=True)
class Garbage:
    """Status 200 with something other than a reply, as from a captive portal."""

    body: str = "<!doctype html><title>Sign in</title><p>Please sign in to this network.</p>"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declines to answer, in the dialect's own form."""


@dataclass(frozen=True, slots=True)
class MaxTokens:
    """The answer ends after this many tokens, as if the token limit had been reached."""

    tokens: int = 3


@dataclass(frozen=True, slots=True)
class RefusalSignature:
    """The call is refused in the known words of a provider; `SIGNATURES` has the names.

    With `tokens`, a stream is: after so many tokens of the answer.
    """

    signature: SignatureName = "claude_code_only"
    tokens: int | None = None


Effect = (
    Status
    | Delay
    | SlowHeaders
    | Drip
    | Cut
    | Hang
    | ErrorEvent
    | Garbage
    | Refusal
    | MaxTokens
    | RefusalSignature
)


@dataclass(frozen=True, slots=True)
class Fault:
    """An effect and its requests: of the matching ones, the first `after` pass and the next `times` are hit.

    `model` is a glob; `contains` is searched in the system prompt and all messages. `times` None: all that follow.
    """

    effect: Effect
    model: str = "*"
    contains: str = ""
    times: int | None = None
    after: int = 0

    def matches(self, asked: ChatRequest) -> bool:
        return fnmatchcase(asked.model, self.model) and self.contains in asked.input_text


class Planned(Protocol[Met_contra, Done_co]):
    """The part of a fault that a plan needs."""

    @property
    def effect(self) -> Done_co: ...
    @property
    def times(self) -> int | None: ...
    @property
    def after(self) -> int: ...
    def matches(self, asked: Met_contra) -> bool: ...


class FaultPlan(Generic[Met_contra, Done_co]):
    """Assigns faults to requests in order of arrival. A request gets at most one fault: the first that matches."""

    def __init__(self, faults: Sequence[Planned[Met_contra, Done_co]]) -> None:
        self._faults = list(faults)
        self._met = [0] * len(self._faults)

    def add(self, fault: Planned[Met_contra, Done_co]) -> None:
        """Add a fault after the others; its `after` counts requests from now on."""
        self._faults.append(fault)
        self._met.append(0)

    def next_for(self, asked: Met_contra) -> Done_co | None:
        for index, fault in enumerate(self._faults):
            if not fault.matches(asked):
                continue
            last = None if fault.times is None else fault.after + fault.times
            if last is not None and self._met[index] >= last:
                continue
            self._met[index] += 1
            if self._met[index] > fault.after:
                return fault.effect
        return None


_KINDS: Mapping[str, type[Effect]] = {
    "status": Status,
    "delay": Delay,
    "slow_headers": SlowHeaders,
    "drip": Drip,
    "cut": Cut,
    "hang": Hang,
    "error_event": ErrorEvent,
    "garbage": Garbage,
    "refusal": Refusal,
    "max_tokens": MaxTokens,
    "refusal_signature": RefusalSignature,
}
_EXAMPLE = "write it like `status=429,times=2,retry_after=1,model=slow-*`"
_NUMBERS = {"status": (200, 599), "tokens": (0, 1_000_000), "times": (1, 1_000_000), "after": (0, 1_000_000)}
_SECONDS = {"seconds", "pause_s", "retry_after_s"}
_SPELLINGS = {"retry_after_s": "retry_after"}
_KEYS = {spelled: key for key, spelled in _SPELLINGS.items()}


def parse_fault(text: str) -> Fault:
    """Read one fault: a kind, perhaps with its main value, then `key=value` pairs, all separated by commas.

    The kinds: `status=CODE`, `delay=SECONDS`, `slow_headers=SECONDS`, `drip=SECONDS`, `cut=TOKENS`, `hang=TOKENS`,
    `error_event=TOKENS`, `garbage=BODY`, `refusal`, `max_tokens=TOKENS`, `refusal_signature=NAME`. The keys:
    `model`, `contains`, `times`, `after`, and with `status` also `retry_after` and `body`. Raises `InputError`.
    """
    first, *rest = (part.strip() for part in text.split(","))
    kind = first.partition("=")[0]
    if kind not in _KINDS:
        raise InputError(
            f"the fault `{text}` starts with `{kind}`, which is no kind of fault",
            hint=did_you_mean(kind, _KINDS) or f"Kinds: {', '.join(_KINDS)}.",
        )
    effect_keys = [field.name for field in fields(_KINDS[kind])]
    keys = [field.name for field in fields(Fault) if field.name != "effect"] + effect_keys
    values = _main_value(text, first, effect_keys)
    for part in rest:
        spelled, _, value = part.partition("=")
        key = _KEYS.get(spelled, spelled)
        if key not in keys:
            known = [_SPELLINGS.get(name, name) for name in keys]
            raise InputError(
                f"the fault `{text}`: `{kind}` has no key `{spelled}`",
                hint=did_you_mean(spelled, known) or f"Keys: {', '.join(known)}.",
            )
        if key in values:
            raise InputError(f"the fault `{text}` says `{spelled}` twice", hint=_EXAMPLE)
        values[key] = _checked(text, spelled, key, value)
    return Fault(
        effect=msgspec.convert(
            {key: values[key] for key in effect_keys if key in values}, _KINDS[kind], strict=False
        ),
        model=values.get("model", "*"),
        contains=values.get("contains", ""),
        times=int(values["times"]) if "times" in values else None,
        after=int(values.get("after", "0")),
    )


def _main_value(text: str, first: str, effect_keys: Sequence[str]) -> dict[str, str]:
    kind, has_value, value = first.partition("=")
    if not has_value:
        return {}
    if not effect_keys:
        raise InputError(f"the fault `{text}`: `{kind}` takes no value", hint=f"Write `{kind}`.")
    return {effect_keys[0]: _checked(text, kind, effect_keys[0], value)}


def _checked(fault: str, spelled: str, key: str, value: str) -> str:
    """Return the value as written in JSON. Raises `InputError` if it is invalid for this key."""
    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        if not (value.isascii() and value.isdecimal() and len(value) < 9 and low <= int(value) <= high):
            raise InputError(
                f"the fault `{fault}`: `{spelled}` must be a whole number from {low} to {high}, not `{value}`",
                hint=_EXAMPLE,
            )
        return str(int(value))
    if key in _SECONDS:
        if not _is_seconds(value):
            raise InputError(
                f"the fault `{fault}`: `{spelled}` must be a number of seconds, at most a day, not `{value}`",
                hint=_EXAMPLE,
            )
        return repr(float(value))
    if not value:
        raise InputError(f"the fault `{fault}`: `{spelled}` has no value", hint=_EXAMPLE)
    if key == "signature" and value not in SIGNATURES:
        raise InputError(
            f"the fault `{fault}`: there is no refusal `{value}`",
            hint=did_you_mean(value, SIGNATURES) or f"Refusals: {', '.join(SIGNATURES)}.",
        )
    return value


def _is_seconds(value: str) -> bool:
    try:
        return 0 <= float(value) <= 86_400
    except ValueError:
        return False
