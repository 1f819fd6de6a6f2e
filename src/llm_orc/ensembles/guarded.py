"""What an ensemble's file says beyond words: what trust is about, and what is left of it without trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.settings.guard import GuardedValue, digest_of
from llm_orc.settings.model import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.settings.field import Field
    from llm_orc.storage.yaml_source import KeyPath, Located


class Guarded:
    """Gathers the guarded values of one document, and takes out what counts for nothing without trust."""

    def __init__(self, document: Located, *, trusted: bool) -> None:
        self.values: list[GuardedValue] = []
        self.withheld: list[str] = []
        self._document, self._trusted = document, trusted

    def taken(
        self, path: KeyPath, who: str, values: Mapping[str, Any], fields: Mapping[str, Field]
    ) -> dict[str, Any]:
        """Return those of `values`, the keys of the mapping at `path`, that count; `who` begins their names."""
        taken = {}
        for key, value in values.items():
            right = fields[key].right
            if right == "counts" or value is None or value == {} or (key, value) == ("model_profile", "default"):
                taken[key] = value
                continue
            line = self._document.key_at((*path, key)).line
            self.values.append(GuardedValue(f"{who}{key}", value, Origin("project", self._document.file, line)))
            # Which numbers are lower is seen beside the profile's; of `true` and `false` it is plain.
            if self._trusted or right == "chooses" or (right == "lowers" and value is not True):
                taken[key] = value
            else:
                self.withheld.append(f"{who}{key}")
        return taken


def ensemble_digest(values: Iterable[GuardedValue]) -> str:
    """Return what changes with every change of `values`, and with no other change of their file."""
    return digest_of(sorted([v.key, digest_of(v.value)] for v in values))
