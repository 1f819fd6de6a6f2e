"""The rows of the catalog: a provider, an official CLI, a wire protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Literal, assert_never

from llm_orc.catalog.call_rules import NO_RULES, CallRules
from llm_orc.dataclass import dataclass
from llm_orc.jsontypes import JsonValue


class Billing(StrEnum):
    """Who pays for a call."""

    SUBSCRIPTION = "subscription"  # a flat plan: no extra cost per call
    PLAN_CREDITS = "plan-credits"  # a plan's allowance; beyond it, as the account's own settings allow
    METERED = "metered"  # billed per token, to someone's account
    LOCAL = "local"  # this machine: nothing

    @property
    def expense(self) -> int:
        """How sure a bill for the call is: 0 there is none, 1 there may be one, 2 there is one."""
        match self:
            case Billing.LOCAL | Billing.SUBSCRIPTION:
                return 0
            case Billing.PLAN_CREDITS:
                return 1
            case Billing.METERED:
                return 2
            case _:
                assert_never(self)

    @property
    def may_cost(self) -> bool:
        """True if the call may cost more than its user pays anyway, so that it needs their consent."""
        return self.expense > 0


CredentialNeed = Literal["required", "optional", "none"]
DialectName = Literal["anthropic", "openai-chat", "openai-responses", "gemini"]


@dataclass(frozen=True, slots=True)
class DialectRow:
    """One wire protocol."""

    name: DialectName
    dialect: str  # `module:Class` of its `Dialect`; as the next two, imported when a model is built
    model: str = "llm_orc.providers.model:HttpModel"
    fixed_prompt_model: str = (
        "llm_orc.providers.claude:FixedPromptModel"  # where an access fixes the system prompt
    )
    key_header: str = "Authorization"
    key_scheme: str = "Bearer"  # empty: the bare key is the header's value
    models_path: str = "/models"  # behind the base URL: answers with the list of models
    models_query: str = ""  # asks for all of them at once
    path_prefix: str = ""  # all its paths begin so; a base URL that ends with it loses it
    author: str = ""  # the provider whose protocol it is; servers of others may know less of it


@dataclass(frozen=True, slots=True)
class KeyNotice:
    """What a person must agree to before a key is stored, from the provider's own page at `link`."""

    text: str
    link: str
    date: str  # ISO 8601, when the page said so


@dataclass(frozen=True, slots=True)
class InteractiveOnly:
    """Why a provider may only be called while a person is at the terminal, from its own page at `link`."""

    reason: str
    link: str = ""
    date: str = ""  # ISO 8601, when the page said so

    def __str__(self) -> str:
        """Return the reason with its source, as far as that is known."""
        source = ", ".join(part for part in (self.link, f"as of {self.date}" if self.date else "") if part)
        return f"{self.reason} ({source})" if source else self.reason


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """One provider: what it speaks, where it lives, what credential it wants and who pays."""

    name: str
    title: str
    dialect: DialectName
    base_url: str | None  # None: the user's configuration must say
    address_like: str = ""  # what such a base URL looks like
    credential: CredentialNeed = "required"
    api_key_env: tuple[str, ...] = ()  # the first that is set counts
    billing: Billing = Billing.METERED
    is_billing_told: bool = False  # by the user's configuration, so that nothing is inferred from the address
    default_model: str | None = None
    keys_at: str = ""  # the page where a user gets a key
    key_owner: str = ""  # who gives such keys, in words
    key_prefixes: tuple[str, ...] = ()  # what its keys, and no others, begin with: as documented or seen
    shared_prefixes: tuple[str, ...] = ()  # what some of its keys begin with, and those of others, too
    proof_path: str | None = ""  # answers only to a valid key; empty: the list of models; None: nothing free does
    key_notice: KeyNotice | None = None
    max_concurrent: int | None = None  # calls in flight at once, as far as configuration says nothing else
    cli: str | None = None  # the official CLI whose login can serve it
    metered_sibling: str | None = None  # who sells the same models per token: only where the user allows it
    sibling_models: str = ""  # the sibling knows the models whose names begin so; of others it takes its default
    price_id: str = ""  # its name in the price table of genai-prices; empty: no price is known
    profiles_of: str = ""  # the vendor's other program whose sign-in serves it, too
    start_hint: str = ""  # how one gets its server on this machine
    interactive_only: InteractiveOnly | None = None  # set: refused where no person is at the terminal
    caches_prompts: bool = False  # the beginning of a long prompt costs less if it was sent shortly before
    is_offered: bool = True  # where a person chooses a provider
    calls: CallRules = NO_RULES
    # How one signs in, as under `providers.NAME.oauth` of config.yaml; configuration can change any of it.
    oauth: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)

    @property
    def takes_key(self) -> bool:
        """True if it can be called with a key.

        A flat plan has none, nor has one that passes into credits and has a sign-in, unless a page has them.
        """
        signs_in = self.billing is Billing.PLAN_CREDITS and (self.cli is not None or bool(self.oauth))
        is_keyless = self.billing is Billing.SUBSCRIPTION or signs_in
        return self.credential != "none" and (not is_keyless or bool(self.keys_at))


@dataclass(frozen=True, slots=True)
class OfficialCliRow:
    """A vendor's own program that answers with its user's login. It is a provider of the same name, too."""

    name: str
    title: str
    product: str  # what its vendor calls it
    command: str  # on the user's PATH
    driver: str  # `module:Class` of its `OfficialCli`, imported when it is used
    dialect: DialectName
    origin: str  # where its vendor answers it
    install_hint: str
    login_command: tuple[str, ...]
    logout_command: tuple[str, ...]
    variables: tuple[str, ...] = ()  # of the environment, that it may see beside the usual ones
    token_variable: str = ""  # one of them, which holds a sign-in
    token_prefixes: tuple[str, ...] = ()  # what its sign-ins begin with; they are no API keys
    metered_sibling: str | None = None  # who sells the same models per token, and whose keys it must not see
    sibling_models: str = ""  # as in `ProviderSpec`
    models: tuple[str, ...] = ()  # names of models that its vendor documents, if the program lists none
    arguments: tuple[str, ...] = ()  # after the command, where the driver takes them from here
    takes_files: DialectName | None = None  # those of this protocol, beside text; None: text only
    billing: Billing = Billing.SUBSCRIPTION  # who pays for calls with its user's login
    proves_login: bool = True  # else only its user knows who pays, and only agents that name it use it
    interactive_only: InteractiveOnly | None = None  # as in `ProviderSpec`

    @property
    def provider(self) -> ProviderSpec:
        """The row of the provider that has its name."""
        return ProviderSpec(
            name=self.name,
            title=self.title,
            dialect=self.dialect,
            base_url=None,
            credential="none",
            billing=self.billing,
            interactive_only=self.interactive_only,
            cli=self.name,
            metered_sibling=self.metered_sibling,
            sibling_models=self.sibling_models,
        )
