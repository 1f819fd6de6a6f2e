"""A process that shares a sign-in: `python -m tests.auth.refresher STORE TOKEN_ENDPOINT once|again-and-again`."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from llm_orc.auth.oauth.client import OAuthClient
from llm_orc.auth.tokens.oauth import Tokens
from llm_orc.errors import LlmOrcError
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from tests.auth.conftest import PROVIDER, open_storage


async def main(folder: Path, token_endpoint: str, how: str) -> None:
    storage = open_storage(folder)
    entry = storage.get(PROVIDER)
    assert entry is not None
    client = OAuthClient(PROVIDER, token_endpoint=token_endpoint)
    async with Http(NetworkSettings(), max_connections=5) as http, Tokens(storage, http, time.time) as tokens:
        keeper = tokens.keeper(entry, client)
        say("ready")
        if how == "once":
            await asyncio.to_thread(sys.stdin.readline)
            token = await keeper.current()
            say(f"token {token.access_token.reveal()}")
            return
        while True:
            await keeper.refresh_now()
            say("refreshed")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
    except LlmOrcError as e:
        say(f"error {e.code} {e.message}")
