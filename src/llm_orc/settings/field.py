"""`Field`: one key of a YAML file as one row, for ensembles and settings alike.

The readers, the JSON Schemas, shell completion and the tables of the reference pages are made from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from llm_orc.jsontypes import JsonValue
from llm_orc.storage.field_types import FieldType

Right = Literal["counts", "chooses", "lowers", "trust", "never"]
"""What an untrusted project may do with a key.

`counts`: it counts at once, as it only says something (prompts, names, what waits for what).
`chooses`: it says which model, provider, profile or method to use; it counts, and is never an agreement to pay.
`lowers`: a limit, which counts where it is lower than the user's; of `true` and `false`, the lower one is `false`.
`trust`: it needs trust.
`never`: it counts in the user's own files alone, trusted or not.
"""


@dataclass(frozen=True, slots=True)
class Field:
    """One key. A row that says nothing of `right` needs trust.

    `description` is plain text of whole sentences, which editors and the reference pages show. `default` is the
    value where nobody sets one; `default_text` says in words what counts then, where no value can. `attribute` is
    what the program's records call the key, where that differs (`timeout_seconds`, `timeout_s`). `fields` are the
    rows of a mapping whose keys are known. `variable` and `option` name the environment variable and the
    command-line option that set the same.
    """

    type: FieldType[Any]
    description: str
    right: Right = "trust"
    _: KW_ONLY
    required: bool = False
    hint: str | None = None  # what to do where a required key is missing
    default: JsonValue = None
    default_text: str = ""
    attribute: str | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    variable: str | None = None
    option: str | None = None
    is_prose: bool = False  # free text, where `${NAME}` is not to be filled in

    @property
    def is_path(self) -> bool:
        """A path of a file; a relative one counts from the file that names it."""
        return self.type.holds == "path"

    @property
    def is_open(self) -> bool:
        """A mapping with keys of anybody's choice; layers are merged key by key."""
        return self.type.holds == "mapping" and not self.fields


Fields = dict[str, Field]
"""The rows of one mapping by key, in the order in which they are shown. Tables are open: a row may be added."""
