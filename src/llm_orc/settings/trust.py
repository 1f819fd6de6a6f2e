"""Which project directories the user trusts, and with which guarded settings; kept in `trust.json`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.errors import StorageError
from llm_orc.storage.atomic import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION = 1


@dataclass(frozen=True, slots=True)
class TrustedProject:
    root: Path
    digest: str  # of the guarded settings when the user agreed


class TrustStore:
    """Reads the file anew for each question. A damaged file is an error and stays as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_trusted(self, root: Path, digest: str) -> bool:
        """True where the user trusted `root` with these very settings. Raises `StorageError`."""
        return self._read().get(_key(root)) == digest

    def trust(self, root: Path, digest: str) -> None:
        self._write({**self._read(), _key(root): digest})

    def forget(self, root: Path) -> bool:
        """Return whether `root` was there to forget."""
        projects = self._read()
        found = projects.pop(_key(root), None)
        if found is not None:
            self._write(projects)
        return found is not None

    def listing(self) -> tuple[TrustedProject, ...]:
        return tuple(TrustedProject(Path(root), digest) for root, digest in sorted(self._read().items()))

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as e:
            raise StorageError(f"can't read `{self.path}`: {e.strerror or e}") from e
        except (ValueError, RecursionError) as e:
            raise self._damaged("it is not JSON") from e
        projects = content.get("projects") if isinstance(content, dict) else None
        if content.get("version") != _VERSION if isinstance(content, dict) else True:
            raise self._damaged("it is not of a version that this release knows")
        if not isinstance(projects, dict) or not all(isinstance(d, str) for d in projects.values()):
            raise self._damaged("its `projects` are not as they were written")
        return dict(projects)

    def _damaged(self, why: str) -> StorageError:
        return StorageError(
            f"`{self.path}` is damaged: {why}",
            hint="It was left as it is. Repair or remove it, and trust the projects again with `llm-orc trust`.",
        )

    def _write(self, projects: Mapping[str, str]) -> None:
        content = {"version": _VERSION, "projects": dict(sorted(projects.items()))}
        write_private(self.path, json.dumps(content, indent=2).encode() + b"\n")


def _key(root: Path) -> str:
    """One spelling for one directory: links resolved, and on Windows upper and lower case alike."""
    return os.path.normcase(root.resolve())
