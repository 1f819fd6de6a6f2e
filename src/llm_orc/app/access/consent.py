"""What calls need beside access: consent to bills and to other addresses, the user's own machine, a person.

No file of an untrusted project can give consent.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

from llm_orc.app.projects.in_force import trust_command
from llm_orc.auth.access import Bill, Billing
from llm_orc.dataclass import dataclass
from llm_orc.errors import (
    AccessNotSupported,
    MeteredNotAllowed,
    NotInteractive,
    NotTrusted,
    PlanCreditsNotAllowed,
)
from llm_orc.settings.change.write import write_settings
from llm_orc.storage.shown_path import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App
    from llm_orc.auth.access import Access
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.runs.recipe import Recipe
    from llm_orc.settings.model import Settings

Paying = Literal["never", "agreed", "plan", "always"]
"""Which calls that may cost are made: none, those with consent, also those on any plan's credits, or all."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Which calls that may cost a person agrees to for one run.

    All with `allow_metered`, none with `free_only`; otherwise those that the person has agreed to: a yes holds for
    what was named in its question.
    """

    allow_metered: bool = False  # all
    free_only: bool = False
    plans: frozenset[str] = frozenset()  # providers whose plan may be used, though it passes into credits
    agreed: frozenset[Bill] = frozenset()  # these too, and nothing that would replace them

    @property
    def paying(self) -> Paying:
        if self.allow_metered:
            return "always"
        return "never" if self.free_only else "agreed"

    def includes(self, refusal: MeteredNotAllowed) -> bool:
        """True if what was refused is agreed to already, so that asking for it again changes nothing."""
        return self.allow_metered or (
            isinstance(refusal, PlanCreditsNotAllowed) and refusal.provider in self.plans
        )

    def including(self, bills: Iterable[Bill] = (), plans: Iterable[str] = ()) -> Consent:
        """Return the consent with a yes to these bills and to the plans of these providers."""
        return replace(self, agreed=self.agreed.union(bills), plans=self.plans.union(plans))


def consent_of(recipe: Recipe) -> Consent:
    """Return what was agreed to when the run or batch of this recipe was started or resumed."""
    return Consent(recipe.allow_metered, plans=frozenset(recipe.plans), agreed=frozenset(recipe.agreed))


def with_consent(recipe: Recipe, consent: Consent) -> Recipe:
    """Return the recipe with what was agreed to before and what is agreed to now."""
    return replace(
        recipe,
        allow_metered=recipe.allow_metered or consent.allow_metered,
        plans=tuple(sorted(consent.plans.union(recipe.plans))),
        agreed=tuple(sorted(consent.agreed.union(recipe.agreed))),
    )


def plan_credits_error(provider: str, source: str) -> PlanCreditsNotAllowed:
    """Return the error for a plan that passes into credits, and to which its user has not said yes."""
    return PlanCreditsNotAllowed(
        f"`{provider}` uses a plan's allowance and, beyond it, whatever its account allows ({source}); that needs"
        " your yes",
        hint=f"Say it once, with `providers.{provider}.allow_plan_credits: true` in config.yaml, or for this run,"
        " with `--allow-metered`.",
        provider=provider,
    )


def remember_plan_credits(app: App, provider: str) -> Path:
    """Keep the yes to the plan of `provider` in the user's config.yaml, and return the file.

    Raises `SettingsError`, `StorageError`.
    """
    file = app.paths.config / "config.yaml"
    write_settings(file, ("providers", provider), {"allow_plan_credits": True})
    return file


Caller = Literal["own machine", "shared store", "open server"]
"""Where calls are made: on the machine of the credential's user and for them alone; by a worker on a store that
other machines share; or by a server that other machines can reach."""

_CALLERS: Mapping[Caller, str] = {
    "own machine": "",
    "shared store": "a worker on a shared store",
    "open server": "a server that other machines can reach",
}


def refuse_elsewhere(spec: ProviderSpec, caller: Caller) -> None:
    """Raise `AccessNotSupported` for a provider that may only be called from its user's own machine."""
    if caller == "own machine" or not spec.calls.own_machine_only:
        return
    page = f" ({spec.calls.terms_page})" if spec.calls.terms_page else ""
    raise AccessNotSupported(
        f"`{spec.name}` is not called by {_CALLERS[caller]}: {spec.calls.own_machine_only}{page}",
        hint="Name another provider for these agents; `llm-orc models list` shows what you have.",
    )


