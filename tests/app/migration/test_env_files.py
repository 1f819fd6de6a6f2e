"""Keys in `.env` files and start-up files: what is literal is read, what a shell works out is said and never guessed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_orc.app.migration.env_files import KeyLine, read_dotenv, read_fish, read_shell
from tests.examples import many

NAMES = {"K", "L"}


def told(lines: tuple[KeyLine, ...]) -> list[tuple[str, int, str | None]]:
    return [(line.name, line.line, line.value.reveal() if line.value else None) for line in lines]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("K=abc\n", [("K", 1, "abc")]),
        ("export K=abc\r\nL='x'\r\n", [("K", 1, "abc"), ("L", 2, "x")]),
        ("\ufeffK = abc # of the team\n", [("K", 1, "abc")]),
        ('K="x" # it\'s mine\n', [("K", 1, "x")]),
        ("# K=abc\nK=\nOTHER=1", []),
        ("K=abc\nK=abc", [("K", 1, "abc"), ("K", 2, "abc")]),
        ("K=abc\nK=", [("K", 1, None), ("K", 2, None)]),
        ("K=abc\nK=$X", [("K", 1, None), ("K", 2, None)]),
        ("K=${OTHER}", [("K", 1, None)]),
        ('K="a\\nb"', [("K", 1, None)]),
        ("K=a#b", [("K", 1, None)]),
        ("K=a b", [("K", 1, None)]),
        ("K: abc", [("K", 1, None)]),
        ("K='abc", [("K", 1, None)]),
        ('PEM="begin\nK=no\nend"\nL=yes', [("L", 4, "yes")]),
    ],
)
def test_a_dotenv_file_is_read_as_every_reader_would(
    text: str, expected: list[tuple[str, int, str | None]]
) -> None:
    assert told(read_dotenv(text, NAMES)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export K=abc\n", [("K", 1, "abc")]),
        ("export K='abc' L=\"d\"\r\n", [("K", 1, "abc"), ("L", 1, "d")]),
        ("K=abc\nexport K", [("K", 1, "abc")]),
        ("declare -x K=abc; typeset -gx L=d", [("K", 1, "abc"), ("L", 1, "d")]),
        ("# export K=abc\nexport L=d # export K=e", [("L", 2, "d")]),
        ("K=abc", [("K", 1, None)]),
        ("K=abc some-program", [("K", 1, None)]),
        ("export K=$(pass show k)", [("K", 1, None)]),
        ("export K=`pass show k`", [("K", 1, None)]),
        ("export K=~/key", [("K", 1, None)]),
        ("export K=a\nunset K", [("K", 1, None), ("K", 2, None)]),
        ("export K=a; export K=b", [("K", 1, None), ("K", 1, None)]),
        ("if true; then\n  export K=a\nfi\nexport L=b", [("K", 2, None), ("L", 4, "b")]),
        ("x &&\n  export K=a\nexport L=b", [("K", 2, None), ("L", 3, "b")]),
        ("f() {\n  export K=a\n}\nexport L=b", [("K", 2, None), ("L", 4, "b")]),
        ("cat <<EOF\nexport K=a\nEOF\nexport L=b", [("L", 4, "b")]),
        ("TEXT='\nexport K=a\n'\nexport L=b", [("L", 4, "b")]),
        ("export L='b\nexport K=a", [("L", 1, None), ("K", 2, None)]),
        ("alias z='K=a program'", [("K", 1, None)]),
        ('\\#export K=a\n\\"export L=b\n', [("K", 1, None), ("L", 2, None)]),
        ("export K=a\nK=<<EOF\nexport L=b", [("K", 1, None), ("K", 2, None), ("L", 3, None)]),
        ("export K=a\n\\unset K", [("K", 1, None), ("K", 2, None)]),
        ("export K=a L=b\n$x K", [("K", 1, None), ("L", 1, "b"), ("K", 2, None)]),
        ("x | export K\nK=a", [("K", 2, None)]),
        ("if x; then\nexport K\nfi\nK=a", [("K", 4, None)]),
        ("export K\nK=a", [("K", 2, "a")]),
    ],
)
def test_a_shell_profile_tells_literals_that_it_exports(
    text: str, expected: list[tuple[str, int, str | None]]
) -> None:
    assert told(read_shell(text, NAMES)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set -gx K abc\nset --export L 'd'", [("K", 1, "abc"), ("L", 2, "d")]),
        ("export K=abc", [("K", 1, "abc")]),
        ("set -q K", []),
        ("set K abc", [("K", 1, None)]),
        ("set -gx K (cat key)", [("K", 1, None)]),
        ("set -gx K $OTHER", [("K", 1, None)]),
        ("set -gx K a b", [("K", 1, None)]),
        ("set -gx K 'a\\'b'", [("K", 1, None)]),
        ("if true\n  set -gx K a\nend\nset -gx L b", [("K", 2, None), ("L", 4, "b")]),
    ],
)
def test_fish_is_read_by_its_own_rules(text: str, expected: list[tuple[str, int, str | None]]) -> None:
    assert told(read_fish(text, NAMES)) == expected


def test_a_variable_that_is_exported_under_a_condition_is_not_called_unexported() -> None:
    [line] = read_shell("x | export K\nK=a", NAMES)

    assert line.why == "it is exported under a condition"


def test_a_line_that_is_not_understood_says_why_and_shows_nothing() -> None:
    found = (*read_shell("export K=$canary", NAMES), *read_dotenv("K=canary b\nL=canary", NAMES))

    assert all(line.why for line in found if line.value is None)
    assert "canary" not in repr(found)


PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "export ",
                "K=",
                "L=",
                "abc",
                "a.b",
                "'",
                '"',
                "$L",
                "`",
                "\\",
                "\n",
                "\n",
                " ",
                ";",
                "#",
                " # ",
                "&&",
            ),
            *(
                "if true; then\n",
                "fi\n",
                "f() {\n",
                "}\n",
                "<<EOF\n",
                "EOF\n",
                "unset K\n",
                "(",
                ")",
                "|",
                "=",
                "~",
            ),
            *(
                "export K=abc\n",
                "export K='x y'\n",
                'export L="z"\n',
                "K=abc\n",
                "export K\n",
                "\r\n",
                "|| ",
                "false ",
            ),
        ]
    ),
    max_size=12,
).map("".join)


@given(PIECES)
@settings(max_examples=many(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="compares with a real shell")
def test_what_is_told_of_a_profile_is_what_a_real_shell_exports(text: str) -> None:
    found = [line for line in read_shell(text, NAMES) if line.value]
    script = text.replace("\r\n", "\n").encode()
    path = {"PATH": os.environ["PATH"]}

    if (
        not found
        or subprocess.run(["bash", "-n"], input=script, capture_output=True, env=path, check=False).returncode
    ):
        return
    shell = subprocess.run(
        ["bash", "--norc", "-c", '. /dev/stdin >/dev/null 2>&1; printf "\\0"; env -0'],
        input=script,
        capture_output=True,
        env=path,
        timeout=60,
        check=False,
    ).stdout.decode()
    exported = dict(entry.split("=", 1) for entry in shell.split("\0") if "=" in entry)
    for line in found:
        assert line.value is not None
        assert exported.get(line.name) == line.value.reveal()


@given(st.text(max_size=60) | PIECES)
@settings(max_examples=many(200), deadline=None)
def test_no_text_makes_a_reader_fail(text: str) -> None:
    for read in (read_dotenv, read_shell, read_fish):
        for line in read(text, NAMES):
            assert (line.value is None) == bool(line.why)
            assert 1 <= line.line <= text.count("\n") + 1


@given(st.from_regex(r"[A-Za-z0-9_\-./+]{1,40}", fullmatch=True), st.sampled_from(["", "'", '"']), st.booleans())
def test_a_literal_survives_quotes_export_comments_and_line_ends(value: str, quote: str, is_windows: bool) -> None:
    end = "\r\n" if is_windows else "\n"
    text = f"# keys{end}export K={quote}{value}{quote} # mine{end}OTHER=1{end}"

    assert told(read_dotenv(text, NAMES)) == told(read_shell(text, NAMES)) == [("K", 2, value)]
