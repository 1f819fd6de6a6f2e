"""The error object that OpenAI's two APIs share, and that compatible servers fill in different ways."""

from __future__ import annotations

import msgspec

from llm_orc.net.text import one_line
from llm_orc.providers.dialects.dialect import excerpt
from llm_orc.providers.dialects.tolerant import UNREADABLE, read
from llm_orc.providers.errors.failures import ProviderWords

_STATUSES = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "overloaded_error": 503,
    "vector_store_timeout": 500,
}


class OpenAIError(msgspec.Struct):
    """`code` is a word at OpenAI, and often a status elsewhere."""

    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    param: str | None = None

    def words(self) -> ProviderWords:
        return ProviderWords(
            one_line(self.message or ""),
            kind=one_line(self.type or "", 60),
            code=one_line(str(self.code or ""), 60),
            param=one_line(self.param or "", 60),
        )

    def status(self) -> int:
        """The status for an error inside a stream or a 200 answer."""
        if isinstance(self.code, int) and 400 <= self.code < 600:
            return self.code
        return _STATUSES.get(str(self.code)) or _STATUSES.get(self.type or "") or 500


class _Detail(msgspec.Struct):
    """Of a gateway before the API: `{"detail": {"error_code": "invalid_token"}}`."""

    error_code: str | None = None
    message: str | None = None


class _ErrorBody(msgspec.Struct):
    error: OpenAIError | str | None = None
    message: str | None = None  # some gateways: the error object is the whole body
    detail: str | _Detail | None = None  # FastAPI servers


_read_error = msgspec.json.Decoder(_ErrorBody)


def error_words(body: bytes) -> ProviderWords:
    """Read the body of an error; whatever it holds, this raises nothing."""
    try:
        found = read(_read_error, body)
    except UNREADABLE:
        return ProviderWords(excerpt(body))
    if isinstance(found.error, OpenAIError):
        return found.error.words()
    if isinstance(found.detail, _Detail):
        code = one_line(found.detail.error_code or "", 60)
        return ProviderWords(one_line(found.detail.message or "") or code or excerpt(body), code=code)
    return ProviderWords(one_line(found.error or found.message or found.detail or "") or excerpt(body))
