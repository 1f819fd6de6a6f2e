"""Options of the network: trusted certificates and time limits."""

from __future__ import annotations

from pathlib import Path

from llm_orc.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Times in seconds; sizes in millions of bytes."""

    ca_file: Path | None = None  # PEM bundle, trusted in addition to the system's
    connect_timeout_s: float = 15.0
    idle_timeout_s: float = 600.0  # longest silence within a reply
    answer_timeout_s: float = 3600.0  # longest wait for one whole answer
    max_answer_mb: int = 64  # millions of bytes that one answer may have, unpacked

    @property
    def max_answer_bytes(self) -> int:
        return self.max_answer_mb * 10**6
