"""What the tests of signing in on the command line share."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.fakes.sign_in_place import SignInPlace

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator

URL = re.compile(r"http://127\.0\.0\.1:\d+/oauth/authorize\?[^\s\x1b]+")


async def signed_in(place: SignInPlace, *more: str) -> None:
    """Sign in as a script would: the page's address is printed, and a browser elsewhere follows it."""
    async with waiting(place, "sandbox", *more) as (process, url):
        await asyncio.to_thread(visit, url)
        out, err = await said_by(process)
    place.spoken += [out, err]
    assert process.returncode == 0, err


@asynccontextmanager
async def waiting(place: SignInPlace, *arguments: str) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """A sign-in without a terminal that has printed its address and waits; killed if it is still there."""
    with place.shell.started("auth", "add", *arguments, "--no-browser") as process:
        assert process.stdout is not None
        yield process, (await asyncio.to_thread(process.stdout.readline)).strip()


async def said_by(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what it writes until it ends."""
    return await asyncio.to_thread(process.communicate, timeout=20)


def visit(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def port_of(url: str) -> int:
    [redirect] = parse_qs(urlsplit(url).query)["redirect_uri"]
    return urlsplit(redirect).port or 0


async def state_of(place: SignInPlace) -> str:
    done = await place.run("auth", "status", "sandbox", "--json")
    return str(json.loads(done.stdout)["credentials"][0]["state"])
