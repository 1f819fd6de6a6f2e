"""How a server ends while it answers, and what it says to those who come meanwhile."""

from __future__ import annotations

import asyncio

from llm_orc.app.history.runs import RunsWanted, list_runs
from llm_orc.sandbox.faults import Fault, Hang
from llm_orc.sandbox.server import Sandbox
from llm_orc.server.http_server import Listening
from tests.app.conftest import Workspace, local, on_sandbox
from tests.server.conftest import Serve

ASKED = {"model": "one", "messages": [{"role": "user", "content": "Is it so?"}]}


async def test_answers_that_outlast_the_grace_are_stopped_and_their_runs_are_recorded_to_their_end(
    workspace: Workspace, serve: Serve
) -> None:
    async with Sandbox(faults=[Fault(Hang())]) as hanging:
        workspace.settings(on_sandbox(hanging))
        workspace.ensemble("one", local("a"))
        async with serve(Listening(grace_s=0)) as place:
            asking = asyncio.create_task(
                place.client.post(f"{place.base_url}/chat/completions", json=ASKED).__aenter__()
            )
            await hanging.wait_for_requests(1)
        await asyncio.gather(asking, return_exceptions=True)

    (run,) = list_runs(place.app, RunsWanted("served"))
    assert run.status == "interrupted"
    assert run.duration_s is not None


async def test_a_stream_that_is_cut_by_the_end_of_the_server_says_so(workspace: Workspace, serve: Serve) -> None:
    async with Sandbox(faults=[Fault(Hang())]) as hanging:
        workspace.settings(on_sandbox(hanging))
        workspace.ensemble("one", local("a"))
        async with serve(Listening(grace_s=0)) as place:
            url = f"{place.base_url}/chat/completions"
            stream = await place.client.post(url, json={**ASKED, "stream": True}).__aenter__()
            await hanging.wait_for_requests(1)
            reading = asyncio.create_task(stream.content.read())
        said, *_ = await asyncio.gather(reading, return_exceptions=True)
        stream.close()

    assert isinstance(said, bytes)
    assert b'"code":"stopping"' in said


async def test_a_server_that_stops_takes_nothing_new_on_connections_that_are_open(
    workspace: Workspace, serve: Serve
) -> None:
    async with Sandbox(faults=[Fault(Hang(), times=1)]) as hanging:
        workspace.settings(on_sandbox(hanging))
        workspace.ensemble("one", local("a"))
        stop = asyncio.Event()
        places = asyncio.Queue[str]()

        async def until_stopped() -> None:
            async with serve(Listening(grace_s=30)) as place:
                places.put_nowait(place.origin)
                await stop.wait()

        server = asyncio.create_task(until_stopped())
        host, _, port = (await places.get()).removeprefix("http://").partition(":")
        kept_in, kept_out = await asyncio.open_connection(host, int(port))
        kept_out.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in await kept_in.readline()
        body = b'{"model": "one", "messages": [{"role": "user", "content": "x"}]}'
        _, asked = await asyncio.open_connection(host, int(port))
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
        asked.write(head + body)
        await hanging.wait_for_requests(1)

        stop.set()
        await asyncio.sleep(0)
        kept_out.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answers = await kept_in.read()
        asked.close()  # so that nothing is waited for any more
        await server
        kept_out.close()

    assert b" 503 " in answers
    assert b"stopping" in answers
