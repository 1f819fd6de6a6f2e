from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_orc.ensembles.ensemble_files import glance_at_name
from llm_orc.ensembles.library import Library
from llm_orc.ensembles.parse import load_ensemble_file
from llm_orc.errors import EnsembleInvalid, EnsembleNotFound
from llm_orc.storage.shown_path import shown_path


class Shelves:
    """A project in a home directory, with the user's folder and the packaged ensembles."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "home"
        self.project = self.home / "project"
        self.config = self.home / "config"
        self.project.mkdir(parents=True)

    def put(self, folder: Path, file: str, name: str, description: str = "") -> Path:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: {name}\ndescription: {description or file}\nagents: [{{name: a}}]\n")
        return path

    def in_project(self, file: str, name: str) -> Path:
        return self.put(self.project / ".llm-orc/ensembles", file, name)

    def for_user(self, file: str, name: str) -> Path:
        return self.put(self.config / "ensembles", file, name)

    def library(self, cwd: Path | None = None) -> Library:
        return Library.around(cwd or self.project, self.config, self.home)

    def found(self, name: str, cwd: Path | None = None) -> tuple[str, str]:
        source = self.library(cwd).find(name, cwd or self.project).ensemble.source
        assert source is not None
        return source.place, source.path


@pytest.fixture
def shelves(tmp_path: Path) -> Shelves:
    return Shelves(tmp_path)


def test_the_project_comes_before_the_user_before_the_packaged(shelves: Shelves) -> None:
    assert shelves.found("quick-answer")[0] == "packaged"

    user = shelves.for_user("mine.yaml", "quick-answer")
    assert shelves.found("quick-answer") == ("user", str(user))

    project = shelves.in_project("deep/er/mine.yml", "quick-answer")
    assert shelves.found("quick-answer") == ("project", str(project))


def test_the_nearest_project_folder_comes_first(shelves: Shelves) -> None:
    outer = shelves.in_project("both.yaml", "both")
    only_outer = shelves.in_project("only.yaml", "only")
    below = shelves.project / "a"
    inner = shelves.put(below / ".llm-orc/ensembles", "both.yaml", "both")

    assert shelves.found("both", below) == ("project", str(inner))
    assert shelves.found("only", below) == ("project", str(only_outer))
    assert shelves.found("both") == ("project", str(outer))


def test_the_oldest_folder_in_the_home_directory_is_no_project(shelves: Shelves) -> None:
    shelves.put(shelves.home / ".llm-orc/ensembles", "old.yaml", "old")

    with pytest.raises(EnsembleNotFound):
        shelves.found("old")


def test_the_name_inside_counts_not_the_files(shelves: Shelves) -> None:
    path = shelves.in_project("some-file.yaml", "panel")

    assert shelves.found("panel") == ("project", str(path))
    with pytest.raises(EnsembleNotFound):
        shelves.found("some-file")


@pytest.mark.parametrize(
    "first_lines",
    ["name: 'my panel'", 'name:   "my panel"  # ours', "name: my panel # ours\r", '"name": my panel', "name: >-\n  my panel",
     "# name: other\nname: my panel", "description: |\n  name: other\nname: my panel"],
)  # fmt: skip
def test_a_name_is_found_however_it_is_written(shelves: Shelves, first_lines: str) -> None:
    path = shelves.in_project("z.yaml", "other")
    path.write_text(f"{first_lines}\nagents: [{{name: a}}]\n")

    assert load_ensemble_file(path).ensemble.name == "my panel"
    assert shelves.found("my panel")[1] == str(path)


def test_a_glance_never_contradicts_the_parser(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for name in ("a", "a b", "'a'", '"a"', "a # b", "a  ", "a'b", "5", "a: b", "!x a", "é", "'it''s'", '"a\\tb"'):
        path.write_text(f"name: {name}\nagents: [{{name: a}}]\n")
        try:
            parsed = load_ensemble_file(path).ensemble.name
        except EnsembleInvalid:
            continue
        assert glance_at_name(path) in {parsed, None}


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"name: [", b"", b"name: other\nagents: 5", b"{name: wanted", b"\x00" * 100]
)
def test_broken_files_elsewhere_make_no_difference(shelves: Shelves, content: bytes) -> None:
    wanted = shelves.in_project("m.yaml", "wanted")
    for name in ("a.yaml", "z.yaml"):
        (wanted.parent / name).write_bytes(content)
    (wanted.parent / "b.yaml").symlink_to(wanted.parent / "nowhere")
    (wanted.parent / "c.yaml").mkdir()

    assert shelves.found("wanted")[1] == str(wanted)
    listing = shelves.library().listing()
    assert "wanted" in {e.name for e in listing.entries}
    assert {wanted.parent / "a.yaml", wanted.parent / "b.yaml"} <= {p.file for p in listing.broken}


def test_the_broken_file_that_is_meant_says_what_is_wrong(shelves: Shelves) -> None:
    path = shelves.in_project("panel.yaml", "panel")
    path.write_text("name: panel\nagents: []\n")

    with pytest.raises(EnsembleInvalid, match="has no `agents`"):
        shelves.found("panel")


@pytest.mark.parametrize("how", ["relative", "absolute", "home"])
def test_a_path_is_taken_as_it_is(shelves: Shelves, how: str) -> None:
    path = shelves.put(shelves.home, "mine.yaml", "anything")
    written = {"relative": "../mine.yaml", "absolute": str(path), "home": "~/mine.yaml"}[how]

    place, found = shelves.found(written)

    assert place == "file"
    assert Path(found).samefile(path)


def test_a_missing_file_names_its_nearest_neighbour(shelves: Shelves) -> None:
    shelves.put(shelves.project, "panel.yaml", "panel")

    with pytest.raises(EnsembleNotFound, match=r"`pannel\.yaml` does not exist") as raised:
        shelves.found("pannel.yaml")

    assert raised.value.hint == "Did you mean `panel.yaml`?"


@pytest.mark.parametrize("path", ["~no-such-user/x.yaml", "a\0b.yaml", "x/" + "y" * 300 + ".yaml", "/"])
def test_an_impossible_path_is_not_found_or_invalid(shelves: Shelves, path: str) -> None:
    with pytest.raises((EnsembleNotFound, EnsembleInvalid)):
        shelves.found(path)


def test_a_mistyped_name_gets_the_nearest_ones_and_where_we_looked(shelves: Shelves) -> None:
    shelves.in_project("x.yaml", "review-panel")

    with pytest.raises(EnsembleNotFound, match="no ensemble is called `reviewpanel`") as raised:
        shelves.found("reviewpanel")

    assert raised.value.hint == "Did you mean `review-panel`?"
    assert f"`{shown_path(shelves.config / 'ensembles')}`" in raised.value.message


def test_a_file_here_is_offered_by_its_path(shelves: Shelves) -> None:
    shelves.put(shelves.project, "panel.yaml", "panel")

    with pytest.raises(EnsembleNotFound) as raised:
        shelves.found("panel")

    assert "./panel.yaml" in (raised.value.hint or "")


def test_the_listing_shows_what_shadows_what(shelves: Shelves) -> None:
    first = shelves.in_project("a.yaml", "panel")
    second = shelves.in_project("b.yaml", "panel")
    user = shelves.for_user("panel.yaml", "panel")

    listing = shelves.library().listing()

    panels = [(e.place, e.path, e.shadowed_by) for e in listing.entries if e.name == "panel"]
    assert panels == [("project", first, None), ("project", second, first), ("user", user, first)]
    assert len(listing.notices) == 1
    assert str(second) in listing.notices[0]
    assert shelves.found("panel")[1] == str(first)


def test_a_file_called_like_its_ensemble_wins_in_its_folder(shelves: Shelves) -> None:
    shelves.in_project("a.yaml", "panel")
    own = shelves.in_project("panel.yaml", "panel")

    listing = shelves.library().listing()

    assert shelves.found("panel")[1] == str(own)
    assert [e.path for e in listing.entries if e.name == "panel" and e.shadowed_by is None] == [own]


def test_the_packaged_ensembles_are_valid_and_have_a_task(shelves: Shelves) -> None:
    listing = shelves.library().listing()

    assert {e.name: e.agents for e in listing.entries} == {
        "code-review": 4,
        "council": 5,
        "debate": 5,
        "multi-role-test": 4,
        "quick-answer": 1,
        "research-synthesis": 3,
        "review-diff": 6,
        "review-repository": 2,
        "research-web": 2,
        "extract-table": 3,
        "translate": 1,
        "folder-digest": 3,
        "watch": 3,
        "advisory-board": 5,
    }
    assert listing.broken == ()
    panel = shelves.library().packaged("multi-role-test")
    assert panel.default_task
    assert panel.agent("chair").depends_on == ("financial-analyst", "marketing-strategist", "legal-advisor")


def test_a_name_is_found_among_many_broken_files(shelves: Shelves) -> None:
    for i in range(50):
        shelves.in_project(f"file-{i}.yaml", f"ensemble-{i}")
        shelves.in_project(f"broken-{i}.yaml", "x").write_text("name: [")

    place, _ = shelves.found("ensemble-37")

    assert place == "project"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_elsewhere_makes_no_difference(shelves: Shelves) -> None:
    shelves.in_project("m.yaml", "wanted")
    shelves.in_project("a.yaml", "secret").chmod(0)

    assert shelves.found("wanted")[0] == "project"
    assert "Permission denied" in shelves.library().listing().broken[0].message


@pytest.mark.parametrize(
    "content",
    [
        "canary",
        "canary: x: y",
        '"canary',
        "name: [canary",
        "canary: 1",
        "name: a\nagents: [canary]",
        "*canary",
        "!canary x",
    ],
)
def test_a_link_shows_nothing_of_what_it_leads_to(tmp_path: Path, content: str) -> None:
    """A cloned project may have a link to a private file, and its own log."""
    private = tmp_path / "private"
    private.write_text(f"{content}\n")
    folder = tmp_path / "work" / ".llm-orc" / "ensembles"
    folder.mkdir(parents=True)
    (folder / "panel.yaml").symlink_to(private)
    library = Library.around(tmp_path / "work", tmp_path / "config", tmp_path)

    said = [str(problem) + str(problem.hint) for problem in library.listing().broken]
    with pytest.raises(EnsembleInvalid) as refused:
        library.find(str(folder / "panel.yaml"), tmp_path)
    said += [refused.value.message, *(str(p) for p in refused.value.problems)]

    assert "canary" not in "".join(said)
    assert all("is a link" in words for words in said)


def test_a_link_to_an_ensemble_is_one(tmp_path: Path) -> None:
    shared = tmp_path / "shared.yaml"
    shared.write_text("name: panel\nagents: [{name: a}]\n")
    folder = tmp_path / "work" / ".llm-orc" / "ensembles"
    folder.mkdir(parents=True)
    (folder / "panel.yaml").symlink_to(shared)

    found = Library.around(tmp_path / "work", tmp_path / "config", tmp_path).find("panel", tmp_path)

    assert found.ensemble.name == "panel"
