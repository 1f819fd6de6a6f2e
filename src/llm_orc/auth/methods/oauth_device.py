"""Sign in on another device (RFC 8628): for machines without a browser."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from llm_orc.auth.methods.base import failed_at_token_endpoint, login_with_token
from llm_orc.auth.methods.browser_visit import VisitOptions, check_somebody_is_here, open_in_time
from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.oauth.device import poll_for_token, request_device_code
from llm_orc.auth.oauth.metadata import resolve
from llm_orc.auth.oauth.token_endpoint import TokenEndpointError
from llm_orc.dataclass import dataclass
from llm_orc.net.transport import Transport

if TYPE_CHECKING:
    from llm_orc.auth.methods.base import Ask, Login


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """One sign-in by device code. The code is always shown, even if a browser opens."""

    client: OAuthClient
    transport: Transport
    options: VisitOptions
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def log_in(self, ask: Ask) -> Login:
        check_somebody_is_here(ask, self.options, can_wait=True, flags=" --device")
        client = await resolve(self.client, self.transport)
        try:
            device = await request_device_code(client, self.transport, clock=self.clock)
            ask.show_device_code(device)
            if not self.options.no_browser and self.options.browser.may_open:
                await open_in_time(ask, device.verification_uri_complete or device.verification_uri)
            token = await poll_for_token(client, self.transport, device, clock=self.clock, sleep=self.sleep)
        except TokenEndpointError as e:
            raise failed_at_token_endpoint(e, client.provider) from None
        return login_with_token(client, token)
