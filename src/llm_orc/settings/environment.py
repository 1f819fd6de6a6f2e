"""Where a process runs, and the settings in its environment variables and in the options of its command."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import Problem
from llm_orc.settings.fields import field_at, plain_fields
from llm_orc.settings.layer import LayerValues, Value
from llm_orc.settings.model import Origin
from llm_orc.storage.field_types import WrongValue
from llm_orc.storage.yaml_build import NotAScalar, plain_value

if TYPE_CHECKING:
    from llm_orc.jsontypes import JsonValue
    from llm_orc.settings.field import Field


@dataclass(frozen=True, slots=True)
class ProcessEnvironment:
    """Where a process runs: its environment variables, platform, home directory and working directory.

    `is_attended`: a person is at its terminal; some providers may only be called then. Its `repr` leaves the
    variables out, which may hold keys.
    """

    environ: Mapping[str, str] = field(repr=False)
    platform: str  # `sys.platform`
    home: Path
    cwd: Path
    is_attended: bool = False

    @classmethod
    def here(cls, *, is_attended: bool = False) -> ProcessEnvironment:
        return cls(dict(os.environ), sys.platform, Path.home(), Path.cwd(), is_attended)


_SWITCHES = {
    "1": True,
    "yes": True,
    "on": True,
    "true": True,
    "0": False,
    "no": False,
    "off": False,
    "false": False,
}


def environment_layer(environ: Mapping[str, str]) -> LayerValues:
    """Read the variables that rows name; an empty one counts as not set."""
    found = LayerValues()
    for path, row in plain_fields():
        written = environ.get(row.variable, "").strip() if row.variable else ""
        if not written:
            continue
        try:
            found.values.append(Value(path, row.type(_from_text(written, row)), Origin("environment")))
        except WrongValue as e:
            found.problems.append(Problem(f"the environment variable `{row.variable}` must be {e.needs}"))
    return found


def flag_layer(flags: Mapping[str, JsonValue]) -> LayerValues:
    """Take flags by dotted key ("runs.max_concurrent"); None: not given. An unknown one is a `KeyError`."""
    found = LayerValues()
    for key, given in flags.items():
        path = tuple(key.split("."))
        row = field_at(path)
        if row is None:
            raise KeyError(key)
        if given is None:
            continue
        try:
            found.values.append(Value(path, row.type(given), Origin("flag")))
        except WrongValue as e:
            found.problems.append(Problem(f"`{key}` must be {e.needs}"))
    return found


def _from_text(written: str, row: Field) -> JsonValue:
    """Return what the text of a variable is in YAML; switches also have the words that shells use."""
    types = row.type.schema.get("type")
    types = types if isinstance(types, list) else [types]
    if "string" in types:
        return written
    if "boolean" in types:
        return _SWITCHES.get(written.lower(), written)
    try:
        return plain_value(written)
    except NotAScalar:
        return written
