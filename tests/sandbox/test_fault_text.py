"""Faults as they are written on the command line."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_orc.errors import InputError
from llm_orc.sandbox.faults import (
    Cut,
    Delay,
    Drip,
    Effect,
    ErrorEvent,
    Fault,
    Garbage,
    Hang,
    MaxTokens,
    Refusal,
    RefusalSignature,
    SlowHeaders,
    Status,
    parse_fault,
)

EXAMPLES = {
    "status=429,times=2,retry_after=1,model=slow-*": Fault(
        Status(429, retry_after_s=1.0), model="slow-*", times=2
    ),
    "status=502,body=oops": Fault(Status(502, body="oops")),
    "status": Fault(Status(500)),
    "delay=2.5,after=1": Fault(Delay(2.5), after=1),
    "slow_headers=1": Fault(SlowHeaders(1.0)),
    "drip=.01": Fault(Drip(0.01)),
    "cut=5": Fault(Cut(5)),
    "hang": Fault(Hang()),
    "hang=3": Fault(Hang(3)),
    "error_event=1": Fault(ErrorEvent(1)),
    "garbage": Fault(Garbage()),
    "garbage=null": Fault(Garbage("null")),
    "refusal, contains=seed round": Fault(Refusal(), contains="seed round"),
    "max_tokens=007": Fault(MaxTokens(7)),
    "refusal_signature=org_not_allowed,times=1": Fault(RefusalSignature("org_not_allowed"), times=1),
}


@pytest.mark.parametrize(("text", "fault"), EXAMPLES.items())
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


def test_the_examples_show_every_effect() -> None:
    assert {type(fault.effect) for fault in EXAMPLES.values()} == set(get_args(Effect))


def test_every_effect_has_a_default_for_each_of_its_values() -> None:
    for effect in get_args(Effect):
        assert all(field.default is not MISSING for field in fields(effect))


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("stats=429", "`stats`, which is no kind of fault", "Did you mean `status`?"),
        ("", "is no kind of fault", "Kinds: status, delay,"),
        ("cut=3,modle=x", "`cut` has no key `modle`", "Did you mean `model`?"),
        ("status=429,retry_aftr=1", "no key `retry_aftr`", "Did you mean `retry_after`"),
        ("cut=3,body=x", "`cut` has no key `body`", "Keys: model, contains, times, after, tokens"),
        ("refusal_signature=claude_code", "there is no refusal `claude_code`", "Did you mean `claude_code_only`"),
        ("refusal_signature=zz", "there is no refusal `zz`", "Refusals: claude_code_only, extra_usage,"),
        ("refusal=2", "`refusal` takes no value", "Write `refusal`"),
        ("status=abc", "`status` must be a whole number from 200 to 599, not `abc`", "write it like"),
        ("status=99", "from 200 to 599, not `99`", "write it like"),
        ("cut=-1", "`cut` must be a whole number", "write it like"),
        ("cut=٣", "`cut` must be a whole number", "write it like"),
        ("cut=1,times=0", "`times` must be a whole number from 1", "write it like"),
        ("delay=soon", "`delay` must be a number of seconds, at most a day, not `soon`", "write it like"),
        ("delay=nan", "not `nan`", "write it like"),
        ("delay=inf", "not `inf`", "write it like"),
        ("garbage=", "`garbage` has no value", "write it like"),
        ("cut=1,times=1,times=2", "says `times` twice", "write it like"),
        ("cut=1,tokens=2", "says `tokens` twice", "write it like"),
    ],
)
def test_a_wrong_fault_is_explained(text: str, said: str, hint: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_fault(text)

    assert said in refused.value.message
    assert refused.value.hint is not None
    assert hint in refused.value.hint
    assert refused.value.exit_code == 2


KINDS = ["status", "delay", "drip", "cut", "hang", "garbage", "refusal", "max_tokens", "other"]


@given(
    st.builds(
        lambda kind, pairs: ",".join([kind, *pairs]),
        st.sampled_from(KINDS) | st.text(max_size=8),
        st.lists(
            st.builds(
                lambda key, value: f"{key}={value}",
                st.sampled_from(["model", "times", "after", "tokens", "retry_after", "body"])
                | st.text(max_size=5),
                st.integers().map(str) | st.floats().map(str) | st.text(max_size=8),
            ),
            max_size=4,
        ),
    )
)
def test_any_text_is_either_a_fault_or_explained(text: str) -> None:
    said = _read(text)

    assert said.hint if isinstance(said, InputError) else isinstance(said.effect, get_args(Effect))


def _read(text: str) -> Fault | InputError:
    try:
        return parse_fault(text)
    except InputError as refused:
        return refused
