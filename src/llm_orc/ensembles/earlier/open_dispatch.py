"""Which ensembles a `dispatch` of an earlier release may run, where its file lists none.

Earlier releases looked any name up while they ran. Here, what may run is known before: the ensembles beside the
file whose names its agents are told, or that their programs have in them; if there are none, all that are there.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.path import can_be_step
from llm_orc.agents.script.places import file_at
from llm_orc.ensembles.ensemble_files import ensemble_files, glance_at_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_orc.ensembles.ensemble import Ensemble
    from llm_orc.storage.yaml_source import Located

MOST = 20
"""Ensembles that may run without being named anywhere: more of them have to be listed."""
_LONGEST_PROGRAM = 1_000_000  # bytes that are searched


def may_run(ensemble: Ensemble, document: Located) -> tuple[str, ...]:
    """Return the names of the ensembles that may run; empty: they have to be listed."""
    source = ensemble.source
    if source is None:
        return ()
    folder = Path(source.path).parent
    beside = dict.fromkeys(name for file in ensemble_files(folder) if (name := glance_at_name(file)))
    names = [name for name in beside if name != ensemble.name and can_be_step(name)]
    told = "\n".join(_texts(ensemble, document))
    named = [name for name in names if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", told)]
    return tuple(named or (names if len(names) <= MOST else ()))


def _texts(ensemble: Ensemble, document: Located) -> Iterator[str]:
    data = document.data
    yield json.dumps(data.get("agents") if isinstance(data, dict) else None, ensure_ascii=False)
    files = {
        file for spec in ensemble.agents for program in needs_of(spec.work).programs for file in program.digests
    }
    for file in sorted(files):
        try:
            with file_at(file).open("rb") as opened:
                yield opened.read(_LONGEST_PROGRAM).decode("utf-8", "replace")
        except OSError:
            continue  # it fails when it is run
