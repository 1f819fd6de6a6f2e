"""A wire protocol: one request and its answer as bytes. No I/O here, and no provider's name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import msgspec

from llm_orc.dataclass import dataclass
from llm_orc.errors import ReplyUnreadable, RequestRejected
from llm_orc.net.bodies.sse import SseParser
from llm_orc.net.text import one_line, whole_text
from llm_orc.providers.dialects.draft import Draft
from llm_orc.providers.dialects.tolerant import UNREADABLE, read
from llm_orc.providers.options.left_out import without_refused
from llm_orc.providers.options.request import is_reserved, wire_options
from llm_orc.providers.options.table import TOOL_OPTIONS

if TYPE_CHECKING:
    from llm_orc.catalog.rows import DialectName
    from llm_orc.jsontypes import JsonValue
    from llm_orc.net.transport import Answer
    from llm_orc.providers.base import ModelRequest, Reply, Target
    from llm_orc.providers.errors.failures import ProviderWords

_Wire = TypeVar("_Wire")
_EXCERPT = 160


@dataclass(frozen=True, slots=True)
class WireRequest:
    """`path` is appended to the endpoint's base URL.

    `enforces`: it has the schema of the answer, or a JSON mode, in a field of its own. `is_wrapped`: the answer is
    a property of an object. `offers`: it has tools of ours.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    enforces: bool = False
    is_wrapped: bool = False
    offers: bool = False


class StreamDecoder(ABC, Generic[_Wire]):
    """Reads one streamed reply: bytes in, text out, and finally a `Reply`."""

    __slots__ = ("_draft", "_events", "_half", "_is_odd")

    _dialect: ClassVar[DialectName]
    _read: ClassVar[msgspec.json.Decoder[Any]]  # of `_Wire`: a class variable can't say so
    _over: ClassVar[bytes] = b""
    """The event that marks the end, if it is not JSON."""

    def __init__(self, target: Target) -> None:
        self._events = SseParser()
        self._draft = Draft(target, self._dialect)
        self._is_odd = False  # an event was malformed: its text may contain half a UTF-16 pair
        self._half = ""  # the first half of a pair; the second one may follow

    def feed(self, piece: bytes) -> str:
        """Return the text in `piece`. Raises the error of an error event in the stream."""
        draft = self._draft
        before = len(draft.pieces)
        read, take = self._read.decode, self._take  # this loop runs once for each token of every agent
        for data in self._events.feed(piece):
            if not data:
                continue
            if data == self._over:
                draft.is_complete = draft.is_over = True
            else:
                try:
                    event: _Wire = read(data)
                except UNREADABLE:
                    self._take_odd(data)
                else:
                    if take(draft, event):
                        self._take_more(draft, data)
        return self._text_from(before)

    def close(self) -> str:
        """Return the text at the end of the stream: its last event may lack the empty line after it.

        An event that was cut off in the middle is left out.
        """
        draft = self._draft
        before = len(draft.pieces)
        data = self._events.rest()
        if data and not draft.is_over:
            with suppress(ReplyUnreadable):
                self._take_odd(data)
        text = self._text_from(before)
        return text + whole_text(self._half)

    def _text_from(self, before: int) -> str:
        new = self._draft.pieces[before:]
        text = new[0] if len(new) == 1 else "".join(new)
        if not self._is_odd:
            return text
        text = self._half + text
        self._half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole_text(text.removesuffix(self._half) if self._half else text)

    def _take_odd(self, data: bytes) -> None:
        """Take a malformed event. Anything but an object is ignored."""
        self._is_odd = True
        draft = self._draft
        for one in data.split(b"\n"):  # some servers put one line end between two events
            if one == self._over:
                draft.is_complete = draft.is_over = True
                continue
            try:
                event: _Wire = read(self._read, one)
            except UNREADABLE as e:
                if isinstance(e, msgspec.ValidationError) and not one.lstrip().startswith(b"{"):
                    continue
                raise unreadable(draft.target, data, e, 200) from e
            if self._take(draft, event):
                self._take_more(draft, one)

    def _take_more(self, draft: Draft, data: bytes) -> None:
        try:
            self._more(draft, data)
        except UNREADABLE as e:
            raise unreadable(draft.target, data, e, 200) from e

    @property
    def is_over(self) -> bool:
        """True after the final event."""
        return self._draft.is_over

    def finish(self, answer: Answer) -> Reply:
        """Return the whole reply; `answer` is the one whose body was fed. Raises like `Draft.reply`."""
        self._gather(self._draft)
        return self._draft.reply(answer)

    @abstractmethod
    def _gather(self, draft: Draft) -> None:
        """Fill in what is whole only at the end: the calls, and the turn as its provider wrote it."""

    @abstractmethod
    def _take(self, draft: Draft, event: _Wire) -> bool:
        """Take one event: text goes to the end of `draft.pieces`. Return whether `_more` has to see it."""

    @abstractmethod
    def _more(self, draft: Draft, data: bytes) -> None:
        """Take what an event has beside text, from its JSON: few have anything. Raises `UNREADABLE`."""


