"""Times on the command line: a date, an ISO time, `3h` and `2d` for how long ago, `today`, `yesterday`."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any

import click

_UNITS_S = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "week": 604_800.0}
_SHORT = {"s": "second", "sec": "second", "m": "minute", "min": "minute", "h": "hour", "d": "day", "w": "week"}
_AGE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*([a-z]+)(?:\s+ago)?", re.ASCII)
_DAYS = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,6})?", re.ASCII)
_DAYS_BACK = {"today": 0, "yesterday": 1}


def parse_moment(text: str, now: float) -> float:
    """Return the moment that `text` names, in Unix seconds, seen from `now`.

    A date is its first moment, and what names no time zone is in the machine's. Raises `ValueError`.
    """
    word = text.strip().lower()
    if word in _DAYS_BACK:
        day = datetime.fromtimestamp(now) - timedelta(days=_DAYS_BACK[word])  # noqa: DTZ006 - the machine's zone
        return day.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    if (age := _AGE.fullmatch(word)) is not None:
        unit = _SHORT.get(age[2], age[2].removesuffix("s"))
        if unit not in _UNITS_S:
            raise ValueError(f"no unit of time is `{unit}`")
        return now - float(age[1]) * _UNITS_S[unit]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (OverflowError, OSError) as e:
        raise ValueError(str(e)) from e


class Moment(click.ParamType[float]):
    """A moment, as Unix seconds."""

    name = "time"
    _forms = "a date such as `2026-11-27`, an ISO time, or `3h`, `2d`, `today` or `yesterday`"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return self._parse(value)
        except ValueError:
            self.fail(f"`{value}` is no time: give {self._forms}", param, ctx)

    def _parse(self, text: str) -> float:
        return parse_moment(text, time.time())


class BeginOfAge(Moment):
    """The moment before which something is older than an age; a bare number counts days."""

    _forms = "a number of days, `12h`, `2w`, or a date such as `2026-11-27`"

    def _parse(self, text: str) -> float:
        is_bare = _DAYS.fullmatch(text.strip()) is not None
        return super()._parse(f"{text.strip()} d" if is_bare else text)


since_option = click.option(
    "--since",
    type=Moment(),
    metavar="WHEN",
    help="Only what began then or later: a date, an ISO time, `3h`, `2d`, `today` or `yesterday`.",
)
