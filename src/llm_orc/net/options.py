"""How far the network may be trusted and waited for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    ca_file: Path | None = None  # PEM bundle, trusted beside the system's
    connect_timeout_s: float = 15.0
    idle_timeout_s: float = 600.0  # longest silence within a reply
