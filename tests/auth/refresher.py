"""A process that shares a sign-in: `python -m tests.auth.refresher STORE TOKEN_ENDPOINT once|again-and-again [RESOURCE]`.

It obeys the earliest time of a refresh, and waits for it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.tokens.oauth import Tokens
from llm_orc.errors import LlmOrcError, RefreshTooEarly
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.auth.sign_in_store import PROVIDER, open_storage


async def main(folder: Path, token_endpoint: str, how: str, resource: str | None) -> None:
    storage = open_storage(folder)
    entry = storage.get(PROVIDER)
    assert entry is not None
    client = OAuthClient(PROVIDER, token_endpoint=token_endpoint, resource=resource)
    async with Http(NetworkSettings(), max_connections=5) as http, Tokens(storage, http, time.time) as tokens:
        keeper = tokens.keeper(entry, client)
        say("ready")
        if how == "once":
            await asyncio.to_thread(sys.stdin.readline)
            token = await keeper.current()
            say(f"token {token.access_token.reveal()}")
            return
        while True:
            try:
                await keeper.refresh_now()
            except RefreshTooEarly as e:
                await asyncio.sleep(max(0.0, e.not_before - time.time()))
            else:
                say("refreshed")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] if sys.argv[4:] else None))
    except LlmOrcError as e:
        say(f"error {e.code} {e.message}")