class Dialect(ABC):
    """One provider protocol. Instances are stateless; one serves all calls."""

    name: ClassVar[DialectName]
    list_headers: ClassVar[Mapping[str, str]] = {}
    """What a request for the list of models needs."""

    @abstractmethod
    def encode(self, request: ModelRequest, target: Target, *, stream: bool) -> WireRequest:
        """Build the request. Raises `RequestRejected` if `options` set a reserved field."""

    @abstractmethod
    def read(self, answer: Answer, target: Target) -> Reply:
        """Read a whole 2xx answer. Raises `ReplyUnreadable`, `ContentRefused` and the like."""

    @abstractmethod
    def decoder(self, target: Target) -> StreamDecoder[Any]:
        """Return a new decoder for one streamed answer."""

    @abstractmethod
    def words(self, body: bytes) -> ProviderWords:
        """Read the body of an error; whatever it holds, this raises nothing."""

    def merge(self, body: dict[str, JsonValue], options: Mapping[str, JsonValue], target: Target) -> bytes:
        """Merge `options` into `body` (mappings one level deep) and return it as JSON, without what the provider
        refuses.

        Which options are allowed is decided before a run; here only fields that we fill ourselves are refused.
        """
        for key, value in wire_options(options, self.name).items():
            if key in TOOL_OPTIONS and "tools" in body:
                raise RequestRejected(
                    f"`options.{key}` can't be set for {target} beside the agent's own tools",
                    hint=f"Remove `{key}` from `options`, or `tools` from the agent.",
                )
            if is_reserved(key, self.name):
                raise RequestRejected(
                    f"`options.{key}` can't be set for {target}: llm-orc fills this field itself",
                    hint=f"Remove `{key}` from `options`; models and prompts have their own settings.",
                )
            own = body.get(key)
            body[key] = {**own, **value} if isinstance(own, dict) and isinstance(value, dict) else value
        return msgspec.json.encode(without_refused(body, target.calls))


def decode(decoder: msgspec.json.Decoder[_Wire], answer: Answer, target: Target) -> _Wire:
    """Decode a whole body. Raises `ReplyUnreadable` with an excerpt of the body."""
    try:
        return read(decoder, answer.body)
    except UNREADABLE as e:
        raise unreadable(target, answer.body, e, answer.status) from e


def unreadable(target: Target, body: bytes, error: Exception, status: int) -> ReplyUnreadable:
    """Return the error for an answer that doesn't follow the dialect."""
    start = excerpt(body)
    problem = "has an unexpected structure" if isinstance(error, msgspec.ValidationError) else "is not JSON"
    return ReplyUnreadable(
        f"the answer of {target} (status {status}) {problem}: " + (f"`{start}`" if start else "it is empty"),
        hint="Check this provider's `base_url` and `dialect`: a different kind of server may be answering there.",
        status=status,
        provider_message=start,
    )


def excerpt(body: bytes) -> str:
    """The start of a body, for a message."""
    return one_line(body[: _EXCERPT * 4].decode("utf-8", "replace"), _EXCERPT)


def wants_json(request: ModelRequest) -> bool:
    """True if JSON is requested and no prompt contains the word, which JSON modes require."""
    if not request.json_output or request.schema is not None:
        return False
    texts = [request.system_prompt or "", *(m.content for m in request.messages)]
    return not any("json" in text.lower() for text in texts)
