"""The documentation is true: links lead somewhere, examples parse, commands exist, generated pages are fresh."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

import llm_orc
import reference_tables
import sessions
from llm_orc import errors
from llm_orc.cli.root import is_question, root
from llm_orc.cli.table import COMMANDS
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import LlmOrcError
from llm_orc.settings.load import load_settings
from llm_orc.storage.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """One fenced example and where it stands."""

    page: Path
    line: int
    language: str
    text: str
    is_part: bool  # a file or a notebook's cell, which tests/test_sessions.py runs with the rest of its page

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    return [
        Block(
            page,
            text.count("\n", 0, found.start()) + 1,
            found[1],
            found[2],
            text[: found.start()].endswith(" -->\n"),
        )
        for page in PAGES
        for text in [read(page)]
        for found in FENCE.finditer(text)
        if found[1] in languages
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code forges make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", read(page)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the words after `llm-orc` of every command in the documentation, with where it stands."""
    for block in blocks("sh", "console"):
        is_session = block.language == "console"
        commands = sessions.commands_in(block.text) if is_session else block.text.splitlines()
        for line in commands:
            for part in re.split(r"&&|\|\||\||>|\);", line.replace("\\\n", "").partition(" #")[0]):
                words = shlex.split(part)
                if words and Path(words[0]).name == "llm-orc":
                    yield str(block), words[1:]
    for page in PAGES:
        for inline in re.findall(r"`llm-orc ([^`]+)`", FENCE.sub("", read(page))):
            yield str(page.relative_to(ROOT)), shlex.split(inline.replace("…", "WORDS"))


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that `words` begin with, and the words after it."""
    command: click.Command = root
    if words and is_question(words[0]):
        words = ["ask", *words]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        context = click.Context(command)
        inner = [command.get_command(context, name) for name in words[0].split("|")]
        if not all(inner) and (default := getattr(command, "default", None)):
            inner, words = [command.get_command(context, default)], [default, *words]
        assert all(inner), f"there is no command `{words[0]}`"
        assert inner[0] is not None
        command, words = inner[0], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for target in LINK.findall(FENCE.sub("", read(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)

    assert broken == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached, waiting = set[Path](), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        links = [
            (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(FENCE.sub("", read(page)))
        ]
        waiting += [link for link in links if link.suffix == ".md" and link.is_file() and link not in reached]

    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_every_yaml_example_is_an_ensemble_or_settings_that_can_be_used(block: Block, tmp_path: Path) -> None:
    if re.search(r"^agents:", block.text, flags=re.MULTILINE):
        assert parse_ensemble_text(block.text).ensemble.agents
        return

    config = tmp_path / "config"
    config.mkdir()
    (config / "config.yaml").write_text(block.text, encoding="utf-8")
    settings = load_settings(Paths(config, tmp_path / "state", tmp_path / "cache"), tmp_path, {}, home=tmp_path)

    assert settings.notices == ()
    assert any(origin.layer == "user" for origin in settings.origins.values())


@pytest.mark.slow
def test_every_python_example_runs(tmp_path: Path) -> None:
    ensembles = tmp_path / ".llm-orc" / "ensembles"
    ensembles.mkdir(parents=True)
    panel = next(block for block in blocks("yaml") if block.page.name == "README.md")
    (ensembles / "panel.yaml").write_text(panel.text, encoding="utf-8")
    examples = [block for block in blocks("python") if not block.is_part]

    done = [
        (
            str(block),
            subprocess.run(
                [sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, check=False
            ),
        )
        for block in examples
    ]

    assert examples
    assert {where: run.stderr for where, run in done if run.returncode} == {}
    assert all(run.stdout.strip() for _, run in done)


def test_every_command_shown_exists_with_its_options() -> None:
    shown = list(shown_commands())

    for where, words in shown:
        command, rest = find_command(words)
        known = {"--help", "-h"} | {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
        assert given <= known, f"{where}: llm-orc {' '.join(words)}"
    assert {words[0] for _, words in shown if words} >= {
        "demo",
        "invoke",
        "check",
        "resume",
        "runs",
        "trust",
        "setup",
    }


def test_the_pages_made_from_the_code_are_fresh() -> None:
    script = ROOT / "scripts" / "generate_docs"

    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stdout) == (0, ""), "run scripts/generate_docs"


def test_every_table_that_is_made_stands_once_in_the_reference() -> None:
    shown = [name for page in PAGES for name in reference_tables.names_in(read(page))]

    assert len(shown) == len(set(shown))
    assert {name for name in reference_tables.all_tables() if not name.startswith("library: ")} <= set(shown)


@pytest.mark.parametrize("name", [n for n in reference_tables.all_tables() if not n.startswith("library: ")])
def test_every_row_of_a_table_has_a_meaning(name: str) -> None:
    lines = reference_tables.all_tables()[name]().splitlines()
    heading, _, *rows = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines)

    assert rows
    assert [row for row in rows if not row[heading.index("meaning")]] == []


def test_every_argument_of_a_run_is_described() -> None:
    page = read(ROOT / "docs" / "reference" / "library.md")
    described = re.findall(
        r"^\| `(\w+)` \|", page.partition("| argument | meaning |")[2].partition("\n\n")[0], re.MULTILINE
    )

    assert described == [*inspect.signature(llm_orc.run).parameters]


def test_every_command_has_its_help_in_the_reference() -> None:
    reference = read(ROOT / "docs" / "reference" / "cli.md")

    assert [row.name for row in COMMANDS if f"## `llm-orc {row.name}`" not in reference] == []


def test_every_error_code_is_documented_with_its_meaning() -> None:
    reference = read(ROOT / "docs" / "reference" / "errors.md")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LlmOrcError)]

    rows = dict(re.findall(r"^\| `(\w+)` \| \d+ \| `\w+` \| (.*) \|$", reference, flags=re.MULTILINE))

    assert [kind.code for kind in kinds if not rows.get(kind.code, "").strip()] == []
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_exit_code_is_in_the_table_of_exit_codes() -> None:
    table = read(ROOT / "docs" / "guides" / "ci.md").partition("## Exit codes")[2].partition("\n## ")[0]
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, LlmOrcError)
    }

    rows = re.findall(r"^\| ([\d, ]+) \|", table, flags=re.MULTILINE)

    assert {str(code) for code in codes | {0}} <= {code for row in rows for code in row.split(", ")}


def test_the_glossary_explains_each_term_in_one_sentence_in_alphabetical_order() -> None:
    sections = read(ROOT / "docs" / "glossary.md").split("\n## ")[1:]

    for section in sections:
        entries = [line for line in section.splitlines() if line.startswith("- ")]
        terms = [re.fullmatch(r"- \*\*([\w -]+)\*\*: .+\.", entry) for entry in entries]
        assert all(terms), entries
        names = [term[1] for term in terms if term]
        assert names == sorted(names)
    assert sections


OTHER_WORDS = {
    "way in": "auth method, access",
    "ways in": "auth methods, access",
    "for nothing": "for free",
    "go on with": "resume, continue",
    "goes on with": "resume, continue",
    "begin anew": "start again, start a new run",
    "come along": "are bundled",
    "comes along": "is bundled",
    "lie around": "are found",
    "mend": "fix",
    "what is other": "what differs",
    "put aside": "reserve",
    "put back": "restore",
    "a mistake of ours": "an internal error",
    "going on elsewhere": "running elsewhere",
}
"""Words that earlier texts used, and the usual ones (docs/glossary.md)."""

PROSE = [page for page in PAGES if "reference" not in page.parts and page.name != "layout.md"]


@pytest.mark.parametrize("page", PROSE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_pages_use_the_usual_words(page: Path) -> None:
    text = " ".join(read(page).lower().split())

    found = [f"{word} (rather: {usual})" for word, usual in OTHER_WORDS.items() if re.search(rf"\b{word}\b", text)]

    assert found == []


def test_the_tour_names_every_room() -> None:
    layout = read(ROOT / "docs" / "layout.md")
    rooms = {
        path.stem
        for path in (ROOT / "src" / "llm_orc").iterdir()
        if path.name[0] not in "_." and (path.suffix == ".py" or path.is_dir())
    }

    table = layout.partition("| room |")[2].partition("\n\n")[0]

    assert {room for room in rooms if f"`{room}`" not in table} == set()


def test_every_file_that_the_tour_names_exists() -> None:
    layout = FENCE.sub("", read(ROOT / "docs" / "layout.md"))
    named = {path for path in re.findall(r"`([\w./-]+/[\w.-]+)`", layout) if "<" not in path}

    missing = {
        path for path in named if not any((base / path).exists() for base in (ROOT, ROOT / "src" / "llm_orc"))
    }

    assert missing == set()


def test_every_page_has_its_place_in_the_site() -> None:
    nav = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]

    assert sorted(nav) == sorted(pages)


def test_each_test_that_a_page_names_is_there() -> None:
    named = {found for page in PAGES for found in re.findall(r"`([\w/]+\.py)::(\w+)`", read(page))}

    gone = [f"{file}::{name}" for file, name in named if f"def {name}(" not in read(ROOT / "tests" / file)]
    assert gone == []
    assert named
