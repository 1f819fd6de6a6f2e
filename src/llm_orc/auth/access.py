"""The way in that a call uses and who pays for it: what is shown before, during and after a run."""

from __future__ import annotations

from dataclasses import dataclass

from llm_orc.catalog.rows import Billing

__all__ = ["Access", "Billing", "Method"]

Method = str  # "api-key", "oauth", the name of an official CLI, "none" or "sandbox"


@dataclass(frozen=True, slots=True)
class Access:
    """How one model is reached. Holds no secret, so it may go into events, records and output."""

    provider: str
    method: Method
    billing: Billing
    source: str  # in words: "environment variable ANTHROPIC_API_KEY", "no credential needed"
    endpoint: str  # scheme, host and port that the credential goes to, and no other
