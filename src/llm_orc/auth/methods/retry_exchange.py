"""Exchange a code although the server is busy: the same code is sent again, because a new one needs the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from llm_orc.auth.oauth.token_endpoint import Failure, TokenEndpointError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llm_orc.auth.methods.base import Ask

_CODE_LIFETIME_S = 600.0  # at most (RFC 6749 §4.1.2)
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 30.0

T = TypeVar("T")


async def retry_exchange(
    exchange: Callable[[], Awaitable[T]],
    ask: Ask,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """Retry after 429, 5xx and if nothing was sent, as long as the code may be valid; otherwise raise at once."""
    give_up_at = clock() + _CODE_LIFETIME_S
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            return await exchange()
        except TokenEndpointError as e:
            delay_s = max(wait_s, e.retry_after_s or 0.0)
            is_worth_it = e.failure is Failure.COOLDOWN or not e.was_sent
            if not is_worth_it or clock() + delay_s >= give_up_at:
                raise
            ask.progress(f"{e.message}. Trying again in {delay_s:.0f} s.")
        await sleep(delay_s)
        wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
