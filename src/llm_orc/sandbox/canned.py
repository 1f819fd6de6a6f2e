"""The canned answers: the same request always gets the same text, which begins by saying that it is canned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from llm_orc.dataclass import dataclass
from llm_orc.protocols.chat_request import ChatRequest, JsonObject, text_of_message
from llm_orc.protocols.reply import ServedUsage
from llm_orc.providers.parts import Attachment, ToolCall
from llm_orc.schemas.bad import BadSchema
from llm_orc.schemas.example import NoExample, example_of
from llm_orc.schemas.validate import checker_for

if TYPE_CHECKING:
    from llm_orc.providers.base import Message

LABEL = "[canned answer from the llm-orc sandbox; no model was asked]"
END = "[end of canned answer]"


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says in one turn: text, and calls of tools behind it."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


Compose = Callable[[ChatRequest], str | Said]

_WORD = re.compile(r"\S+\s*")
_SHORT = 12  # words
_CACHED_UNASKED = 1_024  # tokens; OpenAI and Google cache longer prompts automatically
_MOST_PREFIXES = 10_000
_EARLIER_ANSWER = re.compile(re.escape(LABEL) + r".*?" + re.escape(END), re.DOTALL)


def summary(asked: ChatRequest) -> str:
    """Summarise the role and the prompt in a few words each."""
    role = f'I was told: "{_shortened(asked.system_prompt)}".' if asked.system_prompt else "I was given no role."
    given = f" I was given {_files_of(asked)}." if _files_of(asked) else ""
    return (
        f'{role}{given} I was asked: "{_shortened(asked.prompt)}". A model would answer this here; '
        "these words only show how an answer arrives, one after the other."
    )


def prompts_in_full(asked: ChatRequest) -> str:
    """Return everything that a model would have received. Canned answers in it are only named, not repeated.

    Otherwise each layer of an ensemble would multiply the text of the one before.
    """
    parts = (
        [f"--- system prompt ---\n{asked.system_prompt}"] if asked.system_prompt else ["--- no system prompt ---"]
    )
    parts += [f"--- {message.role} ---\n{_in_full(message)}" for message in asked.messages]
    return "\n\n".join(_without_earlier_answers(part) for part in parts) + f"\n{END}"


def _in_full(message: Message) -> str:
    files = [f"[file {_described(file)}]" for file in message.attachments]
    return "\n".join([*files, text_of_message(message)])


def _files_of(asked: ChatRequest) -> str:
    files = [file for message in asked.messages for file in message.attachments]
    return ", ".join(map(_described, files))


def _described(file: Attachment) -> str:
    kind = f"{file.media_type}, {len(file.data)} bytes"
    return f"`{file.name}` ({kind})" if file.name else kind


def tokens_of(asked: ChatRequest, said: str) -> tuple[str, ...]:
    """Split an answer into tokens. The label is one token, so no fault or limit can cut it in two."""
    if asked.schema and (example := _by_schema(asked.schema)) is not None:
        return example
    if asked.wants_json:
        rest = msgspec.json.encode(said).decode()
        return (f'{{"canned": "{LABEL}", ', '"text": ', *_words(rest), "}")
    return (f"{LABEL} ", *_words(said))


def _by_schema(schema: JsonObject) -> tuple[str, ...] | None:
    """Return a small answer that satisfies the schema, labelled where text may stand; None: none is known."""
    try:
        example = example_of(schema, LABEL)
        if checker_for(schema).complaints(example):
            return None
    except (NoExample, BadSchema):
        return None
    return tuple(_words(msgspec.json.encode(example).decode()))


def count(text: str) -> int:
    """Return the number of tokens in a text: each word counts as one."""
    return len(_WORD.findall(text))


def count_call(call: ToolCall) -> int:
    """Return the number of tokens of a call of a tool."""
    return 1 + count(msgspec.json.encode(call.arguments).decode())


class PromptCache:
    """Imitates a provider's prompt cache: it remembers the prefixes of earlier requests."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, int, int]] = set()

    def usage(self, asked: ChatRequest, output_tokens: int, *, may_write: bool) -> ServedUsage:
        """Return the usage of a request. `may_write`: cache writes are reported and charged (Anthropic)."""
        least = 1 if may_write else _CACHED_UNASKED
        read = written = 0
        if len(self._seen) >= _MOST_PREFIXES:
            self._seen.clear()
        for prefix, tokens in _prefixes(asked):
            if tokens >= least and prefix in self._seen:
                read = tokens
        for prefix, tokens in _prefixes(asked):
            # A provider that charges for writes caches up to the marks of the request; others cache long prompts.
            if tokens >= least and (not may_write or prefix[1] == len(asked.cached_parts)):
                self._seen.add(prefix)
                written = tokens - read if may_write else 0
        return ServedUsage(
            input_tokens=max(1, count(asked.input_text), read + written),
            output_tokens=output_tokens,
            cache_read_tokens=read,
            cache_write_tokens=written,
        )


def _prefixes(asked: ChatRequest) -> Iterator[tuple[tuple[str, int, int], int]]:
    """Yield each prefix of the request, part by part: a key for it, and its number of tokens."""
    name, tokens = 0, 0
    for number, part in enumerate(asked.cached_parts, start=1):
        name = hash((name, part))
        tokens += count(part)
        yield (asked.model, number, name), tokens


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _shortened(text: str) -> str:
    words = _without_earlier_answers(text).split()
    if len(words) <= _SHORT:
        return " ".join(words)
    return f"{' '.join(words[:_SHORT])} … ({len(words)} words)"


def _without_earlier_answers(text: str) -> str:
    return _EARLIER_ANSWER.sub(lambda answer: f"[canned answer of {count(answer[0])} words]", text)
