"""Which files of which projects the user trusts, and with which values; kept in `trust.json`."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_private
from llm_orc.storage.lock import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTINGS = ".llm-orc"  # the part that is all settings of a project; an ensemble's file is called by its path in it
_VERSION = 2
_FIRST_VERSION = 1  # one digest for a project, of some of its settings: it counts no more, and is asked for again
_LONGEST_WAIT_S = 30.0

Parts = dict[str, str]  # SHA-256 of the values that the user agreed to, by the part that they stand in


@dataclass(frozen=True, slots=True)
class TrustedProject:
    """A project, and the parts of it that are trusted."""

    root: Path
    parts: Parts


class TrustStore:
    """Reads the file anew for each question. A damaged file is an error and stays as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_trusted(self, root: Path, part: str, digest: str) -> bool:
        """True where the user trusted this part of `root` with these very values. Raises `StorageError`."""
        return self._read().get(_key(root), {}).get(part) == digest

    def trust(self, root: Path, parts: Mapping[str, str]) -> None:
        """Trust these parts of `root`, in the place of what they were trusted with before."""
        with self._alone():
            projects = self._read()
            projects[_key(root)] = {**projects.get(_key(root), {}), **parts}
            self._write(projects)

    def forget(self, root: Path) -> bool:
        """Return whether `root` was there to forget."""
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
        """No other process writes meanwhile, so that none takes away what another has just added."""
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
            raise self._damaged("it is not of a version that this release knows")
        projects = content.get("projects")
        is_right = str if version == _FIRST_VERSION else dict
        if not isinstance(projects, dict) or not all(isinstance(p, is_right) for p in projects.values()):
            raise self._damaged("its `projects` are not as they were written")
        if version == _FIRST_VERSION:
            return {}
        if not all(isinstance(digest, str) for parts in projects.values() for digest in parts.values()):
            raise self._damaged("its `projects` are not as they were written")
        return dict(projects)

    def _damaged(self, why: str) -> StorageError:
        return StorageError(
            f"`{self.path}` is damaged: {why}",
            hint="It was left as it is. Repair or remove it, and trust the projects again with `llm-orc trust`.",
        )

    def _write(self, projects: Mapping[str, Parts]) -> None:
        content = {"version": _VERSION, "projects": dict(sorted(projects.items()))}
        write_private(self.path, json.dumps(content, indent=2).encode() + b"\n")


def _key(root: Path) -> str:
    """One spelling for one directory: links resolved, and on Windows upper and lower case alike."""
    return os.path.normcase(root.resolve())
