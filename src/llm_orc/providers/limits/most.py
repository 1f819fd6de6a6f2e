"""Upper bounds of the tokens of a call: no provider counts more than these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.providers.dialects.anthropic import default_max_tokens
from llm_orc.providers.limits.pdf_pages import most_pages
from llm_orc.providers.parts import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from llm_orc.jsontypes import JsonValue
    from llm_orc.providers.base import ModelRequest
    from llm_orc.providers.parts import FileRef

# Some servers count thinking against the limit of the answer, others in addition to it.
_THOUGHTS = frozenset({"budget_tokens", "thinking_budget", "thinkingBudget", "reasoning.max_tokens"})
_COPIES = frozenset({"n", "best_of", "best_of_n", "candidateCount", "candidate_count"})
_FRAME = 64  # tokens that a provider adds to a prompt, and for the role of each message
_ROLE = 16
_BYTES_PER_TOKEN = 4
_USUAL_OF_IMAGE = 1_600  # tokens, of a page too
_TOOLS_FRAME = 1_000  # what Anthropic adds to a prompt with tools, whatever these are
_MOST_OF_IMAGE = 10_000  # tokens of an image in its finest resolution, or of a page with its text
_MOST_PAGES = 1_000  # of a PDF that any provider takes
_MOST_OF_MINI = 60_000  # OpenAI counts some 30 times as many for `gpt-4o-mini`, at a lower price


def most_input_tokens(request: ModelRequest, size: int, model: str = "") -> int:
    """Return an upper bound of the tokens of a prompt that is sent as `size` bytes.

    The tokenizers of these providers work on the bytes of UTF-8, and no token has less than one; each message
    adds a few for its role. Real prompts have about a quarter of that. Images and pages are counted by what they
    show, whatever their bytes.
    """
    parts = sum(1 + len(message.calls) + len(message.results) for message in request.messages)
    tokens = size + _ROLE * parts + _FRAME + (_TOOLS_FRAME if request.tools else 0)
    for file in (file for message in request.messages for file in message.attachments):
        if file.kind in {"image", "pdf"}:
            shown = 1 if file.kind == "image" else most_pages(file.data)
            per_image = _MOST_OF_MINI if "4o-mini" in model else _MOST_OF_IMAGE
            tokens += shown * per_image - 4 * (len(file.data) // 3)
    return tokens


def likely_input_tokens(request: ModelRequest, size: int) -> int:
    """Return an estimate of the tokens of a prompt that is sent as `size` bytes."""
    shown = 0
    for file in (file for message in request.messages for file in message.attachments):
        if file.kind in {"image", "pdf"}:
            size -= 4 * (len(file.data) // 3)
            shown += 1 if file.kind == "image" else most_pages(file.data)
    return size // _BYTES_PER_TOKEN + shown * _USUAL_OF_IMAGE


def most_tokens_of_files(files: Iterable[FileRef], model: str) -> int:
    """Return the same bound for files of which only the size is known: a PDF has as many pages as are taken."""
    per_image = _MOST_OF_MINI if "4o-mini" in model else _MOST_OF_IMAGE
    per_kind = {"image": per_image, "pdf": _MOST_PAGES * per_image}
    return sum(per_kind.get(kind_of(one.media_type), one.size) for one in files)


def most_output_tokens(request: ModelRequest, model: str) -> int:
    """Return how many tokens an answer may have, including thinking and all choices."""
    limit = request.max_tokens or default_max_tokens(model)
    numbers = list(_numbers(request.options))
    thoughts = sum(max(number, 0) for name, number in numbers if name in _THOUGHTS)
    copies = max((number for name, number in numbers if name in _COPIES), default=1)
    return (limit + thoughts) * max(copies, 1)


def _numbers(options: Mapping[str, JsonValue], before: str = "") -> Iterator[tuple[str, int]]:
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _numbers(value, key)
        elif isinstance(value, int) and not isinstance(value, bool):
            yield (key, value)
            yield (f"{before}.{key}", value)
