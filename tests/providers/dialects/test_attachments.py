"""Files beside a turn's text, in every dialect: before the text, as the protocol writes them, or refused before all."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from llm_orc.errors import RequestRejected
from llm_orc.providers.base import Message, ModelRequest
from llm_orc.providers.dialects.attachments import problem_of, problem_of_all
from llm_orc.providers.parts import Attachment, ToolAnswer, ToolCall, kind_of
from tests.providers.dialects.tool_calls import DIALECTS, TARGET

every_dialect = pytest.mark.parametrize("dialect", list(DIALECTS))

PNG = Attachment("a.png", "image/png", b"\x89PNG")
PDF = Attachment("b.pdf", "application/pdf", b"%PDF-1.7")
TEXT = Attachment("c.csv", "text/csv", "\ufeffä,b".encode())


def sent(dialect: str, *files: Attachment, **fields: Any) -> Any:
    request = ModelRequest((Message("user", "Look.", attachments=files),), **fields)
    return json.loads(DIALECTS[dialect].encode(request, TARGET, stream=False).body)


@every_dialect
def test_files_go_before_the_text_of_their_turn(dialect: str) -> None:
    body = sent(dialect, PNG, PDF, TEXT)

    image, pdf = b64encode(PNG.data).decode(), b64encode(PDF.data).decode()
    text = "File `c.csv`:\n\nä,b"
    names = "File `a.png`:", "File `b.pdf`:"
    match dialect:
        case "anthropic":
            source = {"type": "base64", "media_type": "application/pdf", "data": pdf}
            assert body["messages"][0]["content"] == [
                {"type": "text", "text": names[0]},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
                {"type": "text", "text": names[1]},
                {"type": "document", "source": source, "title": "b.pdf"},
                {"type": "text", "text": text},
                {"type": "text", "text": "Look."},
            ]
        case "openai-chat":
            file = {"filename": "b.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}
            assert body["messages"][0]["content"] == [
                {"type": "text", "text": names[0]},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
                {"type": "text", "text": names[1]},
                {"type": "file", "file": file},
                {"type": "text", "text": text},
                {"type": "text", "text": "Look."},
            ]
        case "openai-responses":
            file = {"filename": "b.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}
            assert body["input"][0]["content"] == [
                {"type": "input_text", "text": names[0]},
                {"type": "input_image", "image_url": f"data:image/png;base64,{image}", "detail": "auto"},
                {"type": "input_text", "text": names[1]},
                {"type": "input_file", **file},
                {"type": "input_text", "text": text},
                {"type": "input_text", "text": "Look."},
            ]
        case _:
            assert body["contents"][0]["parts"] == [
                {"text": names[0]},
                {"inlineData": {"mimeType": "image/png", "data": image}},
                {"text": names[1]},
                {"inlineData": {"mimeType": "application/pdf", "data": pdf}},
                {"text": text},
                {"text": "Look."},
            ]


@every_dialect
@pytest.mark.parametrize(
    ("file", "why"),
    [
        (Attachment("x.zip", "application/zip", b"PK"), r"`x\.zip`.*not `application/zip`"),
        (Attachment("x.tiff", "image/tiff", b"II"), r"`x\.tiff`.*image/png.*not `image/tiff`"),
        (Attachment("x.txt", "text/plain", b"\xff\xfe"), r"`x\.txt`: it is no text in UTF-8"),
        (Attachment("x\x1b[31m.txt", "text/plain", b"a\0b"), r"`x\[31m\.txt`: it is no text"),
        (Attachment("x.pdf", "application/pdf", bytes(51_000_000)), r"51\.0 MB"),
    ],
)
def test_a_file_that_the_protocol_does_not_take_is_refused_before_anything_is_sent(
    dialect: str, file: Attachment, why: str
) -> None:
    with pytest.raises(RequestRejected, match=why) as caught:
        sent(dialect, file)

    assert "`p` (model `m-1`)" in caught.value.message
    assert "Nothing was sent" in (caught.value.hint or "")


def test_a_check_can_ask_before_files_are_read() -> None:
    assert problem_of("image/gif", 10, "anthropic") is None
    assert "image/gif" in (problem_of("image/gif", 10, "gemini") or "")
    assert "10 MB at most" in (problem_of("image/png", 11_000_000, "anthropic") or "")
    assert problem_of_all([1, 2], "anthropic") is None
    assert "600 files at most" in (problem_of_all([1] * 601, "anthropic") or "")
    assert "24 MB at most" in (problem_of_all([20_000_000, 5_000_000], "anthropic") or "")


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        ("text/x-python", "text"),
        ("application/json", "text"),
        ("application/vnd.x+json", "text"),
        ("image/svg+xml", "text"),
        ("image/png", "image"),
        ("application/pdf", "pdf"),
        ("application/octet-stream", "other"),
        ("", "other"),
    ],
)
def test_text_is_text_whatever_it_is_called(media_type: str, kind: str) -> None:
    assert kind_of(media_type) == kind


def test_files_and_results_of_one_turn_stand_in_the_order_that_anthropic_demands() -> None:
    turns = (
        Message("user", "Look.", attachments=(PNG,)),
        Message("assistant", "", calls=(ToolCall("c1", "look", {}),)),
        Message("user", "And?", results=(ToolAnswer("c1", "look", "seen"),), attachments=(PDF,)),
    )

    body = json.loads(DIALECTS["anthropic"].encode(ModelRequest(turns), TARGET, stream=False).body)

    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "document", "text"]


def test_what_requests_share_begins_with_their_files() -> None:
    blocks = sent("anthropic", PNG, shared=2)["messages"][0]["content"]

    assert [block["type"] for block in blocks] == ["image", "text", "text"]
    assert blocks[1] == {"type": "text", "text": "Lo", "cache_control": {"type": "ephemeral"}}
