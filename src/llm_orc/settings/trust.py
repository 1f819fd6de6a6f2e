"""What the user has allowed for good, in `trust.json`: values in files of projects, and bills of ensembles."""

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
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeGuard

SETTINGS = ".llm-orc"  # the part with all settings of a project; an ensemble's file is named by its path in it
_VERSION = 2
_FIRST_VERSION = 1  # one digest for a project, of some of its settings: no longer valid, and asked for again
_LONGEST_WAIT_S = 30.0

Parts = dict[str, str]  # SHA-256 of the values that the user agreed to, by part
Bills = list[list[str]]  # what the user agreed to pay for, in the words of whoever asked
_MOST_KEPT = 8  # states of one ensemble with a yes; the oldest is forgotten first


@dataclass(frozen=True, slots=True)
class TrustedProject:
    """A project, and the parts of it that are trusted."""

    root: Path
    parts: Parts


@dataclass(frozen=True, slots=True)
class _Content:
    """The file's content: parts by project, and by ensemble's file the bills for each state of it."""

    projects: dict[str, Parts]
    agreements: dict[str, dict[str, Bills]]


class TrustStore:
    """Reads the file again for each query. A damaged file is an error and stays unchanged."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_trusted(self, root: Path, part: str, digest: str) -> bool:
        """True if the user trusted this part of `root` with exactly these values. Raises `StorageError`."""
        return self._read().projects.get(_key(root), {}).get(part) == digest

    def trust(self, root: Path, parts: Mapping[str, str]) -> None:
        """Trust these parts of `root`, replacing their earlier values."""
        with self._alone():
            content = self._read()
            content.projects[_key(root)] = {**content.projects.get(_key(root), {}), **parts}
            self._write(content)

    def forget(self, root: Path) -> bool:
        """Remove `root`; return whether it was there."""
        with self._alone():
            content = self._read()
            found = content.projects.pop(_key(root), None)
            if found is not None:
                self._write(content)
            return found is not None

    def listing(self) -> tuple[TrustedProject, ...]:
        return tuple(TrustedProject(Path(root), parts) for root, parts in sorted(self._read().projects.items()))

    def agreed(self, file: str, digest: str) -> Bills:
        """Return the bills agreed to for this ensemble's file with exactly this content. Raises `StorageError`."""
        return self._read().agreements.get(file, {}).get(digest, [])

    def agree(self, file: str, digest: str, bills: Iterable[Sequence[str]]) -> None:
        """Keep a yes to bills, beside what was agreed to before for the same content."""
        with self._alone():
            content = self._read()
            states = content.agreements.setdefault(file, {})
            kept = states.pop(digest, [])
            states[digest] = kept + [new for bill in bills if (new := list(bill)) not in kept]
            for oldest in [*states][:-_MOST_KEPT]:
                del states[oldest]
            self._write(content)

    def disagree(self, file: str) -> bool:
        """Withdraw every yes for this file; return whether there was one."""
        with self._alone():
            content = self._read()
            found = content.agreements.pop(file, None)
            if found is not None:
                self._write(content)
            return found is not None

    def agreements(self) -> dict[str, dict[str, Bills]]:
        """Return the bills agreed to, by file and by the digest of its content."""
        return self._read().agreements

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude other writers, so that none removes what another has just added."""
        with exclusive(self.path.with_name("trust.lock"), wait_s=_LONGEST_WAIT_S) as held:
            if not held:
                raise StorageError(
                    f"another process has been changing `{self.path}` for {_LONGEST_WAIT_S:g} s", hint="Try again."
                )
            yield

    def _read(self) -> _Content:
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return _Content({}, {})
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
            return _Content({}, {})
        if not all(isinstance(digest, str) for parts in projects.values() for digest in parts.values()):
            raise self._damaged("its `projects` are malformed")
        agreements = content.get("agreements", {})
        if not _is_agreements(agreements):
            raise self._damaged("its `agreements` are malformed")
        return _Content(dict(projects), agreements)

    def _damaged(self, why: str) -> StorageError:
        return StorageError(
            f"`{self.path}` is damaged: {why}",
            hint="It was left unchanged. Repair or remove it, and trust the projects again with `llm-orc trust`.",
        )

    def _write(self, content: _Content) -> None:
        document = {
            "version": _VERSION,
            "projects": dict(sorted(content.projects.items())),
            "agreements": dict(sorted(content.agreements.items())),
        }
        write_private(self.path, json.dumps(document, indent=2).encode() + b"\n")


def _is_agreements(value: object) -> TypeGuard[dict[str, dict[str, Bills]]]:
    return isinstance(value, dict) and all(
        isinstance(states, dict)
        and all(
            isinstance(bills, list)
            and all(
                isinstance(bill, list) and len(bill) == 6 and all(isinstance(w, str) for w in bill)
                for bill in bills
            )
            for bills in states.values()
        )
        for states in value.values()
    )


def _key(root: Path) -> str:
    """Return the canonical name of a directory: links resolved, and on Windows case-insensitive."""
    return os.path.normcase(root.resolve())
