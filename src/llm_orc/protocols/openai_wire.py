"""What OpenAI's two APIs share: error documents, credentials, headers and rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_orc.protocols.chat_request import Rejected
from llm_orc.protocols.dialect import REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_orc.jsontypes import JsonValue

_TYPES = {
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "requests",
}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


class OpenAiWire:
    base_path = "/v1"
    not_json = (
        "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
        "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
    )
    overloaded_status = 503

    def credential(self, headers: Mapping[str, str]) -> str:
        return headers.get("authorization", "").removeprefix("Bearer ")

    def wrong_key(self) -> Rejected:
        return Rejected(401, "Incorrect API key provided.", error_code="invalid_api_key")

    def too_long(self, tokens: int, most: int) -> Rejected:
        said = f"This model's maximum context length is {most} tokens. Your messages resulted in {tokens} tokens."
        return Rejected(400, said, param="messages", error_code="context_length_exceeded")

    def error(self, rejected: Rejected, request_id: str) -> JsonValue:
        return {"error": error_object(rejected)}

    def request_id(self, number: int) -> str:
        return f"req_{number:032x}"

    def headers(self, request_id: str, now: float, *, exhausted: bool) -> dict[str, str]:
        return {
            "x-request-id": request_id,
            "openai-organization": "llm-orc-sandbox",
            "openai-version": "2020-10-01",
            "openai-processing-ms": "1",
            "x-ratelimit-limit-requests": str(REQUESTS_PER_MINUTE),
            "x-ratelimit-limit-tokens": str(TOKENS_PER_MINUTE),
            "x-ratelimit-remaining-requests": "0" if exhausted else str(REQUESTS_PER_MINUTE - 1),
            "x-ratelimit-remaining-tokens": str(TOKENS_PER_MINUTE - 1),
            "x-ratelimit-reset-requests": "60ms",
            "x-ratelimit-reset-tokens": "6m0s",
        }


def error_object(rejected: Rejected) -> dict[str, JsonValue]:
    kind = _TYPES.get(rejected.status) or ("server_error" if rejected.status >= 500 else "invalid_request_error")
    return {
        "message": rejected.message,
        "type": kind,
        "param": rejected.param,
        "code": rejected.error_code or _CODES.get(rejected.status),
    }


def required(body: Mapping[str, JsonValue], name: str) -> JsonValue:
    """Return a field of the body; raises `Rejected` with OpenAI's text if it is missing."""
    if body.get(name) is None:
        message = f"Missing required parameter: '{name}'."
        if name == "model":
            message = "you must provide a model parameter"
        raise Rejected(400, message, param=name, error_code="missing_required_parameter")
    return body[name]


def not_empty(items: JsonValue, name: str) -> None:
    if items == []:
        raise Rejected(
            400,
            f"Invalid '{name}': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            param=name,
            error_code="empty_array",
        )
