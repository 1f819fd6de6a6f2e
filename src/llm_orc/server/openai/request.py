"""What a client of OpenAI's protocols asks: read, and refused where an ensemble can't do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llm_orc.conversations.conversation import check_name
from llm_orc.dataclass import dataclass
from llm_orc.errors import InputError
from llm_orc.net.text import one_line
from llm_orc.protocols.chat_request import ArrivedRequest, ChatRequest, Rejected, objects, whole_number, within
from llm_orc.server.openai.errors import Failure

if TYPE_CHECKING:
    from aiohttp import web

    from llm_orc.jsontypes import JsonValue
    from llm_orc.protocols.dialect import Dialect

CONVERSATION_HEADER = "LLM-Orc-Conversation"
"""Names the conversation that a request continues: then its history is the stored one."""

_LONGEST_NAME = 50  # characters of a conversation's name, which may get the client's before it
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_OURS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "tools",
    "stop",
    "seed",
)
"""The ensemble decides these for each of its agents."""


class Unacceptable(Exception):
    """The request is refused; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request: `ignored` names what of it the ensemble decides itself. `shows_progress`: as reasoning."""

    chat: ChatRequest
    ignored: tuple[str, ...] = ()
    shows_progress: bool = False
    conversation: str | None = None


async def read_request(request: web.Request, dialect: Dialect) -> AskedFor:
    """Read a request. Raises `Unacceptable`."""
    try:
        body = msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, RecursionError):
        raise Unacceptable(Failure(400, "The body of the request is not JSON.", "invalid_request_error")) from None
    if not isinstance(body, dict):
        raise Unacceptable(Failure(400, "The body of the request is no JSON object.", "invalid_request_error"))
    _refuse_what_nobody_can_do(body)
    try:
        chat = dialect.read(ArrivedRequest(request.headers, request.query, body))
    except Rejected as e:
        failure = Failure(e.status, e.message, "invalid_request_error", e.error_code, e.param)
        raise Unacceptable(failure) from None
    _refuse_what_is_no_task(chat)
    return AskedFor(
        chat,
        tuple(key for key in _OURS if body.get(key) not in (None, [], {})),
        body.get("include_reasoning") is True or isinstance(within(body, "reasoning", "summary"), str),
        _conversation(request),
    )


def _refuse_what_is_no_task(chat: ChatRequest) -> None:
    if not chat.messages or chat.messages[-1].role != "user":
        raise _invalid("messages", "The last message is not the user's, so there is nothing to answer.")
    if not chat.messages[-1].content.strip():
        raise _invalid("messages", "The last message is empty, so there is nothing to answer.")


def _conversation(request: web.Request) -> str | None:
    name = request.headers.get(CONVERSATION_HEADER)
    if not name:
        return None
    try:
        check_name(name)
    except InputError:
        name = ""
    if not name or name == "last" or len(name) > _LONGEST_NAME:
        raise _invalid(
            None, f"`{CONVERSATION_HEADER}` is one line of at most {_LONGEST_NAME} characters, and not `last`."
        )
    return name


def _invalid(param: str | None, message: str) -> Unacceptable:
    return Unacceptable(Failure(400, message, "invalid_request_error", None, param))


def _refuse_what_nobody_can_do(body: dict[str, JsonValue]) -> None:
    if (whole_number(body.get("n")) or 1) > 1:
        raise _unsupported("n", "An ensemble gives one answer: leave out `n`.")
    if body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict):
        raise _unsupported("tool_choice", "An ensemble does not call tools of its client.")
    if body.get("previous_response_id") is not None:
        raise _unsupported(
            "previous_response_id",
            f"Responses are not stored by id: send the history, or name a conversation (`{CONVERSATION_HEADER}`).",
        )
    if body.get("background") is True:
        raise _unsupported("background", "A response can't be made in the background.")
    asked = within(body, "response_format", "type") or within(body, "text", "format", "type")
    if asked not in (None, "text"):
        raise _unsupported("response_format", "An ensemble's own `schema` says what its answer is.")
    turns = body.get("messages") or body.get("input")
    for turn in objects(turns):
        for part in objects(turn.get("content")):
            kind = part.get("type")
            if isinstance(kind, str) and kind not in _TEXT_PARTS:
                raise _unsupported("messages", f"Content of the type `{one_line(kind, 40)}` can't be read here.")


def _unsupported(param: str, message: str) -> Unacceptable:
    return Unacceptable(Failure(400, message, "invalid_request_error", "unsupported_parameter", param))
