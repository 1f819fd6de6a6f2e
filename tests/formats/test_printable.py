"""What others wrote reaches a person's eye as what it is: nothing unseen, nothing that steers a terminal."""

from __future__ import annotations

import io
import json
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.cli.shell.output.streams import Styled, note, write_data
from llm_orc.cli.shell.prompts import confirmed
from llm_orc.formats.json_values import document, line
from llm_orc.formats.printable import PrintableStream, one_line, printable, unmistakable

UNSEEN = "\u202e\u2066\u200b\u200c\u200d\ufeff\u00ad\u2028\u3164\ufe0f\u034f\U000e0041\U000e0101\ud800\x1b\x07\x9b\x85\r"
hostile = st.text(alphabet=st.one_of(st.sampled_from(UNSEEN + "aä\n\t ✓👩م"), st.characters()))
# Signs that stand around numbers and are seen (Unicode: Prepended_Concatenation_Mark).
SEEN_FORMATS = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}


def is_seen(character: str) -> bool:
    """Joiners and emoji selectors are judged by where they stand, and not here."""
    is_format = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return not is_format or ord(character) in SEEN_FORMATS or character in "\n\t\u200c\u200d"


def test_an_escape_sequence_is_shown_and_not_sent() -> None:
    assert (
        printable("\x1b]0;owned\x07 and \x9b31m\r\nnext\tcolumn")
        == "\\x1b]0;owned\\x07 and \\x9b31m\nnext\tcolumn"
    )


@pytest.mark.parametrize("unseen", sorted(set(UNSEEN)))
def test_what_can_t_be_seen_is_shown_as_an_escape(unseen: str) -> None:
    shown = printable(f"ab{unseen}cd")

    assert shown.startswith("ab\\")
    assert shown.isascii()


@pytest.mark.parametrize("text", ["👩🏽‍💻 ❤️‍🔥 1️⃣ ☎︎", "نمی‌خواهم", "क्‍ष", "日本語", "naïve café", "שלום"])
def test_words_and_signs_of_every_script_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


@given(hostile)
def test_printable_text_has_nothing_unseen(text: str) -> None:
    assert all(map(is_seen, printable(text)))
    assert printable(printable(text)) == printable(text)


@given(hostile, st.lists(st.integers(0, 30), max_size=4))
def test_a_text_that_comes_in_pieces_is_shown_like_the_whole(text: str, cuts: list[int]) -> None:
    stream = PrintableStream()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]

    shown = "".join(stream.feed(text[a:b]) for a, b in pairwise(bounds)) + stream.rest()

    assert shown == printable(text)


@given(hostile)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(hostile)
def test_json_is_safe_to_look_at_and_keeps_every_character(text: str) -> None:
    for encoded in (document({"text": text}), line({"text": text})):
        assert json.loads(encoded) == {"text": text}
        assert all(map(is_seen, encoded))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("base_url: https://\u0430pi.example/v1", "`xn--pi-6kc.example`"),
        ("https://user@\u0430pi.example:8443/", "`xn--pi-6kc.example`"),
        ("llm.ex\u0430mple", "`llm.xn--exmple-4nf`"),
        ("http://模型/v1", "`xn--xgs754b`"),
    ],
)
def test_a_host_in_another_script_is_decided_on_with_its_ascii_form(text: str, form: str) -> None:
    assert unmistakable(text) == f"{text} (in ASCII: {form})"


@given(hostile)
def test_whatever_is_decided_on_can_be_seen(text: str) -> None:
    assert all(map(is_seen, unmistakable(text)))


def test_data_in_a_pipe_steers_no_terminal_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    write_data("an answer \x1b[2J\u202e\n")

    assert capsys.readouterr().out == "an answer \\x1b[2J\\u202e\n"


def test_notes_hold_no_escape_but_our_colours(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    note(Styled("error\x1b[2J", "red"), ": \x1b[31;1mnot ours\u202e")

    assert capsys.readouterr().err == "\x1b[31;1merror\\x1b[2J\x1b[0m: \\x1b[31;1mnot ours\\u202e\n"


def test_a_question_shows_what_it_quotes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    assert confirmed("Trust /home/\u202eevil, with https://\u0430pi.example?") is False

    asked = "".join(capsys.readouterr())
    assert "/home/\\u202eevil" in asked
    assert "xn--pi-6kc.example" in asked
