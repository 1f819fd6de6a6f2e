"""Split shell start-up files into commands and words, precisely enough to tell literals from expansions."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

_LITERAL = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+=:@%,")
_WORKED_OUT = frozenset("$`\\")  # what a shell expands between double quotes
_PAIRS = {"(": ")", "{": "}"}
_HERE_DOCUMENT = re.compile(r"""(?<!<)<<(-?)[ \t]*(?:\\(?P<bare>\w+)|(?P<quote>['"]?)(?P<name>\w+)(?P=quote))""")


@dataclass(slots=True)
class Word:
    """`is_literal` is false if a shell may expand the text. Its `repr` hides the text."""

    text: str = field(default="", repr=False)
    is_literal: bool = True
    quoted_from: int | None = None  # where in `text` the first quoted part starts


@dataclass(slots=True)
class Command:
    """One simple command. `is_conditional`: something else decides whether it runs, or where."""

    line: int
    words: list[Word] = field(default_factory=list)
    is_conditional: bool = False


class Unfinished(Exception):
    """A quote or a bracket is never closed; what follows `line` can't be parsed."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def commands(text: str, *, is_fish: bool = False) -> Iterator[Command]:
    """Yield the commands of a file in order. Raises `Unfinished` after those that could be parsed."""
    return _Reader(text, is_fish=is_fish).read()


class _Reader:
    def __init__(self, text: str, *, is_fish: bool) -> None:
        self._text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._is_fish = is_fish
        self._at = 0
        self._brackets = 0
        self._command = Command(1)
        self._word: Word | None = None
        self._here: list[str] = []  # the delimiters of the here-documents that start on the next line

    def read(self) -> Iterator[Command]:
        while self._at < len(self._text):
            try:
                ended = self._step()
            except Unfinished as e:
                raise Unfinished(min(e.line, self._command.line)) from None
            if ended is not None and ended.words:
                yield ended
        if (last := self._end_command(is_conditional=False)).words:
            yield last

    def _step(self) -> Command | None:
        character = self._text[self._at]
        if character == "\n":
            waits = self._command.is_conditional and not self._command.words and self._word is None
            ended = self._end_command(is_conditional=False)
            self._skip_here_documents(ended)
            self._command.is_conditional = self._command.is_conditional or waits  # as after `&&`
            return ended
        if character in "&|" and not self._is_redirection():
            ended = self._end_command(is_conditional=True)
            self._command.is_conditional = True
            return ended
        if character == ";" or (character in "()" and not self._is_fish):
            return self._bracket(character)
        self._in_command(character)
        return None

    def _in_command(self, character: str) -> None:
        if character in " \t":
            self._end_word()
            self._at += 1
        elif character == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
        elif character == "'":
            self._single_quoted()
        elif character == '"':
            self._double_quoted()
        elif character in _WORKED_OUT or character == "(":
            self._worked_out(character)
        elif not self._is_fish and (here := _HERE_DOCUMENT.match(self._text, self._at)):
            tabs = r"\t*" if here[1] else ""
            self._here.append(f"^{tabs}{here['bare'] or here['name']}$")
            self._begun().is_literal = False
            self._at = here.end()
        else:
            self._add(character, is_literal=character in _LITERAL)
            self._at += 1

    def _bracket(self, character: str) -> Command:
        if character == "(" and self._word is not None:
            self._word.is_literal = False
        ended = self._end_command(is_conditional=False)
        if character != ";":
            self._brackets = max(0, self._brackets + (1 if character == "(" else -1))
            self._command.is_conditional = self._brackets > 0
        return ended

    def _is_redirection(self) -> bool:
        around = self._text[self._at - 1 : self._at] + self._text[self._at + 1 : self._at + 2]
        return self._text[self._at] == "&" and any(c in "<>" for c in around)

    def _single_quoted(self) -> None:
        start = self._at
        self._begin_quote()
        end = self._text.find("'", start + 1)
        while self._is_fish and end > 0 and self._is_escaped(end):
            end = self._text.find("'", end + 1)
        if end < 0:
            raise Unfinished(self._line_of(start))
        inner = self._text[start + 1 : end]
        self._add(inner, is_literal=not (self._is_fish and "\\" in inner))
        self._at = end + 1

    def _double_quoted(self) -> None:
        start = self._at
        self._begin_quote()
        end = self._text.find('"', start + 1)
        while end > 0 and self._is_escaped(end):
            end = self._text.find('"', end + 1)
        if end < 0:
            raise Unfinished(self._line_of(start))
        inner = self._text[start + 1 : end]
        self._add(inner, is_literal=_WORKED_OUT.isdisjoint(inner))
        self._at = end + 1

    def _worked_out(self, character: str) -> None:
        start, following = self._at, self._text[self._at + 1 : self._at + 2]
        self._begun()
        if character == "\\":
            self._at += 2
        elif character == "`":
            end = self._text.find("`", self._at + 1)
            if end < 0:
                raise Unfinished(self._line_of(self._at))
            self._at = end + 1
        elif character == "(":  # fish's `$(…)`
            self._skip_pair(self._at, character)
        elif following and following in _PAIRS:
            self._skip_pair(self._at + 1, following)
        else:
            self._at += 1
        self._add(self._text[start : self._at], is_literal=False)  # so that it makes no other word

    def _skip_pair(self, start: int, opening: str) -> None:
        """Skip `$(…)` or `${…}`. Brackets in quotes count too, so less may be parsed."""
        depth = 0
        for at in range(start, len(self._text)):
            depth += {opening: 1, _PAIRS[opening]: -1}.get(self._text[at], 0)
            if depth == 0:
                self._at = at + 1
                return
        raise Unfinished(self._line_of(start))

    def _skip_here_documents(self, command: Command) -> None:
        self._at += 1
        for end in self._here:
            found = re.compile(end, re.MULTILINE).search(self._text, self._at)
            if found is None:
                raise Unfinished(command.line)
            self._at = min(found.end() + 1, len(self._text))
        self._here.clear()
        self._command.line = self._line_of(self._at)

    def _end_command(self, *, is_conditional: bool) -> Command:
        self._end_word()
        ended = self._command
        ended.is_conditional = ended.is_conditional or is_conditional
        step = 0 if self._at < len(self._text) and self._text[self._at] == "\n" else 1
        self._at += step
        self._command = Command(self._line_of(self._at), is_conditional=self._brackets > 0)
        return ended

    def _end_word(self) -> None:
        if self._word is not None:
            self._command.words.append(self._word)
            self._word = None

    def _begun(self) -> Word:
        if self._word is None:
            self._word = Word()
            if not self._command.words:
                self._command.line = self._line_of(self._at)
        return self._word

    def _begin_quote(self) -> None:
        word = self._begun()
        if word.quoted_from is None:
            word.quoted_from = len(word.text)

    def _add(self, text: str, *, is_literal: bool) -> None:
        word = self._begun()
        word.text += text
        word.is_literal = word.is_literal and is_literal

    def _is_escaped(self, at: int) -> bool:
        before = self._text[max(0, at - 1000) : at]
        return (len(before) - len(before.rstrip("\\"))) % 2 == 1

    def _line_of(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1
