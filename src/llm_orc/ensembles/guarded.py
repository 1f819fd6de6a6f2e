"""The values of an ensemble's file that need trust, and what takes effect without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_orc.agents.script.places import is_packaged
from llm_orc.settings.guard import GuardedValue, digest_of
from llm_orc.settings.model import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.agents.work import Program
    from llm_orc.settings.field import Field
    from llm_orc.storage.yaml_source import KeyPath, Located


class Guarded:
    """Collects the guarded values of one document, and removes those without effect without trust."""

    def __init__(self, document: Located, *, trusted: bool) -> None:
        self.values: list[GuardedValue] = []
        self.withheld: list[str] = []
        self._document, self._trusted = document, trusted

    def taken(
        self, path: KeyPath, who: str, values: Mapping[str, Any], fields: Mapping[str, Field]
    ) -> dict[str, Any]:
        """Return the effective `values` of the mapping at `path`; `who` is the prefix of their names."""
        taken = {}
        for key, value in values.items():
            right = fields[key].right
            if right == "counts" or value is None or value == {} or (key, value) == ("model_profile", "default"):
                taken[key] = value
                continue
            line = self._document.key_at((*path, key)).line
            self.values.append(GuardedValue(f"{who}{key}", value, Origin("project", self._document.file, line)))
            # Numbers are compared with the profile's later; for `true` and `false` the lower one is known.
            if self._trusted or right in {"chooses", "runs"} or (right == "lowers" and value is not True):
                taken[key] = value
            else:
                self.withheld.append(f"{who}{key}")
        return taken

    def programs(self, path: KeyPath, key: str, programs: Iterable[Program]) -> None:
        """Guard the content of the files that these programs are, or run. Ours changes with this program alone."""
        line = self._document.key_at(path).line
        for file, digest in ((file, digest) for one in programs for file, digest in one.digests.items()):
            if is_packaged(file):
                continue
            value = GuardedValue(
                f"{key} runs {file}", f"sha256 {digest}", Origin("project", self._document.file, line)
            )
            self.values.append(value)


def ensemble_digest(values: Iterable[GuardedValue]) -> str:
    """Return a digest that changes with `values`, and with no other change of their file."""
    return digest_of(sorted([v.key, digest_of(v.value)] for v in values))
