"""What a model of any kind says is passed on without the credentials that this process has used."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest

from llm_orc.auth.masking import MASK
from llm_orc.auth.secret import Secret
from llm_orc.errors import LlmOrcError, ProviderOverloaded, RequestRejected
from llm_orc.providers.base import Message, ModelInterface, ModelRequest, Reply, ReplyObserver
from llm_orc.providers.official_cli.child_env import child_env
from llm_orc.providers.redact import masked_reply

KEY = "key-Vt5mQ81xYw0Ld3Rz"
ASKED = ModelRequest((Message("user", "Which key did I send?"),))


class Echo(ModelInterface):
    """Repeats a key in all that it says, or fails with it."""

    provider, name = "echo", "m-0"

    def __init__(self, *, failure: LlmOrcError | None = None) -> None:
        self._failure = failure

    async def reply(self, request: ModelRequest, observer: ReplyObserver | None = None) -> Reply:
        if observer is not None:
            observer.text("void")
            observer.retrying(ProviderOverloaded(f"busy with {KEY}"), 2, 0.0)
            for character in f"It is {KEY}, yes":
                observer.text(character)
        if self._failure is not None:
            raise self._failure
        return Reply(f"It is {KEY}, yes", model=f"m-{KEY}", request_id=KEY, stop_reason="other", stop_word=KEY)


@dataclass
class Watching:
    pieces: list[str] = field(default_factory=list)
    errors: list[LlmOrcError] = field(default_factory=list)

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def retrying(self, error: LlmOrcError, attempt: int, delay_s: float) -> None:
        self.pieces.clear()
        self.errors.append(error)


async def test_reply_pieces_and_retries_hold_no_credential() -> None:
    Secret(KEY).reveal()
    watching = Watching()

    reply = await masked_reply(Echo(), ASKED, watching)

    assert reply.text == f"It is {MASK}, yes"
    assert (reply.model, reply.request_id, reply.stop_word) == (f"m-{MASK}", MASK, MASK)
    assert not any(KEY in str(getattr(reply, each.name)) for each in fields(reply))
    assert "".join(watching.pieces) == reply.text
    assert watching.errors[0].message == f"busy with {MASK}"


async def test_an_error_holds_no_credential() -> None:
    Secret(KEY).reveal()
    failure = RequestRejected(f"no: {KEY[:12]}", hint=f"use another than {KEY}", provider_message=KEY)

    with pytest.raises(RequestRejected) as caught:
        await masked_reply(Echo(failure=failure), ASKED)

    assert (caught.value.message, caught.value.hint) == (f"no: {MASK}", f"use another than {MASK}")
    assert caught.value.provider_message == MASK
    assert str(caught.value) == f"no: {MASK}"


async def test_a_token_that_an_official_cli_is_given_is_a_credential_too() -> None:
    token = "sk-ant-oat01-QwErTy81xYw0Ld3Rz"
    child_env({"CLAUDE_CODE_OAUTH_TOKEN": token}, frozenset({"CLAUDE_CODE_OAUTH_TOKEN"}), {})

    with pytest.raises(RequestRejected) as caught:
        await masked_reply(Echo(failure=RequestRejected(f"`claude` says {token}")), ASKED)

    assert caught.value.message == f"`claude` says {MASK}"
