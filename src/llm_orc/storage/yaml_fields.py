"""Read the keys of a YAML document's mappings by their rows; each error becomes a problem with its position."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from llm_orc.storage.field_types import FieldType, WrongValue
from llm_orc.storage.placeholders import placeholder_in
from llm_orc.storage.suggest import closest_names, did_you_mean, slip_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from llm_orc.errors import Problem
    from llm_orc.jsontypes import JsonValue
    from llm_orc.storage.yaml_source import KeyPath, Located

_WRITE_ITSELF = "Write the value itself (a path may start with `~`); `api_key_env: NAME` names a key's variable."
_LONGEST_KEY = 80  # characters of an unknown key that are compared
_MOST_QUESTIONS = 20  # finding the closest name is slow, and nobody reads more of them


class Row(Protocol):
    """What the reader needs to know of a key."""

    @property
    def type(self) -> FieldType[Any]: ...

    @property
    def required(self) -> bool: ...

    @property
    def hint(self) -> str | None:
        """What to do if a required key is missing."""
        ...

    @property
    def is_prose(self) -> bool:
        """Free text, in which `${NAME}` is no placeholder that the author expects to be filled in."""
        ...


class FieldReader:
    """Reads mappings of one document and collects what is wrong with them in `problems`."""

    def __init__(self, document: Located) -> None:
        self.document = document
        self.problems: list[Problem] = list(document.problems)
        self.ignored: list[Problem] = []  # unknown keys that are reported without refusing the file

    def problem(self, message: str, path: KeyPath, *, at_key: bool = False, hint: str | None = None) -> None:
        self.problems.append(self.document.problem(message, path, at_key=at_key, hint=hint))

    def question(self, name: str, known: Collection[str]) -> str | None:
        """Return "Did you mean …?" for the first problems of the document, None for the rest."""
        return did_you_mean(name, known) if len(self.problems) < _MOST_QUESTIONS else None

    def unknown_key(
        self, path: KeyPath, known: Collection[str], what: str, elsewhere: Mapping[str, str] = MappingProxyType({})
    ) -> bool:
        """Report the key, and return True. `elsewhere` are keys that are known in other places, each with the hint
        for one that stands here.
        """
        key = str(path[-1])
        hint = elsewhere.get(key) or self.question(key, (*known, *elsewhere))
        hint = hint or f"Known keys: {', '.join(known)}."
        self.problem(f"{what} has no key `{key[:80]}`", path, at_key=True, hint=hint)
        return True

    def foreign_key(self, path: KeyPath, known: Collection[str], what: str) -> bool:
        """Ignore and report a key of another release or program; a misspelling of a known one is a problem.

        Return whether it is one.
        """
        key = str(path[-1])
        if len(key) > _LONGEST_KEY or slip_of(key, known) is None:
            message = f"{what} has the key `{key[:80]}`, which this release does not know and ignores"
            self.ignored.append(self.document.problem(message, path, at_key=True))
            return False
        return self.unknown_key(path, known, what)

    def read(
        self,
        path: KeyPath,
        mapping: Mapping[str, JsonValue],
        rows: Mapping[str, Row],
        what: str,
        *,
        ignores_foreign: bool = False,
        ignored: Mapping[str, str | None] = MappingProxyType({}),
        elsewhere: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Return the valid keys of `mapping`, read as their rows say; the others become problems.

        A placeholder such as `${NAME}` is a problem except in prose, because nothing fills it in; so is a missing
        required key. `ignores_foreign`: an unknown key that is no misspelling of a known one goes to
        `self.ignored` instead, as do the keys `ignored`, each with what to do instead. `elsewhere`: see
        `unknown_key`.
        """
        values: dict[str, Any] = {}
        unknown: list[str] = []  # problems already: what one of them stands for is not missing as well
        for key, value in mapping.items():
            row = rows.get(key)
            if row is None and key in ignored:
                message = f"{what} has the key `{key}` of earlier releases, which says nothing here and is ignored"
                place = (*path, key)
                self.ignored.append(self.document.problem(message, place, at_key=True, hint=ignored[key]))
                continue
            if row is None:
                place = (*path, key)
                if ignores_foreign:
                    is_told = self.foreign_key(place, tuple(rows), what)
                else:
                    is_told = self.unknown_key(place, tuple(rows), what, elsewhere)
                unknown += [key] * (is_told and len(unknown) < _MOST_QUESTIONS)
                continue
            if not row.is_prose and (placeholder := placeholder_in(value)) is not None:
                self.problem(
                    f"`{key}` has `{placeholder}`, but placeholders are not filled in here",
                    (*path, key),
                    hint=_WRITE_ITSELF,
                )
                continue
            try:
                values[key] = row.type(value)
            except WrongValue as e:
                place = (*path, key, e.within) if e.within else (*path, key)
                self.problem(f"`{key}` must be {e.needs}", place, at_key=e.at_key, hint=e.hint)
        misspelt = {near for key in unknown for near in closest_names(key, rows, limit=1)}
        for key, row in rows.items():
            if row.required and key not in mapping and key not in misspelt:
                self.problem(f"{what} has no `{key}`", path, hint=row.hint)
        return values

    def in_order(self) -> list[Problem]:
        return sorted(self.problems, key=lambda p: (p.line, p.column))