def unattended(app: App) -> App:
    """Return the app for what works without a person, wherever it was started: batches, workers, servers.

    All access that is found with it is refused where its provider needs a person at the terminal.
    """
    return replace(app, environment=replace(app.environment, is_attended=False))


def unattended_error(spec: ProviderSpec) -> NotInteractive | None:
    """Return the error for calls of this provider without a person at the terminal; None: it allows them."""
    if spec.interactive_only is None:
        return None
    return NotInteractive(
        f"`{spec.name}` may only be called while a person is at the terminal: {spec.interactive_only}",
        hint="Run it yourself in a terminal, with `llm-orc invoke` or `llm-orc chat`, or name another provider.",
    )


def interactive_notice(spec: ProviderSpec) -> str | None:
    """Return what a person should know before a run over this provider."""
    if spec.interactive_only is None:
        return None
    return f"`{spec.name}` is for interactive use only: {spec.interactive_only}."


def refuse_withheld(settings: Settings, choice: ModelChoice) -> None:
    """Raise `NotTrusted` if an untrusted project sends calls elsewhere, instead of using the usual address.

    A profile of the user keeps the user's address: what a project sets for it has no effect.
    """
    profile = settings.profiles.get(choice.profile or "")
    is_projects = profile is not None and profile.origin.layer == "project"
    own = [f"model_profiles.{choice.profile}.{key}" for key in ("base_url", "api_key_env", "api_key_file")]
    for withheld in settings.withheld:
        is_providers = withheld.key.startswith(f"providers.{choice.provider}.") and not withheld.is_limit
        if is_providers or (is_projects and withheld.key in own):
            raise NotTrusted(
                f"`{withheld.key}` is set by {withheld.origin}, in a directory that you have not trusted",
                hint="Read what it sets, and allow it with `llm-orc trust`.",
            )


def refuse_unwanted_bill(app: App, route: Route, access: Access, paying: Paying, *, is_chosen: bool) -> None:
    """Raise `MeteredNotAllowed` if `access` may cost and its user has not agreed.

    Naming a provider that bills per token is consent, and so is setting it up with `auth add` if nothing names
    one; being found is not, and neither is being named by an untrusted file. `is_chosen` False: nothing names it,
    and it would replace what costs nothing. Routes on a plan's credits have their user's yes when they come here.
    """
    kind: type[MeteredNotAllowed]
    match access.billing:
        case Billing.LOCAL | Billing.SUBSCRIPTION:
            return
        case Billing.PLAN_CREDITS:
            kind, billed = PlanCreditsNotAllowed, "on your plan's credits"
        case Billing.METERED:
            kind, billed = MeteredNotAllowed, "billed per token"
        case _:
            assert_never(access.billing)
    if paying == "always":
        return
    choice = route.choice
    what = f"`{access.provider}`, {billed} ({access.source})"
    if paying == "never":
        raise kind(f"no call that may cost is made here, and this would use {what}")
    if choice.named_by == "project":
        raise kind(
            f"{shown_path(Path(choice.named_in or ''))} chooses {what}, and you have not trusted its directory",
            hint=f"Read what it sets, and allow it with `{trust_command(app, choice.named_in or '')}`,"
            " or allow this run with `--allow-metered`.",
            named_in=choice.named_in,
        )
    is_found_by_model = choice.profile is None and choice.named_by == "nobody" and choice.model is not None
    if is_found_by_model and access.billing is Billing.METERED and not route.is_agreed:
        raise kind(
            f"`{choice.model}` would be {what}, a provider that neither you nor your config.yaml names",
            hint=f"Name it, with `-m {choice.provider}/{choice.model}`, or allow this run with `--allow-metered`.",
        )
    is_set_up = is_chosen and (route.place == "store" or access.billing is Billing.PLAN_CREDITS)
    if route.is_agreed or choice.named_by in {"ensemble", "user"} or is_set_up:
        return
    raise kind(
        f"the best access found is {what}",
        hint="Allow it for this run with `--allow-metered`, or for good by naming it in config.yaml:"
        f" model_profiles.default.provider: {access.provider}. `--rehearse` costs nothing;"
        " `llm-orc setup` shows other access.",
    )
