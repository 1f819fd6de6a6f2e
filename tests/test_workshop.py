"""The repository keeps its own promises: versions, dependencies, public names, light imports, nothing private."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import llm_orc
from llm_orc._version import VERSION
from tests import import_graph

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
HEAVY = ("aiohttp", "click", "genai_prices", "msgspec", "pydantic", "rich", "sqlite3", "uvloop", "yaml")


def repository_files() -> list[Path]:
    """Return what belongs to the repository, without asking git: a source archive has none."""
    left_out = {"__pycache__", "build", "dist", "node_modules"}
    kept_hidden = {".ci", ".github", ".gitignore"}

    def walk(folder: Path) -> list[Path]:
        found: list[Path] = []
        for path in sorted(folder.iterdir()):
            if path.name in left_out or (path.name.startswith(".") and path.name not in kept_hidden):
                continue
            found += walk(path) if path.is_dir() else [path]
        return found

    return walk(ROOT)


def dependency_names(requirements: list[str]) -> list[str]:
    return [re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0] for requirement in requirements]


def test_the_version_is_one_and_the_same_everywhere() -> None:
    installed = subprocess.run(
        [Path(sys.executable).with_name("llm-orc"), "--version"], capture_output=True, text=True, check=True
    )

    assert "dynamic" not in PROJECT
    assert VERSION == version("llm-orc") == PROJECT["version"]
    assert installed.stdout == f"llm-orc {PROJECT['version']}\n"


def test_every_extra_is_in_the_extra_all() -> None:
    extras = dict(PROJECT["optional-dependencies"])
    everything = set(extras.pop("all"))

    missing = {name: sorted(set(needed) - everything) for name, needed in extras.items()}

    assert not any(missing.values()), missing


def test_every_runtime_dependency_has_its_reason_in_the_decisions() -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")

    unexplained = [name for name in dependency_names(PROJECT["dependencies"]) if f"| `{name}` |" not in decisions]

    assert unexplained == []


def test_the_lock_file_pins_every_dependency_and_names_no_place_to_get_it_from() -> None:
    text = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    pinned = {line.split("==")[0] for line in lines}
    wanted = dependency_names([*PROJECT["dependencies"], *PYPROJECT["dependency-groups"]["dev"]])

    assert [line for line in lines if "==" not in line] == []
    normalised = {name.replace(".", "-") for name in wanted}  # as lock files write names
    assert sorted(normalised - pinned) == []
    assert not re.search(r"://|@ |--|/(?:\w)", "\n".join(lines))


def test_the_public_names_are_those_of_the_library_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "library.md").read_text(encoding="utf-8")

    documented = re.findall(r"^### `(\w+)`", reference, flags=re.MULTILINE)

    assert sorted(documented) == sorted(llm_orc.__all__)
    assert all(getattr(llm_orc, name) is not None for name in llm_orc.__all__)


@pytest.mark.parametrize(
    ("statement", "too_heavy"),
    [
        pytest.param("import llm_orc", HEAVY, id="import llm_orc"),
        pytest.param("from llm_orc.cli.main import main; main(['--version'])", HEAVY, id="llm-orc --version"),
        pytest.param(
            "from llm_orc.cli.main import main; main(['--help'])",
            tuple(name for name in HEAVY if name != "click"),
            id="llm-orc --help",
        ),
        pytest.param(
            "import llm_orc.app.api, llm_orc.app.conversations.chat, llm_orc.cli.run.carry_out, llm_orc.cli.runs.group",
            ("dbos", "sqlalchemy", "psycopg", "opentelemetry"),
            id="whatever is no batch",
        ),
    ],
)
def test_what_must_be_instant_imports_nothing_heavy(statement: str, too_heavy: tuple[str, ...]) -> None:
    code = f"import sys; {statement}; print(*sys.modules, sep='\\n', file=sys.stderr)"
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}

    done = subprocess.run([sys.executable, "-c", code], env=unmeasured, capture_output=True, text=True, check=True)

    loaded = {name.partition(".")[0] for name in done.stderr.splitlines()}
    assert "llm_orc" in loaded
    assert sorted(loaded & set(too_heavy)) == []


# What takes so long to load that it may be imported inside a function, by those who need it; and what a platform lacks.
HEAVY_TO_LOAD = {
    "aiohttp": "the HTTP client",
    "asyncio": "the event loop",
    "cryptography": "encryption",
    "dbos": "the durable engine",
    "filelock": "locks, asyncio and SQLite",
    "genai_prices": "a table of prices",
    "importlib.metadata": "the reader of installed packages",
    "joserfc": "checks of signatures",
    "jsonschema_rs": "a validator, of 15 MB",
    "keyring": "back ends of keychains",
    "llm_orc.agents.script.document": "typed JSON",
    "llm_orc.agents.script.run": "the event loop and its processes",
    "llm_orc.app.tools.sources": "files, pages, programs and servers as tools",
    "llm_orc.auth.oauth.token_endpoint": "exchanges of tokens",
    "llm_orc.auth.tokens.command_keeper": "what runs token commands",
    "llm_orc.providers.dialects": "the types of wire protocols",
    "llm_orc.providers.official_cli.official": "what starts official CLIs",
    "msgspec": "typed JSON",
    "prompt_toolkit": "an editor of lines",
    "psycopg": "a client of PostgreSQL",
    "rich": "tables and live views",
    "ruamel": "a writer of YAML",
    "sqlalchemy": "the durable engine's database",
    "socket": "numbers of the system as enumerations",
    "sqlite3": "the database",
    "ssl": "TLS",
    "urllib.request": "another HTTP client",
    "uvloop": "an event loop; not on every platform",
    "yaml": "a reader of YAML",
}
# Commands too leave these to functions: their help and the completion of their arguments are to be quick.
HEAVY_FOR_A_COMMAND = {
    "getpass": "a prompt without echo",
    "llm_orc.app.access": "which access is used: credentials, settings and rules",
    "llm_orc.app.accounts": "credentials and sign-ins",
    "llm_orc.app.wiring": "the parts of the program",
    "logging": "for --debug",
    "select": "for terminals",
    "traceback": "for --debug",
    "webbrowser": "for sign-ins",
}
NOT_EVERYWHERE = {"ctypes", "fcntl", "msvcrt", "pwd", "resource", "winreg"}


def test_only_what_is_heavy_is_imported_inside_a_function() -> None:
    """What all commands load, `cli.main` and `cli.shell`, is left out: each of them needs some of it only."""
    wrong = [
        f"{module}:{line}: {target}"
        for module in import_graph.modules()
        if not module.startswith(("llm_orc.cli.main", "llm_orc.cli.root", "llm_orc.cli.shell"))
        for line, target in import_graph.imported_later(module)
        if target.partition(".")[0] not in NOT_EVERYWHERE
        and target.partition(".")[0] not in _heavy_for(module)
        and not _heavy_in(target, _heavy_for(module)) - _heavy_in(module, _heavy_for(module))
    ]

    assert wrong == []


def _heavy_for(module: str) -> dict[str, str]:
    return HEAVY_TO_LOAD | (HEAVY_FOR_A_COMMAND if module.startswith("llm_orc.cli") else {})


def _heavy_in(module: str, table: dict[str, str]) -> set[str]:
    loaded = import_graph.loaded_with(module)  # with the packages around what is loaded
    return {heavy for heavy in table if heavy in loaded or module.startswith(f"{heavy}.")}


# The public API: each argument is an option that its callers know from the command line.
MANY_ARGUMENTS = {
    "llm_orc.app.api.run",
    "llm_orc.app.api.run_sync",
}


def test_a_function_takes_at_most_eight_arguments() -> None:
    """Those of click's commands are left out: each is an option, and a record is made of them at once."""
    too_many = {
        f"{module}.{node.name}"
        for module, tree in import_graph.modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and len(_arguments(node)) > 8
        and not any(
            "define_command" in (how := ast.unparse(d)) or "auth_command" in how for d in node.decorator_list
        )
    }

    assert too_many - MANY_ARGUMENTS == set()


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    declared = node.args
    return [
        arg
        for arg in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs)
        if arg.arg not in {"self", "cls"}
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    private = [
        "/" + "work/",
        "/" + "root/",
        "/" + "opt/wheels",
        "/" + "home/runner",
        "py" + "pi.org",
        "npm" + "js",
    ]
    private += ["pythonhosted" + ".org", "registry" + ".npm"]
    pattern = re.compile(r"(?<![~\w])(?:" + "|".join(map(re.escape, private)) + ")")

    found = []
    for path in repository_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]

    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("src", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


@pytest.mark.skipif(os.name == "nt", reason="the README gives Windows its own variant, and .ci/run needs bash")
def test_ci_runs_the_readmes_commands_themselves() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    commands = dict(re.findall(r"<!-- command: (\w+) -->\n```sh\n(.*)\n```", readme))

    assert commands.keys() == {"demo", "tests"}
    assert all(f"readme_command {name}" in ci for name in commands)
    assert commands["demo"].endswith("llm-orc demo")
    assert commands["tests"].endswith("pytest")


def test_the_readme_stays_short() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert len(readme.splitlines()) <= 210


WITHOUT_EXTRA = """
import importlib.abc, importlib.util, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"dbos", "sqlalchemy", "psycopg"}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hidden())
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "dbos" else real(name, *rest)
from llm_orc.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "command",
    ["batch list", "batch status", "batch resume", "workers", "worker", "runs show last:1"],
)
def test_without_the_extra_it_is_named_and_nothing_else_goes_wrong(tmp_path: Path, command: str) -> None:
    program = [sys.executable, "-c", WITHOUT_EXTRA, *command.split()]

    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)

    assert done.returncode != 0
    assert f"pip install --python {sys.executable} -e" in done.stderr or "-m pip install" in done.stderr
    assert "[batch]" in done.stderr
    assert "mistake" not in done.stderr


def test_a_folder_fits_on_a_screen() -> None:
    source = Path(__file__).parents[1] / "src" / "llm_orc"
    files = {folder: len(list(folder.glob("*.py"))) for folder in (source, *source.rglob("*/")) if folder.is_dir()}

    assert {str(folder): count for folder, count in files.items() if count > 15} == {}
