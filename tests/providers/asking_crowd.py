"""A process of its own with many agents: `asking_crowd.py URL AGENTS` prints how many were answered."""

from __future__ import annotations

import asyncio
import sys

from llm_orc.auth.apply import NoCredential
from llm_orc.net.http import Http
from llm_orc.net.options import NetworkSettings
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.openai_chat import OpenAIChat
from llm_orc.providers.endpoint import Endpoint
from llm_orc.providers.limits.limiter import Limiter
from llm_orc.providers.model import HttpModel


async def main(url: str, agents: int) -> int:
    request = ModelRequest((Message("user", "hello"),))
    async with Http(NetworkSettings(), max_connections=agents) as http:
        endpoint = Endpoint("p", "openai-chat", url, url)
        model = HttpModel(endpoint, "m", OpenAIChat(), NoCredential(url), http, limiter=Limiter("p", None))
        ended = await asyncio.gather(*(model.reply(request) for _ in range(agents)), return_exceptions=True)
    return sum(not isinstance(one, BaseException) for one in ended)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], int(sys.argv[2]))))
