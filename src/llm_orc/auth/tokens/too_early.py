"""Say that a sign-in can't be refreshed yet: its server allows it later, and an earlier refresh would end it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_orc.auth.credential import DEFAULT_ACCOUNT
from llm_orc.errors import RefreshTooEarly

if TYPE_CHECKING:
    from llm_orc.auth.credential import Entry, OAuthToken


def refreshable_from(token: OAuthToken) -> str:
    """Return from when its server allows a refresh, as text for a person."""
    assert token.earliest_refresh_at is not None  # asked only of tokens that have such a time
    return f"{datetime.fromtimestamp(token.earliest_refresh_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def too_early(entry: Entry, token: OAuthToken, *, was_refused: bool) -> RefreshTooEarly:
    """`was_refused`: the provider no longer accepts the access token, so that waiting is not all one can do."""
    assert token.earliest_refresh_at is not None  # asked only of tokens that have such a time
    whose, when = f"the sign-in `{entry.provider}` (account `{entry.account}`)", refreshable_from(token)
    if not was_refused:
        return RefreshTooEarly(
            f"{whose} can't be refreshed before {when}: its server allows no earlier refresh",
            not_before=token.earliest_refresh_at,
            hint="There is nothing to do: from then on, the next call refreshes it automatically.",
        )
    return RefreshTooEarly(
        f"the provider no longer accepts the access token of {whose}, and its server allows no refresh before"
        f" {when}",
        not_before=token.earliest_refresh_at,
        hint=f"Sign in again: `{sign_in_command(entry)}`. Only that helps if llm-orc was disconnected in the"
        " account at the provider.",
    )


def sign_in_command(entry: Entry) -> str:
    """Return the command that replaces this sign-in with another one."""
    account = f" --account {entry.account}" if entry.account != DEFAULT_ACCOUNT else ""
    return f"llm-orc auth add {entry.provider}{account}"
