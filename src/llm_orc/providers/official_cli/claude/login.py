"""Who pays for `claude`: a plan if the source of its login proves it, otherwise unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.claude.managed import managed_token
from llm_orc.providers.official_cli.claude.profiles import active_profile
from llm_orc.providers.official_cli.lines import fields_of, is_true, text_in
from llm_orc.providers.official_cli.state import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.providers.official_cli.lines import Fields
    from llm_orc.providers.official_cli.state import Told


# While somebody is signed in to it, its settings decide where prompts go, whatever plan is logged in.
_ORGANIZATION = "organizationSignInOrgId"


def standing_of(told: Told, env: Mapping[str, str], token_variable: str) -> Standing:
    """Read what `claude auth status` printed in the environment `env`."""
    status = fields_of(told.stdout.encode("utf-8", "replace"))
    if status is None:
        words = one_line(told.stdout or told.stderr, 120)
        return Standing("none") if told.exit_code else Standing("unknown", said=words or "nothing")
    return _proven(status, env, token_variable) or _unproven(status, env, token_variable)


def _proven(status: Fields, env: Mapping[str, str], token_variable: str) -> Standing | None:
    if not is_true(status, "loggedIn") or text_in(status, "apiProvider") != "firstParty":
        return None
    if text_in(status, _ORGANIZATION):
        return None
    method = text_in(status, "authMethod")
    if method == "oauth_token" and env.get(token_variable, "").strip() and managed_token() is None:
        return Standing("token", said=token_variable)
    # A profile may have been used instead, by a version without another sign of a stored plan login.
    if method == "claude.ai" and (is_true(status, "storedClaudeAiLogin") or active_profile(env) is None):
        return Standing("plan", plan=one_line(text_in(status, "subscriptionType"), 40) or None, said=method)
    return None


def _above(status: Fields) -> str:
    """Return what stands above a stored plan, whether anybody is signed in there or not; empty: nothing."""
    server = text_in(status, "apiProvider")
    if server == "gateway":
        return "an apps gateway, which its operator pays for"
    if text_in(status, _ORGANIZATION):
        return "an organization's sign-in, whose settings decide who pays"
    return "" if server in {"", "firstParty"} else one_line(server, 60)


def _unproven(status: Fields, env: Mapping[str, str], token_variable: str) -> Standing:
    if above := _above(status):
        return Standing("metered", said=above)
    method = text_in(status, "authMethod")
    profile = active_profile(env)
    if profile is not None:
        file, kind = profile
        return Standing("metered", said=f"the profile `{file}`, of the kind {one_line(kind, 40)}")
    if status.get("loggedIn") is False:
        return Standing("none")
    if method == "oauth_token":
        managed = managed_token()
        if managed is not None:
            return Standing("metered", said=f"a token of the managed settings `{managed}`")
        return Standing("metered", said=f"a token that is not the {token_variable} of its environment")
    known = method and method != "claude.ai"
    return Standing("metered" if known else "unknown", said=one_line(method, 60) or "nothing")
