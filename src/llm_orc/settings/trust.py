"""Which files of which projects the user trusts, and with which values; stored in `trust.json`."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.dataclass import dataclass
from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTINGS = ".llm-orc"  # the part with all settings of a project; an ensemble's file is named by its path in it
_VERSION = 2
_FIRST_VERSION = 1  # one digest for a project, of some of its settings: no longer valid, and asked for again
_LONGEST_WAIT_S = 30.0

Parts = dict[str, str]  # SHA-256 of the values that the user agreed to, by part


@dataclass(frozen=True, slots=True)
class TrustedProject:
    """A project, and the parts of it that are trusted."""

    root: Path
    parts: Parts


class TrustStore:
    """Reads the file again for each query. A damaged file is an error and stays unchanged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_trusted(self, root: Path, part: str, digest: str) -> bool:
        """True if the user trusted this part of `root` with exactly these values. Raises `StorageError`."""
        return self._read().get(_key(root), {}).get(part) == digest

    def trust(self, root: Path, parts: Mapping[str, str]) -> None:
        """Trust these parts of `root`, replacing their earlier values."""
        with self._alone():
            projects = self._read()
            projects[_key(root)] = {**projects.get(_key(root), {}), **parts}
            self._write(projects)

    def forget(self, root: Path) -> bool:
        """Remove `root`; return whether it was there."""
        with self._alone():
            projects = self._read()
            found = projects.pop(_key(root), None)
            if found is not None:
                self._write(projects)
            return found is not None

    def listing(self) -> tuple[TrustedProject, ...]:
        return tuple(TrustedProject(Path(root), parts) for root, parts in sorted(self._read().items()))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude other writers, so that none removes what another has just added."""
        with exclusive(self.path.with_name("trust.lock"), wait_s=_LONGEST_WAIT_S) as held:
            if not held:
                raise StorageError(
                    f"another process has been changing `{self.path}` for {_LONGEST_WAIT_S:g} s", hint="Try again."
                )
            yield

    def _read(self) -> dict[str, Parts]:
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise StorageError(f"can't read `{self.path}`: {e.strerror or e}") from e
        except (ValueError, RecursionError) as e:
            raise self._damaged("it is not JSON") from e
        version = content.get("version") if isinstance(content, dict) else None
        if version not in (_FIRST_VERSION, _VERSION):
            raise self._damaged("its version is unknown to this release")
        projects = content.get("projects")
        is_right = str if version == _FIRST_VERSION else dict
        if not isinstance(projects, dict) or not all(isinstance(p, is_right) for p in projects.values()):
            raise self._damaged("its `projects` are malformed")
        if version == _FIRST_VERSION:
            return {}
        if not all(isinstance(digest, str) for parts in projects.values() for digest in parts.values()):
            raise self._damaged("its `projects` are malformed")
        return dict(projects)

    def _damaged(self, why: str) -> StorageError:
        return StorageError(
            f"`{self.path}` is damaged: {why}",
            hint="It was left unchanged. Repair or remove it, and trust the projects again with `llm-orc trust`.",
        )

    def _write(self, projects: Mapping[str, Parts]) -> None:
        content = {"version": _VERSION, "projects": dict(sorted(projects.items()))}
        write_private(self.path, json.dumps(content, indent=2).encode() + b"\n")


def _key(root: Path) -> str:
    """Return the canonical name of a directory: links resolved, and on Windows case-insensitive."""
    return os.path.normcase(root.resolve())
