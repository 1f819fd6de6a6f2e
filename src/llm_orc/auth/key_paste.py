"""What people copy along with a key: its name, quotes, a header. It is left out, and that is said."""

from __future__ import annotations

import re
from dataclasses import field

from llm_orc.auth.secret import Secret
from llm_orc.dataclass import dataclass

_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_NAME = re.compile(
    r"(?:(?:export|set|setx|setenv|env|declare\s+-x)\s+|\$env:|-\s+)?(?P<quote>['\"]?)"
    r"(?P<name>[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|(?i:(?:[a-z]+[_-])*(?:api[_-]?)?(?:key|token)))"
    r"(?P=quote)\s*[=:]\s*(?=[^\s=])"
)
_SET = re.compile(r"(?:set|setx|setenv)\s+(?P<name>[A-Z][A-Z0-9_]+)\s+(?=\S)")  # setx and csh have no `=`
_HEADER = re.compile(r"(?i:(?:authorization|x-api-key|x-goog-api-key)\s*:\s*(?:bearer\s+)?|bearer\s+)(?=\S)")
_SHOWN = re.compile(r"[A-Z][A-Z0-9_]{2,60}")
_COMMENT = re.compile(r"\s+#.*")


@dataclass(frozen=True, slots=True)
class Pasted:
    """A key without what was around it. `notes` say what was left out, and repeat nothing of the key.

    `variable` is the name in front of it, where it looks like that of an environment variable.
    """

    key: Secret = field(repr=False)
    notes: tuple[str, ...] = ()
    variable: str = ""


def unwrapped(text: str, variables: tuple[str, ...] = ()) -> Pasted:
    """Return the key in `text`; of several lines `NAME=key`, that of one of `variables`.

    What is no key alone stays as it is: whoever checks it says why.
    """
    text, notes = _line_of(text.removeprefix("\ufeff").strip(), variables)
    variable = ""
    if (named := _NAME.match(text) or _SET.match(text)) and not _HEADER.match(text):
        variable = named["name"] if _SHOWN.fullmatch(named["name"]) else ""
        text = _COMMENT.sub("", text[named.end() :]).rstrip(" \t,;")
        notes += (f"Left out: `{variable}=` in front of the key." if variable else "Left out: the name in front.",)
    text, had_quotes = _without_quotes(text)
    if header := _HEADER.match(text):
        text = text[header.end() :]
        notes += ("Left out: the header's name or scheme in front of the key.",)
    text, had_more = _without_quotes(text)
    if had_quotes or had_more:
        notes += ("Left out: the quotes around the key.",)
    return Pasted(Secret(text), notes, variable)


def _line_of(text: str, variables: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if len(lines) < 2:
        return (lines[0] if lines else text), ()
    named = {found["name"]: line for line in lines if (found := _NAME.match(line))}
    for variable in variables:
        if variable in named:
            return named[variable], (f"Of {len(lines)} lines, that of `{variable}` was taken.",)
    return text, ()


def _without_quotes(text: str) -> tuple[str, bool]:
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip(), True
    return text, False
