"""Find API keys in `.env` files and shell start-up files. What can't be parsed is reported, never guessed."""

from __future__ import annotations

import re
from dataclasses import field, replace
from typing import TYPE_CHECKING

from llm_orc.app.migration.shell_parser import Command, Unfinished, Word, commands
from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_DOTENV = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*([=:])[ \t]*(.*)")
_PLAIN = re.compile(r"([A-Za-z0-9_\-./+=:@%,~^&*?!|;()\[\]{}<>]*)(?:[ \t]+#.*|[ \t]*)")
_QUOTED = re.compile(r"""(?:"([^"]*)"|'([^']*)')(?:[ \t]+#.*|[ \t]*)""")
_OPENS = frozenset({"if", "for", "while", "until", "case", "select", "foreach", "repeat", "{"})
_CLOSES = frozenset({"fi", "done", "esac", "end", "}"})
_FISH_OPENS = frozenset({"if", "for", "while", "switch", "function", "begin"})
_LEADING = frozenset({"then", "do", "else", "elif", "!", "time", "command", "builtin"})
_UNFINISHED = "a quote or bracket before it is never closed"


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A variable that a file sets. `value` None: it can't be determined; `why` says why. `line` counts from 1."""

    name: str
    line: int
    value: Secret | None = field(default=None, repr=False)
    why: str = ""


def read_dotenv(text: str, names: Collection[str]) -> tuple[KeyLine, ...]:
    """Return the values of `names` in a `.env` file, in the order of its lines; empty values don't count."""
    return _decided(_dotenv(text.removeprefix("\ufeff").split("\n"), names))


def read_shell(text: str, names: Collection[str]) -> tuple[KeyLine, ...]:
    """Return the values of `names` that a start-up file of a POSIX-like shell exports."""
    return _decided([*_Exports(names, is_fish=False).read(text)])


def read_fish(text: str, names: Collection[str]) -> tuple[KeyLine, ...]:
    return _decided([*_Exports(names, is_fish=True).read(text)])


def _decided(lines: Iterable[KeyLine]) -> tuple[KeyLine, ...]:
    """Which of several different assignments takes effect would be a guess, so none does."""
    by_name: dict[str, list[KeyLine]] = {}
    for line in lines:
        by_name.setdefault(line.name, []).append(line)
    found: list[KeyLine] = []
    for several in by_name.values():
        if len({line.value for line in several}) > 1:
            where = ", ".join(str(line.line) for line in several)
            why = f"it is set differently on several lines ({where})"
            found += [replace(line, value=None, why=line.why or why) for line in several]
        else:
            found += several
    kept = (line for line in found if line.value is None or line.value)
    return tuple(sorted(kept, key=lambda line: line.line))


def _dotenv(lines: list[str], names: Collection[str]) -> Iterator[KeyLine]:
    open_quote = ""  # of a multi-line value: its lines are no assignments
    for number, written in enumerate(lines, start=1):
        line = written.rstrip("\r")
        if open_quote:
            open_quote = "" if open_quote in line else open_quote
            continue
        found = _DOTENV.fullmatch(line)
        if found is None:
            continue
        name, sign, rest = found.groups()
        if rest[:1] in {'"', "'"} and rest.count(rest[0]) == 1:
            open_quote = rest[0]
            if not any(open_quote in later for later in lines[number:]):
                open_quote = ""  # readers treat such a file differently, so only this value is left out
                yield from _unread(lines[number - 1 :], number, names)
                return
        if name in names:
            yield _dotenv_value(name, number, sign, rest)


def _dotenv_value(name: str, number: int, sign: str, rest: str) -> KeyLine:
    if sign == ":":
        return KeyLine(name, number, why="it is written with a colon, which not every reader accepts")
    if quoted := _QUOTED.fullmatch(rest):
        double, single = quoted.groups()
        if double is not None and ("$" in double or "\\" in double):
            return KeyLine(name, number, why="its value is computed (`$` or `\\`)")
        return KeyLine(name, number, Secret(double if double is not None else single))
    if plain := _PLAIN.fullmatch(rest):
        return KeyLine(name, number, Secret(plain[1]))
    return KeyLine(name, number, why="its value can't be determined: it contains quotes, `$`, `#` or spaces")


def _unread(lines: list[str], first: int, names: Collection[str]) -> Iterator[KeyLine]:
    for number, line in enumerate(lines, start=first):
        found = _DOTENV.fullmatch(line.rstrip("\r"))
        if found is not None and found[1] in names:
            yield KeyLine(found[1], number, why="a quote on or before this line is never closed")


