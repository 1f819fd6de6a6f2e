"""The way in that a call uses and who pays for it: what is shown before, during and after a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Billing(StrEnum):
    """Who pays for a call."""

    SUBSCRIPTION = "subscription"  # a flat plan: no extra cost per call
    METERED = "metered"  # per token, on somebody's account
    LOCAL = "local"  # this machine: nothing


Method = Literal["api-key", "oauth", "claude-cli", "codex-cli", "none", "sandbox"]


@dataclass(frozen=True, slots=True)
class Access:
    """How one model is reached. Holds no secret, so it may go into events, records and output."""

    provider: str
    method: Method
    billing: Billing
    source: str  # in words: "environment variable ANTHROPIC_API_KEY", "no credential needed"
    endpoint: str  # scheme, host and port that the credential goes to, and no other
