"""The program's name."""

from __future__ import annotations

PROGRAM = "llm-orc"
COMPLETE_VARIABLE = "_LLM_ORC_COMPLETE"  # set by the completion scripts; click's naming
