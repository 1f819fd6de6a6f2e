"""Write answers to files below the working directory, for one run."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import all_agents
from llm_orc.agents.path import AgentPath, model_key
from llm_orc.agents.saving.path import same_file_key, why_unusable
from llm_orc.errors import SaveFailed, StorageError
from llm_orc.storage.below.write import check_below, write_below

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from llm_orc.agents.output import AgentOutput
    from llm_orc.agents.spec import AgentGraph


class FileSaver:
    """Implements `engine.shared.SaveAnswer` with files below `root`. No two agents of a run write the same one."""

    def __init__(self, root: Path, graph: AgentGraph, done: Mapping[str, AgentOutput]) -> None:
        """`done` are answers from before; of them, only those count that `graph` says are written."""
        saving = {path for path, spec in all_agents(graph) if spec.save_as is not None}
        self._root = root
        by_path = {AgentPath(agent): output for agent, output in done.items()}
        self._done = {agent: output for agent, output in by_path.items() if model_key(agent) in saving}
        self._agents = {same_file_key(o.saved_as): agent for agent, o in self._done.items() if o.saved_as}

    def prepare(self, agent: AgentPath, path: str) -> None:
        """Raise `SaveFailed` if the answer could not be written to `path`, as far as that is known before."""
        if why := why_unusable(path):
            raise SaveFailed(f"`save_as` of agent `{agent}` is `{path[:200]}`, which {why}")
        other = self._agents.setdefault(same_file_key(path), agent)
        if other != agent:
            raise SaveFailed(
                f"agents `{other}` and `{agent}` would both write `{path}`", hint="Give each its own path."
            )
        try:
            check_below(self._root, path)
        except StorageError as e:
            raise _failure(agent, e) from e

    async def save(self, agent: AgentPath, path: str, output: AgentOutput) -> None:
        """Write the answer, whole or not at all. Raises `SaveFailed`."""
        await asyncio.to_thread(self._write, agent, path, output)

    def save_missing(self, failed: Collection[str] = ()) -> None:
        """Write the answers from before whose files are not there, or could not be written (`failed`)."""
        for agent, output in self._done.items():
            if output.saved_as and (agent in failed or not (self._root / output.saved_as).exists()):
                self._write(agent, output.saved_as, output)

    def _write(self, agent: AgentPath, path: str, output: AgentOutput) -> None:
        if why := why_unusable(path):  # a record may come from elsewhere
            raise SaveFailed(f"the path `{path[:200]}` of agent `{agent}` {why}")
        try:
            write_below(self._root, path, content_of(output))
        except StorageError as e:
            raise _failure(agent, e) from e


def content_of(output: AgentOutput) -> bytes:
    """Return what is written: text as it is, data as indented JSON."""
    if output.data is None:
        return output.text.encode(errors="replace")
    return (json.dumps(output.data, ensure_ascii=False, indent=2) + "\n").encode(errors="replace")


def _failure(agent: AgentPath, error: StorageError) -> SaveFailed:
    return SaveFailed(f"the answer of agent `{agent}`: {error.message}", hint=error.hint)
