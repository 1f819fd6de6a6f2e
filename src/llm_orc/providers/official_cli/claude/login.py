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
    method = text_in(status, "authMethod")
    if method == "oauth_token" and env.get(token_variable, "").strip() and managed_token() is None:
        return Standing("token", said=token_variable)
    # A profile may have been used instead, by a version without another sign of a stored plan login.
    if method == "claude.ai" and (is_true(status, "storedClaudeAiLogin") or active_profile(env) is None):
        return Standing("plan", plan=one_line(text_in(status, "subscriptionType"), 40) or None, said=method)
    return None


def _unproven(status: Fields, env: Mapping[str, str], token_variable: str) -> Standing:
    server, method = text_in(status, "apiProvider"), text_in(status, "authMethod")
    if server not in {"", "firstParty"}:
        return Standing("metered", said=one_line(server, 60))
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
