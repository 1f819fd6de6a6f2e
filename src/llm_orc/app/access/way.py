"""One way in for one choice of model: what it would send, how it stands, who pays, and whether a run takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from llm_orc.agents.choice import ModelChoice
from llm_orc.auth.access import Billing, Method
from llm_orc.auth.sources.source import FoundCredential
from llm_orc.auth.standing import Standing
from llm_orc.catalog.rows import ProviderSpec
from llm_orc.errors import LlmOrcError
from llm_orc.providers.official_cli.state import CliState

Place = Literal["configuration", "store", "program", "older-store", "environment", "profile", "nowhere"]


@dataclass(frozen=True, slots=True)
class Way:
    """`method` None: nobody can tell, for the entry can't be read. `choice` and `spec` are of who is really asked.

    `problem` says why it can't be used, `bar` why no run considers it (empty: one may), `why` why one does.
    `is_agreed`: its user has said, for this very provider, that it may bill; `is_set_up`: they put it there.
    """

    choice: ModelChoice
    spec: ProviderSpec
    method: Method | None
    place: Place
    where: str
    label: str
    billing: Billing
    standing: Standing
    why: str = ""
    bar: str = ""
    problem: LlmOrcError | None = field(default=None, compare=False)
    is_agreed: bool = False
    is_set_up: bool = False
    found: FoundCredential | None = field(default=None, repr=False)
    origin: str = ""  # the server that the credential would go to; empty: not known, or a program's
    cli: CliState | None = None
    is_used: bool = False

    @property
    def is_active(self) -> bool:
        return self.found is None or self.found.is_active

    @property
    def may_be_taken(self) -> bool:
        """True where a run takes it, first or after another one has failed."""
        return not self.bar and self.problem is None

    @property
    def name(self) -> str:
        """A few words for it among the ways of its provider."""
        if self.place == "store" and self.found is not None and self.found.entry is not None:
            return f"the stored account `{self.found.entry.account}`"
        return self.where
