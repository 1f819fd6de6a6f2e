"""The access that a call uses and who pays for it, as shown before, during and after a run."""

from __future__ import annotations

from llm_orc.catalog.rows import Billing
from llm_orc.dataclass import dataclass

__all__ = ["Access", "Billing", "Method"]

Method = str  # "api-key", "oauth", the name of an official CLI, "none" or "sandbox"


@dataclass(frozen=True, slots=True)
class Access:
    """How one model is reached. Contains no secret, so it may go into events, records and output."""

    provider: str
    method: Method
    billing: Billing
    source: str  # for people: "environment variable ANTHROPIC_API_KEY", "no credential needed"
    endpoint: str  # scheme, host and port; the credential is sent nowhere else
