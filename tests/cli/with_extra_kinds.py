"""`llm-orc` with kinds of agent that are not its own: `python with_extra_kinds.py ARGUMENTS`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[2])  # in the place of this folder, whose names are no modules
    from llm_orc.agents.kinds import added
    from llm_orc.cli.main import main
    from tests.agents.extra_kinds import COUNT

    with added(COUNT):
        sys.exit(main())
