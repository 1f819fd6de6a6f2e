"""`files.*`: what an agent sees below a root, and what it never sees."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from llm_orc.agents.tool_sources.files.source import FilesSource
from llm_orc.errors import StorageError
from llm_orc.storage.below.names import parts_of
from tests.agents.tool_sources.uses import called


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src/inner").mkdir(parents=True)
    (root / "src/main.py").write_text("import os\n\ndef main():\n    return os.name\n")
    (root / "src/inner/util.ts").write_text("export const Name = 1\n")
    (root / "README.md").write_text("# Read me\n")
    (root / ".gitignore").write_text("*.log\n/build/\n!kept.log\n")
    (root / "noise.log").write_text("def main\n")
    (root / "kept.log").write_text("def main\n")
    (root / "build").mkdir()
    (root / "build/out.py").write_text("def main\n")
    return root


@pytest.fixture
def files(root: Path) -> FilesSource:
    return FilesSource(root)


async def test_reads_lines_with_their_numbers_and_says_how_to_go_on(files: FilesSource) -> None:
    whole = await called(files, "files.read", path="./src/main.py")
    part = await called(files, "files.read", path="src/main.py", offset=3, limit=1)

    assert whole.text == "1\timport os\n2\t\n3\tdef main():\n4\t    return os.name"
    assert part.text == "3\tdef main():\n\n(more lines follow: go on with `offset: 4`)"
    assert not whole.is_error


async def test_lists_one_level_or_what_matches(files: FilesSource) -> None:
    level = await called(files, "files.list")
    below = await called(files, "files.list", path="src", glob="*.{py,ts}")

    assert level.text.splitlines() == [
        ".gitignore\t24",
        "README.md\t10",
        "build/",
        "kept.log\t9",
        "noise.log\t9",
        "src/",
    ]
    assert below.text.splitlines() == ["src/main.py\t42", "src/inner/util.ts\t22"]


async def test_a_search_leaves_out_what_git_ignores(files: FilesSource) -> None:
    found = await called(files, "files.search", pattern="def main")

    assert found.text.splitlines() == ["kept.log:1: def main", "src/main.py:3: def main():"]


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"pattern": r"^export\s+const (\w+)", "regex": True}, ["src/inner/util.ts:1: export const Name = 1"]),
        ({"pattern": "READ ME", "ignore_case": True}, ["README.md:1: # Read me"]),
        ({"pattern": "READ.ME", "ignore_case": True, "regex": True}, ["README.md:1: # Read me"]),
        ({"pattern": "return", "path": "src/main.py"}, ["src/main.py:4: return os.name"]),
        ({"pattern": "o", "glob": "src/**/*.ts"}, ["src/inner/util.ts:1: export const Name = 1"]),
        ({"pattern": "READ.ME"}, ["(no line matches)"]),
    ],
)
async def test_searches_for_texts_and_expressions(
    files: FilesSource, asked: dict[str, str | bool], lines: list[str]
) -> None:
    assert (await called(files, "files.search", **asked)).text.splitlines() == lines


async def test_no_expression_takes_long(root: Path, files: FilesSource) -> None:
    (root / "evil.txt").write_text("a" * 1900 + "b\n")

    found = await called(files, "files.search", pattern="(a+)+$", regex=True, glob="evil.txt")
    refused = await called(files, "files.search", pattern=r"(a)\1", regex=True)
    globbed = await called(files, "files.list", glob="*a" * 200 + "c")

    assert found.text == "(no line matches)"
    assert refused.is_error
    assert "no usable regular expression" in refused.text
    assert globbed.text == "(no file matches)"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "src/../../outside.txt",
        "/etc/passwd",
        "//etc/passwd",
        "C:\\Windows\\win.ini",
        "c:/Windows/win.ini",
        "\\\\server\\share",
        "src\\main.py",
        "..",
        "src/..",
        "a\0b",
        "x" * 5000,
        "link.txt",
        "linked/outside.txt",
        "linked",
        "src",
        "",
        "missing.txt",
    ],
)
async def test_no_path_leads_out_of_the_root(root: Path, files: FilesSource, path: str) -> None:
    (root.parent / "outside.txt").write_text("outside")
    (root / "link.txt").symlink_to(root.parent / "outside.txt")
    (root / "linked").symlink_to(root.parent)

    read = await called(files, "files.read", path=path)

    assert read.is_error
    assert "outside" not in read.text.replace(path, "")


async def test_links_are_named_and_not_followed(root: Path, files: FilesSource) -> None:
    (root.parent / "outside.txt").write_text("needle")
    (root / "linked").symlink_to(root.parent)
    (root / "link.txt").symlink_to("README.md")

    listed = await called(files, "files.list")
    found = await called(files, "files.search", pattern="needle")
    searched = await called(files, "files.search", pattern="needle", path="linked")

    assert "linked\t(a link, not followed)" in listed.text.splitlines()
    assert found.text == "(no line matches)"
    assert searched.is_error


async def test_a_link_that_is_put_in_meanwhile_is_not_followed(root: Path, files: FilesSource) -> None:
    """Somebody swaps a folder for a link to outside, again and again, while it is read."""
    (root.parent / "outside").mkdir()
    (root.parent / "outside/a.txt").write_text("needle")
    (root / "real").mkdir()
    (root / "real/a.txt").write_text("inside")
    (root / "fake").symlink_to(root.parent / "outside")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name, other in (("real", "at"), ("at", "real"), ("fake", "at"), ("at", "fake")):
                (root / name).rename(root / other)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        texts = set[str]()
        for tries in range(20_000):
            texts.add((await called(files, "files.read", path="at/a.txt")).text)
            if tries > 300 and "1\tinside" in texts:
                break
    finally:
        stop.set()
        swapping.join()

    assert "1\tinside" in texts
    assert not [text for text in texts if "needle" in text]


async def test_a_fifo_or_socket_is_never_waited_for(
    root: Path, files: FilesSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        monkeypatch.chdir(root)  # its whole path may be too long for a socket
        unix.bind("socket")

        read = [await called(files, "files.read", path=name) for name in ("pipe", "socket")]
        found = await called(files, "files.search", pattern="x")

    assert [one.text for one in read] == ["`pipe` is no plain file", "`socket` is no plain file"]
    assert not found.is_error


async def test_binary_and_endless_lines_are_bounded(root: Path, files: FilesSource) -> None:
    (root / "photo.bin").write_bytes(b"\x89PNG\0\0")
    (root / "min.js").write_text("x" * 300_000 + "\nlast")

    binary = await called(files, "files.read", path="photo.bin")
    long = await called(files, "files.read", path="min.js")

    assert binary.text == "`photo.bin` is no text: it is a binary file"
    first, second = long.text.splitlines()
    assert len(first) < 2100
    assert first.endswith("… [the line is longer]")
    assert second == "2\tlast"


async def test_long_files_come_in_parts(root: Path, files: FilesSource) -> None:
    (root / "long.txt").write_text("".join(f"line {i}\n" for i in range(1, 5001)))

    first = await called(files, "files.read", path="long.txt")
    rest = await called(files, "files.read", path="long.txt", offset=4001)
    beyond = await called(files, "files.read", path="long.txt", offset=9000)

    assert first.text.endswith("2000\tline 2000\n\n(more lines follow: go on with `offset: 2001`)")
    assert rest.text.endswith("5000\tline 5000")
    assert beyond.text == "`long.txt` has 5000 lines; there is no line 9000"


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.ENV.production",
        ".git/config",
        ".ssh/known_hosts",
        "keys/id_ed25519",
        "server.pem",
        ".config/gh/hosts.yml",
        "infra/terraform.tfstate",
    ],
)
async def test_files_of_secrets_are_not_shown(root: Path, files: FilesSource, path: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("needle")

    read = await called(files, "files.read", path=path)
    found = await called(files, "files.search", pattern="needle")
    direct = await called(files, "files.search", pattern="needle", path=path)

    assert read.is_error
    assert "needle" not in read.text
    assert found.text == "(no line matches)"
    assert "needle" not in direct.text.replace("no line", "")


async def test_an_example_of_a_file_of_secrets_is_a_file(root: Path, files: FilesSource) -> None:
    (root / ".env.example").write_text("KEY=\n")

    assert (await called(files, "files.read", path=".env.example")).text == "1\tKEY="


async def test_our_own_folders_are_closed_from_wherever_they_are_seen(tmp_path: Path) -> None:
    own = tmp_path / "home/.config/llm-orc"
    own.mkdir(parents=True)
    (own / "config.yaml").write_text("needle: 1\n")
    home = FilesSource(tmp_path / "home", [own])
    inside = FilesSource(own, [own])

    read = await called(home, "files.read", path=".config/llm-orc/config.yaml")
    listed = await called(home, "files.list", path=".config/llm-orc")
    found = await called(home, "files.search", pattern="needle")
    within = await called(inside, "files.read", path="config.yaml")

    assert all(one.is_error and "never shown" in one.text for one in (read, listed, within))
    assert found.text == "(no line matches)"


@pytest.mark.parametrize("name", ["nul", "CON.txt", "com1", "a/LPT9.log", "file.txt:stream", "name. ", "dots..."])
def test_names_of_devices_and_streams_are_no_files_on_windows(name: str) -> None:
    with pytest.raises(StorageError, match="no file on this system"):
        parts_of(name, windows=True)


def test_such_names_are_files_elsewhere() -> None:
    assert parts_of("a/nul", windows=False) == ("a", "nul")
