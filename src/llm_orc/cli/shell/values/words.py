"""An option that takes one of some words, or several of them with commas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Words(click.ParamType[tuple[str, ...]]):
    """One or more of the known words, separated by commas. `-` may stand for `_`."""

    name = "words"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = tuple(known)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(self._one(part.strip(), param, ctx) for part in value.split(","))

    def _one(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word = text.lower().replace("-", "_")
        if word not in self._known:
            question = did_you_mean(word, self._known)
            one_of = f"it is one of {', '.join(f'`{known}`' for known in self._known)}"
            self.fail(f"`{text}` is unknown; {one_of}" + (f". {question}" if question else ""), param, ctx)
        return word

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(f"{before}{comma}{word}") for word in self._known if word.startswith(begun)]


def chosen_of(given: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the words of an option that may be repeated, each once."""
    return tuple(dict.fromkeys(word for words in given for word in words))
