"""Keep credentials out of providers' replies: some repeat them, in errors and in answers.

`masked_reply` handles answers of every kind of model; `mask_error` and `masked_body` are for code that turns a
body into an error, before an excerpt can cut a credential in two.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.auth.masking import MaskedStream, hide, hide_in_error, hide_in_value
from llm_orc.auth.secret import remember
from llm_orc.errors import LlmOrcError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelInterface, ModelRequest, Reply, ReplyObserver
    from llm_orc.providers.parts import ToolCall

_NO_SECRETS = frozenset({"anthropic-beta", "user-agent", "content-type", "accept"})
_SECRET_NAME = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)


async def masked_reply(
    model: ModelInterface, request: ModelRequest, observer: ReplyObserver | None = None
) -> Reply:
    """Like `model.reply`, but reply, pieces and errors contain no credential that we used."""
    watcher = None if observer is None else _MaskedObserver(observer)
    try:
        reply = await model.reply(request, watcher)
    except LlmOrcError as e:
        mask_error(e)
        raise
    finally:
        if watcher is not None:
            watcher.end()
    return replace(
        reply,
        text=hide(reply.text),
        model=hide_in_error(reply.model),
        request_id=hide_in_error(reply.request_id),
        stop_word=hide_in_error(reply.stop_word),
        calls=tuple(_masked_call(call) for call in reply.calls),
        own=reply.own if reply.own is None or not _has_credentials(reply.own.blocks) else None,
    )


def _masked_call(call: ToolCall) -> ToolCall:
    if call.arguments is None:
        return replace(call, written=hide(call.written))
    written = json.dumps(call.arguments, ensure_ascii=False)
    if hide(written) == written:
        return call
    return replace(call, arguments={hide(name): hide_in_value(value) for name, value in call.arguments.items()})


def _has_credentials(blocks: Sequence[JsonValue]) -> bool:
    """Return whether the blocks repeat a credential: they are signed, so it can't be masked in them."""
    written = json.dumps(blocks, ensure_ascii=False)
    return hide(written) != written


class _MaskedObserver:
    """Passes the stream on, without credentials."""

    def __init__(self, observer: ReplyObserver) -> None:
        self._observer = observer
        self._stream = MaskedStream()

    def text(self, piece: str) -> None:
        if shown := self._stream.feed(piece):
            self._observer.text(shown)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self._stream = MaskedStream()  # what arrived so far is void
        mask_error(error)
        self._observer.retrying(error, attempt, delay_s)

    def end(self) -> None:
        if rest := self._stream.rest():
            self._observer.text(rest)


def remember_credentials(headers: Mapping[str, str], plain: Collection[str] = ()) -> None:
    """Remember as credentials the values of `headers`, except names in `plain` and harmless ones."""
    for name, value in headers.items():
        if name not in plain and name.lower() not in _NO_SECRETS:
            remember(value.rpartition(" ")[2])


def remember_secret_values(values: Mapping[str, str]) -> None:
    """Remember as credentials the values whose names suggest it: variables, or headers that a user wrote."""
    for name, value in values.items():
        if _SECRET_NAME.search(name):
            remember(value.rpartition(" ")[2])


def masked_body(answer: Answer) -> Answer:
    """Return the answer without credentials in its body."""
    text = answer.body.decode("utf-8", "surrogateescape")
    return replace(answer, body=hide_in_error(text).encode("utf-8", "surrogateescape"))


def mask_error(error: LlmOrcError) -> None:
    """Mask credentials in the whole error: they may have arrived escaped, or in pieces."""
    for name, said in vars(error).items():
        if isinstance(said, str):
            setattr(error, name, hide_in_error(said))
    error.args = tuple(hide_in_error(arg) if isinstance(arg, str) else arg for arg in error.args)
