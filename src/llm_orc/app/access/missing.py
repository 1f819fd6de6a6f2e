"""The errors where access is missing, each with the next command, and the one error of several agents."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from llm_orc.auth.standing import ANT_SIGN_IN
from llm_orc.auth.stores.ant_profile import PROVIDER as ANT_PROVIDER
from llm_orc.catalog.table import OFFICIAL_CLIS
from llm_orc.errors import AccessNotSupported, AuthError, NotLoggedIn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_orc.agents.choice import ModelChoice
    from llm_orc.auth.stores.ant_profile import AntProfile
    from llm_orc.catalog.rows import ProviderSpec
    from llm_orc.errors import LlmOrcError
    from llm_orc.settings.model import AuthMethodName, ProviderSettings


def elsewhere_error(choice: ModelChoice) -> AuthError:
    """Return the error for a profile with its own address and no key: only a key that it names is sent there."""
    return NotLoggedIn(
        f"profile `{choice.profile}` sends `{choice.provider}` to `{choice.base_url}` and names no key",
        hint=f"Add `api_key_env: VARIABLE` or `api_key_file: PATH` to the profile `{choice.profile}`.",
    )


def missing_error(
    spec: ProviderSpec, own: ProviderSettings, method: AuthMethodName | None, ant: AntProfile
) -> AuthError:
    """Return the error for a missing credential. `method` None: any credential would do."""
    if method in OFFICIAL_CLIS:
        return AccessNotSupported(f"`{spec.name}` has no `{method}`", hint=f"llm-orc auth add {spec.name}")
    if method == "token-command":
        setting = f"providers.{spec.name}.token_command"
        return NotLoggedIn(
            f"`auth_method` of `{spec.name}` is `token-command`, and there is no `{setting}`",
            hint=f"Set it in config.yaml: `{setting}: [PROGRAM, ARGUMENT]`.",
        )
    if method == "oauth" and spec.name == ANT_PROVIDER:
        said = ant.read().notices or (f"there is no profile `{ant.name}` of `{ANT_SIGN_IN}`",)
        return NotLoggedIn(
            f"`auth_method` of `{ANT_PROVIDER}` is `oauth`, but {said[0]}",
            hint=f"Run `{ANT_SIGN_IN}`, or set it to `api-key` (metered: billed per token).",
        )
    if method == "oauth" or (method is None and not spec.api_key_env and own.oauth is not None):
        flag = " --method oauth" if method == "oauth" else ""
        message = f"you are not signed in to `{spec.name}`"
        return NotLoggedIn(message, hint=f"llm-orc auth add {spec.name}{flag}", provider=spec.name)
    where = f" (get a key at {spec.keys_at})" if spec.keys_at else ""
    return NotLoggedIn(
        f"there is no API key for `{spec.name}`",
        hint=f"Run `llm-orc auth add {spec.name}`, or set {_variables(spec)}{where}."
        " `llm-orc setup` shows other access; `--rehearse` runs it for free.",
        provider=spec.name,
    )


def _variables(spec: ProviderSpec) -> str:
    return " or ".join(spec.api_key_env) or f"`providers.{spec.name}.api_key_env`"


def joined_error(failed: Mapping[str, Sequence[LlmOrcError]]) -> LlmOrcError:
    """Return one error for all agents that can't be reached: a line for each cause, with its agents."""
    causes: dict[str, tuple[LlmOrcError, list[str]]] = {}
    for agent, errors in failed.items():
        for error in errors:
            causes.setdefault(error.message, (error, []))[1].append(agent)
    lines = [f"{message} ({_agents(agents)})" for message, (_, agents) in causes.items()]
    joined = copy(next(iter(failed.values()))[0])
    joined.message = "\n".join(lines)
    joined.args = (joined.message,)
    return joined


def _agents(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:4])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"agent{'s' if len(names) > 1 else ''} {shown}{more}"
