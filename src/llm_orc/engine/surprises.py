"""Turn any exception into an error of ours: the seam between code that may break and everything else.

Its traceback goes to the logger `llm_orc` at level DEBUG, which `--debug` shows.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_orc.auth.masking import hide_in_error
from llm_orc.errors import InternalError, LlmOrcError, StorageError
from llm_orc.net.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGGER = logging.getLogger("llm_orc")
_LONGEST = 500
_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def as_error(exception: BaseException) -> LlmOrcError:
    """Return `exception` as an error for people: ours unchanged, the system's with its own text.

    Whether a call that ended in this way is billed is unknown.
    """
    if isinstance(exception, LlmOrcError):
        return exception
    error = _foreign(exception)
    error.may_be_billed = True
    return error


def _foreign(exception: BaseException) -> LlmOrcError:
    LOGGER.debug("unexpected error:", exc_info=exception)
    if isinstance(exception, OSError) and not isinstance(exception, TimeoutError):
        where = f" `{exception.filename}`" if exception.filename else ""
        return StorageError(f"the system reports{where}: {exception.strerror or _words(exception)}")
    cause = first_cause(exception)
    if isinstance(cause, LlmOrcError):
        return cause
    error = InternalError(
        f"an internal error in llm-orc: `{without_credentials(_words(cause))}`",
        hint="Run it again as `llm-orc --debug …`, and report what it prints.",
    )
    error.__cause__ = exception
    return error


def first_cause(exception: BaseException) -> BaseException:
    """Return the first failure of a task group."""
    while isinstance(exception, BaseExceptionGroup) and exception.exceptions:
        exception = exception.exceptions[0]
    return exception


def without_credentials(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Mask our credentials, and variables that look like some: an unexpected error may quote anything."""
    for name, value in (os.environ if environ is None else environ).items():
        if len(value) >= 8 and any(word in name.upper() for word in _SECRET_WORDS):
            text = text.replace(value, "***")
    return hide_in_error(text)


def _words(exception: BaseException) -> str:
    name = type(exception).__name__
    with suppress(Exception):  # its own text may fail too
        return one_line(f"{name}: {exception}".removesuffix(": "), _LONGEST)
    return name
