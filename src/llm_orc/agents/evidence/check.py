"""Check the quotes in an answer, and take out what has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.agents.evidence.source import Source
from llm_orc.agents.evidence.spec import Evidence
from llm_orc.dataclass import dataclass
from llm_orc.net.text import one_line
from llm_orc.schemas.validate import path_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from llm_orc.jsontypes import JsonValue

    Path = tuple[str | int, ...]

_MOST_SHOWN = 8  # complaints
_LONGEST = 120  # characters of a quote in one


@dataclass(frozen=True, slots=True)
class Unfounded:
    """A quote that is in none of the sources of its field, and where in the answer it stands."""

    evidence: Evidence
    path: Path
    quote: str

    @property
    def sentence(self) -> str:
        place, quote = path_text(self.path), one_line(self.quote, _LONGEST)
        if not any(map(str.isalnum, self.quote)):
            return f"{place}there is no quote"
        return f"{place}“{quote}” does not occur in {' or '.join(f'`{one}`' for one in self.evidence.sources)}"


@dataclass(frozen=True, slots=True)
class Checked:
    """How many quotes an answer has, and those that are in no source."""

    quotes: int
    unfounded: tuple[Unfounded, ...]

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is wrong, in at most eight sentences."""
        more = len(self.unfounded) - _MOST_SHOWN
        shown = [one.sentence for one in self.unfounded[:_MOST_SHOWN]]
        return (*shown, *([f"{more:,} more quotes do not occur in their source"] if more > 0 else []))

    @property
    def may_drop(self) -> bool:
        """Whether all that is wrong may be dropped."""
        return all(one.evidence.otherwise == "drop" and _item_of(one.path) for one in self.unfounded)


class EvidenceCheck:
    """Checks answers against the sources that an agent has in this turn: `texts` has them by their keys."""

    def __init__(self, evidence: Sequence[Evidence], texts: Mapping[str, str]) -> None:
        self._evidence, self._texts = evidence, texts
        self._read: dict[str, Source] = {}

    def __bool__(self) -> bool:
        return bool(self._evidence)

    def check(self, data: JsonValue) -> Checked:
        found, unfounded = 0, []
        for one in self._evidence:
            for path, quote in _quotes(data, one.steps):
                found += 1
                if not any(self._source(key).has(quote) for key in one.keys):
                    unfounded.append(Unfounded(one, path, quote))
        return Checked(found, tuple(unfounded))

    def _source(self, key: str) -> Source:
        text = self._texts.get(key, "")
        if text not in self._read:
            self._read[text] = Source(text)
        return self._read[text]


def _quotes(value: JsonValue, steps: Sequence[str], at: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield the texts at `steps`, in each item where there are lists, with their places."""
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _quotes(inner, steps, (*at, i))
    elif not steps and isinstance(value, str):
        yield at, value
    elif steps and isinstance(value, dict) and steps[0] in value:
        yield from _quotes(value[steps[0]], steps[1:], (*at, steps[0]))


def without(data: JsonValue, unfounded: Sequence[Unfounded]) -> JsonValue:
    """Return the data without the items that have these quotes."""
    return _without(data, {_item_of(one.path) for one in unfounded})


def _without(value: JsonValue, gone: Collection[Path], at: Path = ()) -> JsonValue:
    if isinstance(value, list):
        return [_without(one, gone, (*at, i)) for i, one in enumerate(value) if (*at, i) not in gone]
    if isinstance(value, dict):
        return {key: _without(one, gone, (*at, key)) for key, one in value.items()}
    return value


def _item_of(path: Path) -> Path:
    """Return the item that a quote makes worthless: the innermost mapping in a list, else the text in one.

    It is empty where there is no list.
    """
    items = [i for i, step in enumerate(path) if isinstance(step, int)]
    last_name = max((i for i, step in enumerate(path) if isinstance(step, str)), default=-1)
    mappings = [i for i in items if i < last_name]
    return path[: (mappings or items)[-1] + 1] if items else ()
