"""The access that a call uses and who pays for it, as shown before, during and after a run."""

from __future__ import annotations

from typing import NamedTuple, Self

from llm_orc.catalog.rows import Billing
from llm_orc.dataclass import dataclass

__all__ = ["Access", "Bill", "Billing", "Method"]

Method = str  # "api-key", "oauth", the name of an official CLI, "none" or "sandbox"


@dataclass(frozen=True, slots=True)
class Access:
    """How one model is reached. Contains no secret, so it may go into events, records and output."""

    provider: str
    method: Method
    billing: Billing
    source: str  # for people: "environment variable ANTHROPIC_API_KEY", "no credential needed"
    endpoint: str  # scheme, host and port; the credential is sent nowhere else


class Bill(NamedTuple):
    """What a person agrees to pay for: a model over one access. All are text, as they are stored."""

    provider: str
    model: str
    method: str
    billing: str
    source: str
    endpoint: str

    @classmethod
    def of(cls, model: str, access: Access) -> Self:
        return cls(access.provider, model, access.method, str(access.billing), access.source, access.endpoint)
