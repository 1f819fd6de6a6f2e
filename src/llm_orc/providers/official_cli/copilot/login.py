"""How `copilot` is logged in, as it reports it: its user's own account counts as the plan, nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.errors import AccessNotSupported, MeteredNotAllowed, NotLoggedIn
from llm_orc.net.text import one_line
from llm_orc.providers.official_cli.copilot import messages
from llm_orc.providers.official_cli.lines import is_true, number_in, text_in
from llm_orc.providers.official_cli.state import Standing

if TYPE_CHECKING:
    from llm_orc.catalog.rows import OfficialCliRow
    from llm_orc.errors import AuthError
    from llm_orc.providers.official_cli.lines import Fields

# `copilot login`, and the login of GitHub's own `gh`, which `copilot` uses where it has none: both are a person's
# account with its plan. https://docs.github.com/en/copilot/how-tos/copilot-sdk/auth/authenticate
_OF_ACCOUNT = frozenset({"user", "gh-cli"})
_OTHERS = frozenset({"env", "token", "token-provider", "api-key", "hmac", "copilot-api-token"})


def standing_of(status: Fields) -> Standing:
    """Return what the result of `auth.getStatus` proves. `plan` for no token from elsewhere, no key, no server."""
    if not is_true(status, "isAuthenticated"):
        return Standing("none", said=one_line(text_in(status, "statusMessage"), 120))
    kind = one_line(text_in(status, "authType"), 40)
    if kind in _OF_ACCOUNT:
        return Standing("plan", plan="Copilot", said=kind)
    return Standing("metered" if kind in _OTHERS else "unknown", said=kind)


def problem_of(row: OfficialCliRow, standing: Standing) -> AuthError | None:
    """Return the error for a login that must not be used; None: its user's account pays."""
    match standing.login:
        case "plan":
            return None
        case "none":
            return not_logged_in(row)
        case _:
            return refusal_of(row, standing)


def not_logged_in(row: OfficialCliRow, said: str = "") -> NotLoggedIn:
    """Return the error; `said` is what GitHub or the program say about it."""
    return NotLoggedIn(
        f"`{row.command}` is not logged in" + (f": {said}" if said else ""),
        hint=" ".join(row.login_command),
        provider=row.name,
    )


def refusal_of(row: OfficialCliRow, standing: Standing) -> MeteredNotAllowed:
    """Return the error for a login that is not its user's own account."""
    if standing.login == "unknown":
        what = f"it is unknown whether a Copilot plan pays for `{row.command}`; it reports its login as:"
        what = f"{what} {standing.said or 'nothing'}"
    else:
        what = (
            f"`{row.command}` is logged in with a token or key ({standing.said}), not with its user's own account"
        )
    return MeteredNotAllowed(what, hint=f"Log in with your account: `{' '.join(row.login_command)}`.")


def refuse_other_protocol(row: OfficialCliRow, connected: Fields) -> None:
    """Raise `AccessNotSupported` if the result of `connect` names another version of the protocol."""
    version = number_in(connected, "protocolVersion")
    if version != messages.PROTOCOL_VERSION:
        spoken = "does not say which version" if version is None else f"speaks version {version:g}"
        raise AccessNotSupported(
            f"`{row.command}` {spoken} of its protocol; this release of llm-orc speaks version"
            f" {messages.PROTOCOL_VERSION}",
            hint=f"Update `{row.command}`, and llm-orc.",
        )
