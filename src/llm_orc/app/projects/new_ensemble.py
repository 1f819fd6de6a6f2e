"""Create an ensemble: a new file, from a packaged one or from a commented template."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

from llm_orc.agents.spec import Source
from llm_orc.app.projects.json_schemas import schema_text
from llm_orc.dataclass import dataclass
from llm_orc.ensembles.field_types import ensemble_name
from llm_orc.ensembles.parse import load_ensemble_file, parse_ensemble_text
from llm_orc.ensembles.surroundings import PACKAGED
from llm_orc.errors import EnsembleNotFound, InputError
from llm_orc.storage.atomic import write_private
from llm_orc.storage.field_types import WrongValue
from llm_orc.storage.suggest import did_you_mean

if TYPE_CHECKING:
    from pathlib import Path

    from llm_orc.app.wiring import App

Where = Literal["project", "user"]
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
_NOT_IN_FILE_NAMES = re.compile(r'[<>:"|?*\x00-\x1f. ]+')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # as files, on Windows
_NAME_LINE = re.compile(r"^name:.*$", re.MULTILINE)
_SCHEMA_FILE = "ensemble.schema.json"
_FOR_EDITORS = f"# yaml-language-server: $schema=../{_SCHEMA_FILE}\n"
_START = """\
name: NAME
description: Two views and a decision
default_task: Should a bakery with 3 employees open on Sundays?

# conversation: NAME        # every run continues this conversation

agents:
  - name: optimist
    model_profile: default  # or a provider and its model: `provider: ollama`, `model: qwen3`
    system_prompt: >-
      You look for what could go well. Name the three strongest reasons in favour, each with a figure that would
      prove it. At most 120 words.
    # temperature: 0.7
    # max_tokens: 2000
    # timeout_seconds: 120
    # fallback_model_profile: NAME   # uses this profile if the model fails

  - name: sceptic
    model_profile: default
    system_prompt: >-
      You look for what could go wrong. Name the three most serious risks, each with a cheap way to find out early.
      At most 120 words.

  - name: chair
    model_profile: default
    depends_on: [optimist, sceptic]  # receives their answers
    # requires: any                  # also runs if one of them failed
    system_prompt: >-
      You decide. Begin with the decision in one sentence, then the reasons that carry it, and what would change
      your mind. At most 120 words.
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A packaged ensemble and its text."""

    name: str
    description: str
    agents: int
    text: str


def templates() -> tuple[Template, ...]:
    """Return the packaged ensembles, by name."""
    found = []
    for path in sorted(PACKAGED.glob("*.yaml")):
        ensemble = load_ensemble_file(path, "packaged").ensemble
        text = path.read_text(encoding="utf-8")
        found.append(Template(ensemble.name, ensemble.description, len(ensemble.agents), text))
    return tuple(found)


def template(name: str) -> Template:
    """Return the packaged ensemble of that name. Raises `EnsembleNotFound` with the closest names."""
    known = templates()
    for one in known:
        if one.name == name:
            return one
    raise EnsembleNotFound(
        f"this release has no packaged ensemble called `{name}`",
        hint=did_you_mean(name, [one.name for one in known]) or "llm-orc library list",
    )


def new_ensemble(
    app: App, name: str, *, source: str | None = None, where: Where | None = None, force: bool = False
) -> Path:
    """Write the file and return its path; `where` None: the project, or the working directory as a new one.

    The schema is written beside it, and named in its first line, so that editors complete and check it.

    Raises `InputError` for an invalid name and for an existing file (unless `force`),
    `EnsembleNotFound` for an unknown source, `StorageError`.
    """
    try:
        ensemble_name(name)
    except WrongValue as e:
        raise InputError(f"`{name}` can't be an ensemble's name: it must be {e}") from e
    text = template(source).text if source is not None else _START
    text = _NAME_LINE.sub(lambda _: f"name: {_as_yaml(name)}", text, count=1)
    file = _folder(app, where) / f"{_file_name(name)}.yaml"
    parse_ensemble_text(text, Source("user", str(file)))  # check that what we write can be read
    if file.exists() and not force:
        raise InputError(f"`{file}` already exists", hint=f"Replace it with `llm-orc new {name} --force`.")
    schema = file.parent.parent / _SCHEMA_FILE
    write_private(schema, schema_text("ensemble").encode())
    write_private(file, (_FOR_EDITORS + text).encode())
    return file


def _folder(app: App, where: Where | None) -> Path:
    if where == "user" or (where is None and app.environment.cwd == app.environment.home):
        return app.paths.config / "ensembles"
    root = app.settings.project.root if app.settings.project is not None else app.environment.cwd
    return root / ".llm-orc" / "ensembles"


def _as_yaml(name: str) -> str:
    is_plain = _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def _file_name(name: str) -> str:
    safe = _NOT_IN_FILE_NAMES.sub("-", name).strip("-") or "ensemble"
    return f"{safe}-ensemble" if _RESERVED.fullmatch(safe) else safe