class _Exports:
    """Follows the commands of one file."""

    def __init__(self, names: Collection[str], *, is_fish: bool) -> None:
        self._names = names
        self._is_fish = is_fish
        self._depth = 0
        self._unexported: dict[str, KeyLine] = {}
        self._exported: set[str] = set()
        self._perhaps_exported: set[str] = set()
        self._seen: set[KeyLine] = set()

    def read(self, text: str) -> Iterator[KeyLine]:
        try:
            for command in commands(text, is_fish=self._is_fish):
                yield from self._noted(self._command(command))
        except Unfinished as e:
            yield from self._noted(self._left(text, e.line))
        for name, line in self._unexported.items():
            if name not in self._exported:
                is_perhaps = name in self._perhaps_exported
                why = "it is exported under a condition" if is_perhaps else "it is set, but not exported"
                yield replace(line, value=None, why=line.why or why)

    def _noted(self, lines: Iterable[KeyLine]) -> Iterator[KeyLine]:
        for line in lines:
            if line.name in self._names and line not in self._seen:
                self._seen.add(line)
                yield line

    def _left(self, text: str, first: int) -> Iterator[KeyLine]:
        for number, line in enumerate(text.split("\n"), start=1):
            for name in self._names:
                if number >= first and re.search(rf"(?<![\w$]){name}(?:=|[ \t]+\S)", line.partition(" #")[0]):
                    yield KeyLine(name, number, why=_UNFINISHED)

    def _command(self, command: Command) -> list[KeyLine]:
        words = self._inside(command.words)
        lines = self._fish(command, words) if self._is_fish else self._posix(command, words)
        if command.is_conditional or self._depth:
            why = "it is inside a condition, a loop or a function"
            return [replace(line, value=None, why=line.why or why) for line in lines]
        return lines

    def _inside(self, words: list[Word]) -> list[Word]:
        """Count the blocks that these words open and close; return the remaining command."""
        while words and words[0].text in _LEADING:
            words = words[1:]
        opens = _FISH_OPENS if self._is_fish else _OPENS
        if words and words[0].quoted_from is None:
            first = words[0].text
            if first in opens or (first == "function" and words[-1].text == "{"):
                self._depth += 1
                return [] if first in {"for", "case", "select", "switch", "function"} else words[1:]
            if first in _CLOSES:
                self._depth = max(0, self._depth - 1)
                return []
        return words

    def _posix(self, command: Command, words: list[Word]) -> list[KeyLine]:
        if not words:
            return []
        first = words[0].text
        if all(_name_in(word) for word in words):
            return self._assigned(command, words)
        if first == "unset":
            return [KeyLine(word.text, command.line, Secret("")) for word in words[1:]]
        is_export = first == "export" or (
            first in {"declare", "typeset"} and any("x" in w.text for w in words[1:] if w.text.startswith("-"))
        )
        if is_export:
            return self._exports(command, words)
        return self._elsewhere(command, words)

    def _assigned(self, command: Command, words: list[Word]) -> list[KeyLine]:
        """Record an assignment: a variable of the shell only, unless it is exported before or after."""
        found = []
        for line in (_assignment(word, command.line) for word in words):
            if line.name in self._exported:
                found.append(line)
            elif line.name in self._names:
                is_clear = line.name not in self._unexported and not command.is_conditional and not self._depth
                why = "it is set on several lines, or under a condition"
                self._unexported[line.name] = line if is_clear else replace(line, value=None, why=why)
        return found

    def _exports(self, command: Command, words: list[Word]) -> list[KeyLine]:
        found = []
        takes_back = words[0].text == "export" and any(w.text.startswith("-") for w in words[1:])
        for word in words[1:]:
            if _name_in(word):
                line = _assignment(word, command.line)
                if earlier := self._unexported.pop(line.name, None):
                    found.append(earlier)
            elif (earlier := self._unexported.get(word.text)) is not None:
                line = self._unexported.pop(word.text)
            elif takes_back:
                line = KeyLine(word.text, command.line)
            else:
                is_certain = not command.is_conditional and not self._depth
                (self._exported if is_certain else self._perhaps_exported).add(word.text)
                continue
            self._exported.add(line.name)
            found.append(replace(line, value=None, why="it is exported with an option") if takes_back else line)
        return found

    def _elsewhere(self, command: Command, words: list[Word]) -> list[KeyLine]:
        """`NAME=value command`, `env NAME=value …`, `alias x='NAME=value …'`: set, but not for all programs."""
        why = "it is set for one command only, or inside a string"
        names = [match[1] for word in words for match in _NAMED.finditer(word.text)]
        if not words[0].is_literal and any(character in words[0].text for character in "$`\\"):
            why = "the shell works out which command it is given to"  # `\unset NAME`, `$x NAME`
            names += [word.text for word in words[1:]]
        return [KeyLine(name, command.line, why=why) for name in names]

    def _fish(self, command: Command, words: list[Word]) -> list[KeyLine]:
        if not words:
            return []
        first, rest = words[0].text, words[1:]
        if first in {"and", "or", "not"}:
            command.is_conditional = True
            return self._fish(command, rest)
        if first == "export":
            return [_assignment(word, command.line) for word in rest if _name_in(word)]
        if first != "set":
            return self._elsewhere(command, words)
        options = [word.text for word in rest if word.text.startswith("-")]
        values = [word for word in rest if not word.text.startswith("-")]
        asks = any(option in {"-q", "--query"} for option in options)
        return [self._fish_set(command, options, values)] if values and not asks else []

    def _fish_set(self, command: Command, options: list[str], values: list[Word]) -> KeyLine:
        name, line = values[0].text, command.line
        short = "".join(option[1:] for option in options if not option.startswith("--"))
        long = {option for option in options if option.startswith("--")}
        if "x" not in short and "--export" not in long:
            return KeyLine(name, line, why="it is set, but not exported")
        if set(short) - set("xgU") or long - {"--export", "--global", "--universal"}:
            return KeyLine(name, line, why="it is set with options that change its meaning")
        if len(values) != 2 or not values[1].is_literal:
            return KeyLine(name, line, why="its value is a list, or computed")
        return KeyLine(name, line, Secret(values[1].text))


def _name_in(word: Word) -> str | None:
    found = _NAMED.match(word.text)
    return found[1] if found and (word.quoted_from is None or word.quoted_from >= found.end()) else None


def _assignment(word: Word, line: int) -> KeyLine:
    name, _, value = word.text.partition("=")
    if not word.is_literal or (value[:1] in {"=", "~"} and word.quoted_from is None):
        return KeyLine(name, line, why="its value is computed")
    return KeyLine(name, line, Secret(value))
