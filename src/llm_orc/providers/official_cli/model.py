"""A model behind an official CLI: each call is a turn of a process, each conversation has its own process."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from llm_orc.errors import (
    PromptTooLarge,
    ProviderError,
    RateLimited,
    ReplyCut,
    ReplyTimedOut,
    ReplyUnreadable,
    RequestRejected,
    ToolAttempted,
)
from llm_orc.net.text import is_blank
from llm_orc.providers.base import Message, ModelInterface, Reply, Target
from llm_orc.providers.dialects.attachments import base64_of, refuse_files_for_cli, with_text_inside
from llm_orc.providers.limits.plan_limit import ends_soon
from llm_orc.providers.official_cli.history import in_one_prompt
from llm_orc.providers.structured.asked import Asked, asked_for, unwrapped
from llm_orc.providers.structured.words import with_schema

if TYPE_CHECKING:
    from llm_orc.errors import LlmOrcError
    from llm_orc.providers.base import ModelRequest, ReplyObserver
    from llm_orc.providers.official_cli.process_pool import ProcessPool
    from llm_orc.providers.official_cli.program import Answered
    from llm_orc.providers.official_cli.session import Session

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0


class OfficialCliModel(ModelInterface):
    """Sampling parameters and `options` are not passed on: these programs accept none.

    `name` is the requested model; None: the program's default.
    """

    def __init__(
        self, pool: ProcessPool, model: str | None, *, provider: str, max_retries: int, stream: bool
    ) -> None:
        self.provider = provider
        self.name = model or "default"
        self._pool, self._model = pool, model
        self._target = Target(provider, self.name)
        self._max_retries, self._stream = max_retries, stream

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        self._refuse_what_it_cannot_take(request)
        if any(message.attachments for message in request.messages):
            request = replace(request, messages=tuple(map(with_text_inside, request.messages)))
        attempt = 1
        while True:
            try:
                return await self._counted(request, observer, attempt)
            except ProviderError as e:
                if attempt > self._attempts_after(e):
                    raise
                attempt += 1
                delay_s = self._delay_s(e, attempt)
                if observer is not None:
                    observer.retrying(e, attempt, delay_s)
                await asyncio.sleep(delay_s)

    async def let_go(self) -> None:
        await self._pool.end_resting()

    async def _counted(self, request: ModelRequest, observer: ReplyObserver | None, attempt: int) -> Reply:
        if request.permit is None:
            return self._reply(await self._attempt(request, observer, attempt), request)
        size = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
        size += sum(len(base64_of(file)) for m in request.messages for file in m.attachments)
        async with request.permit(size) as permitted:
            await permitted.before_send()
            reply = self._reply(await self._attempt(request, observer, attempt), request)
            permitted.answered(reply)
            return reply

    def _reply(self, answered: Answered, request: ModelRequest) -> Reply:
        asked = self._asked(request)
        return Reply(
            unwrapped(answered.text) if asked.is_wrapped else answered.text,
            answered.model or self.name,
            answered.usage,
            stop_reason=answered.stop_reason,
            stop_word=answered.stop_word,
            is_enforced=asked.schema is not None,
        )

    async def _attempt(self, request: ModelRequest, observer: ReplyObserver | None, attempt: int) -> Answered:
        watcher = observer if self._stream else _Quiet(observer)
        asked = self._asked(request)
        system = asked.system_prompt or ""
        session = await self._pool.resume(request.conversation, request.messages[:-1], system)
        async with self._pool.first.turn() as taken:
            prompt = request.messages[-1].content if session else in_one_prompt(request.messages)
            sent = request.messages[-1:] if session else request.messages
            self._refuse_too_large(prompt)
            if session is None:
                session = await self._pool.begin(self._model, system, request.max_tokens, asked.schema)
            program = self._pool.program
            keeps = request.conversation is not None and program.keeps_talking
            try:
                answered = await session.answer(
                    prompt,
                    self._target,
                    watcher,
                    is_last=not (keeps or program.converses),
                    taken=taken,
                    first_attempt=attempt,
                    files=[file for message in sent for file in message.attachments],
                )
                self._refuse_blank(answered)
            except BaseException:
                await session.end()
                raise
        await self._part(session, request, answered, keeps=keeps)
        return answered

    def _asked(self, request: ModelRequest) -> Asked:
        dialect = self._pool.program.takes_schema
        if dialect is not None and request.schema is not None:
            return asked_for(request, self._target, dialect, "")
        if request.schema is not None or request.json_output:
            return Asked(with_schema(request.system_prompt, request.schema or {}))
        return Asked(request.system_prompt)

    async def _part(self, session: Session, request: ModelRequest, answered: Answered, *, keeps: bool) -> None:
        if keeps and answered.may_go_on and request.conversation is not None:
            session.held = (*request.messages, Message("assistant", answered.text))
            await self._pool.rest(request.conversation, session)
        else:
            self._pool.dismiss(session, gently=answered.may_go_on and not keeps)

    def _refuse_what_it_cannot_take(self, request: ModelRequest) -> None:
        """Nothing that an agent names is left out silently."""
        refuse_files_for_cli(request, self._pool.program.row.takes_files, self._target)
        if request.tools:
            raise RequestRejected(
                f"{self._target} can't call the tools of an agent, as it is an official CLI",
                hint="Nothing was sent. Use a model that is called with a key or a sign-in.",
            )

    def _refuse_blank(self, answered: Answered) -> None:
        if is_blank(answered.text):
            raise ReplyUnreadable(
                f"{self._target} returned an answer without any text", hint="Ask again, or reword the prompt."
            )

    def _refuse_too_large(self, prompt: str) -> None:
        size = len(prompt.encode("utf-8", "surrogatepass"))
        limit = self._pool.program.longest_prompt
        if size > limit:
            raise PromptTooLarge(
                f"the prompt for {self._target} has {size / 1e6:.1f} MB;"
                f" `{self._pool.program.command}` accepts {limit / 1e6:.1f} MB",
                hint="Nothing was sent. Shorten the input, or use a model with a larger context.",
            )

    def _attempts_after(self, error: ProviderError) -> int:
        """Return the number of further attempts: one if the program itself malfunctions."""
        if isinstance(error, ToolAttempted) or (isinstance(error, RateLimited) and not ends_soon(error)):
            return 0
        if isinstance(error, ReplyCut) and error.would_again:
            return 0
        if error.is_transient:
            return self._max_retries
        return min(1, self._max_retries) if isinstance(error, ReplyUnreadable | ReplyTimedOut) else 0

    @staticmethod
    def _delay_s(error: ProviderError, attempt: int) -> float:
        spread: float = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (attempt - 2)) * random.random()  # noqa: S311 - jitter
        return spread if error.retry_after_s is None else error.retry_after_s + min(spread, 1.0)


class ClaudeCLIModel(OfficialCliModel):
    """A Claude model through the user's own `claude` command."""


class _Quiet:
    """Receives only retries, for callers that want no text."""

    def __init__(self, observer: ReplyObserver | None) -> None:
        self._observer = observer

    def text(self, piece: str) -> None:
        pass

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        if self._observer is not None:
            self._observer.retrying(error, attempt, delay_s)
