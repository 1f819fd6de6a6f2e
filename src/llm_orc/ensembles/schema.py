"""Which keys of an agent are those of kinds to come."""

from __future__ import annotations

OTHER_KINDS_OF_AGENT = ("script", "ensemble", "loop", "dispatch", "fan_out", "input_key", "when")
