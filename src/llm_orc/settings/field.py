"""`Field`: one key of a YAML file as one row, for ensembles and settings alike.

The readers, the JSON Schemas, shell completion and the tables of the reference pages are made from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, field
from typing import Any, Literal

from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue
from llm_orc.storage.field_types import FieldType

Right = Literal["counts", "chooses", "lowers", "runs", "trust", "never"]
"""What an untrusted project may do with a key.

`counts`: it takes effect at once, because it is only text or structure (prompts, names, dependencies).
`chooses`: it chooses a model, provider, profile or auth method; it takes effect, but is never consent to pay.
`lowers`: a limit, which takes effect if it is lower than the user's; `false` is lower than `true`.
`runs`: it is a part of what starts a program; without trust nothing is started, and a run is refused.
`trust`: it needs trust.
`never`: it only takes effect in the user's own files, trusted or not.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One key. A row without `right` needs trust.

    `description` is plain text of whole sentences, which editors and the reference pages show. `default` is the
    value if none is set; `default_text` describes the default if it is not a value. `attribute` is
    what the program's records call the key, where that differs (`timeout_seconds`, `timeout_s`). `fields` are the
    rows of a mapping whose keys are known, `of_each` those of each value of a mapping with free keys. `variable`
    and `option` name the environment variable and the command-line option that set the same.
    """

    type: FieldType[Any]
    description: str
    right: Right = "trust"
    _: KW_ONLY
    required: bool = False
    hint: str | None = None  # what to do if a required key is missing
    default: JsonValue = None
    default_text: str = ""
    attribute: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    of_each: Mapping[str, Field] = field(default_factory=dict)
    variable: str | None = None
    option: str | None = None
    is_prose: bool = False  # free text, in which `${NAME}` is not a placeholder

    @property
    def is_path(self) -> bool:
        """A file path; relative to the file that names it."""
        return self.type.holds == "path"

    @property
    def is_open(self) -> bool:
        """A mapping with free keys; layers are merged key by key."""
        return self.type.holds == "mapping" and not self.fields


Fields = dict[str, Field]
"""The rows of one mapping by key, in the order in which they are shown. Tables are open: a row may be added."""
