"""A route: one way to reach the model of a choice, who pays for it, how it stands and whether a run takes it."""

from __future__ import annotations

from dataclasses import field

from llm_orc.agents.choice import ModelChoice
from llm_orc.auth.access import Billing, Method
from llm_orc.auth.sources.source import FoundCredential
from llm_orc.auth.standing import Standing
from llm_orc.catalog.rows import ProviderSpec
from llm_orc.dataclass import dataclass
from llm_orc.errors import LlmOrcError
from llm_orc.providers.official_cli.state import CliState

Place = str  # the name of a source of `auth.sources.table`, "program" (an official CLI), or "nowhere"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the list that the resolver ranks: runs take the first that they may, status commands show all.

    `choice` and `spec` are of the provider that is really asked. `method` is None where it can't be told, as the
    entry can't be read. `problem` says why the route can't be used, `bar` why no run considers it (empty: one
    may), `why` why one does. `is_agreed`: its user has said, for this very provider, that it may bill;
    `is_set_up`: they put it there.
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
    origin: str = ""  # the server that the credential would be sent to; empty: unknown, or a program's
    cli: CliState | None = None
    is_used: bool = False

    @property
    def is_active(self) -> bool:
        return self.found is None or self.found.is_active

    @property
    def may_be_taken(self) -> bool:
        """True if a run may take it, first or after another one has failed."""
        return not self.bar and self.problem is None

    @property
    def provider(self) -> str:
        """The provider that was chosen."""
        return self.choice.provider or self.spec.name

    @property
    def model(self) -> str | None:
        """The model that was chosen; None: an official CLI's own default."""
        return self.choice.model

    @property
    def evidence(self) -> str:
        """What shows that it is there, in words."""
        entry = self.found.entry if self.found is not None else None
        if self.place == "store" and entry is not None:
            return f"set up with `llm-orc auth add` (account `{entry.account}`)"
        if self.place == "profile" and entry is not None:
            return f"profile `{entry.account}` of `ant auth login`"
        return self.label

    @property
    def name(self) -> str:
        """A few words for it among the routes of its provider."""
        if self.place == "store" and self.found is not None and self.found.entry is not None:
            return f"the stored account `{self.found.entry.account}`"
        return self.where
