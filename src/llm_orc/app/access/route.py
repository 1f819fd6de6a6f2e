"""A route: one possible access for a choice of model, with its billing, its state, and whether a run uses it."""

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
    """One possible access for a choice of model.

    The resolver returns the routes in order. A run uses the first one that it may take; status commands show all.
    """

    choice: ModelChoice  # with the provider that is called: for a plan's key, its metered sibling
    spec: ProviderSpec  # the row of that provider
    method: Method | None  # None: the stored entry can't be read, so its method is unknown
    place: Place
    where: str  # the place in words, such as the variable's name
    label: str  # a short description of the credential
    billing: Billing
    standing: Standing
    why: str = ""  # the reason why runs consider this route
    bar: str = ""  # the reason why no run considers it; empty: runs do
    problem: LlmOrcError | None = field(default=None, compare=False)  # the reason why it can't be used
    is_agreed: bool = False  # the user has agreed that this provider may bill
    is_set_up: bool = False  # the user has set it up; otherwise it was only found
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
        """How the route was found, in words."""
        entry = self.found.entry if self.found is not None else None
        if self.place == "store" and entry is not None:
            return f"set up with `llm-orc auth add` (account `{entry.account}`)"
        if self.place == "profile" and entry is not None:
            return f"profile `{entry.account}` of `ant auth login`"
        return self.label

    @property
    def name(self) -> str:
        """A short name that tells it from the provider's other routes."""
        if self.place == "store" and self.found is not None and self.found.entry is not None:
            return f"the stored account `{self.found.entry.account}`"
        return self.where
