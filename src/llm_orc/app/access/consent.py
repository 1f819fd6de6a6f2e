"""Consent to bills, and to calls that go elsewhere: no file of an untrusted project can give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from llm_orc.app.projects.in_force import trust_command
from llm_orc.auth.access import Billing
from llm_orc.dataclass import dataclass
from llm_orc.errors import AccessNotSupported, MeteredNotAllowed, NotTrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.app.access.route import Route
    from llm_orc.app.wiring import App
    from llm_orc.auth.access import Access
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.settings.model import Settings

Paying = Literal["never", "agreed", "always"]
"""Which metered calls may be made: none in any case, those with consent, or all."""


@dataclass(frozen=True, slots=True)
class Consent:
    """Which metered calls a person agrees to for one run: those agreed to before, all, or none whatever was."""

    allow_metered: bool = False
    free_only: bool = False

    @property
    def paying(self) -> Paying:
        if self.allow_metered:
            return "always"
        return "never" if self.free_only else "agreed"


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


def refuse_withheld(settings: Settings, choice: ModelChoice) -> None:
    """Raise `NotTrusted` if an untrusted project sends calls elsewhere, instead of using the usual address.

    A profile of the user goes where the user says, whatever a project would add to it.
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


def refuse_unwanted_bill(app: App, route: Route, access: Access, paying: Paying, *, is_set_up: bool) -> None:
    """Raise `MeteredNotAllowed` if `access` may cost and its user has not agreed.

    Naming a provider is consent, and so is setting it up with `auth add` if nothing names one; being found is not,
    and neither is being named by an untrusted file.
    """
    if not access.billing.may_cost or paying == "always":
        return
    choice = route.choice
    how = "billed per token" if access.billing is Billing.METERED else "billed to your plan's credits"
    billed = f"`{access.provider}`, {how} ({access.source})"
    if paying == "never":
        raise MeteredNotAllowed(f"no metered call is made here, and this would use {billed}")
    if choice.named_by == "project":
        raise MeteredNotAllowed(
            f"{choice.named_in} chooses {billed}, and you have not trusted its directory",
            hint=f"Read what it sets, and allow it with `{trust_command(app, choice.named_in or '')}`,"
            " or allow this run with `--allow-metered`.",
            named_in=choice.named_in,
        )
    if route.is_agreed or choice.named_by in {"ensemble", "user"} or is_set_up:
        return
    raise MeteredNotAllowed(
        f"the best access found is {billed}",
        hint="Allow it for this run with `--allow-metered`, or for good by naming it in config.yaml:"
        f" model_profiles.default.provider: {access.provider}. `--rehearse` costs nothing;"
        " `llm-orc setup` shows other access.",
    )
