"""A closed port of this machine is found out without an HTTP client; whatever else a port may be is left to the client."""

from __future__ import annotations

import socket

import pytest

from llm_orc.net.closed_ports import refuse_closed_port
from llm_orc.net.transport import TransportError, Trouble
from tests.fakes.loopback import Loopback


async def test_a_closed_port_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(TransportError) as caught:
            await refuse_closed_port(f"http://127.0.0.1:{port}/v1")

    assert caught.value.trouble is Trouble.NOT_SENT
    assert f"127.0.0.1:{port}" in caught.value.reason


async def test_an_open_port_passes(server: Loopback) -> None:
    await refuse_closed_port(server.url)


@pytest.mark.parametrize("url", ["http://models.test:1/v1", "http://[::1", "http://127.0.0.1:port/"])
async def test_what_is_not_a_port_of_this_machine_is_left_to_the_client(url: str) -> None:
    await refuse_closed_port(url)
