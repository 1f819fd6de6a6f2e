"""What an ensemble's file says beyond words: what is left of it without trust, and what its digest is of."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.agents.kinds import needs_of
from llm_orc.agents.spec import Place, Source
from llm_orc.ensembles.guarded import Guarded
from llm_orc.ensembles.parse import ParsedEnsemble, parse_ensemble_text
from llm_orc.settings.field import Field
from llm_orc.storage.field_types import boolean, whole_number
from llm_orc.storage.yaml_source import read_yaml_text

_WORDS: dict[str, st.SearchStrategy[object]] = {
    "system_prompt": st.text("ab: #-", max_size=9),
    "temperature": st.floats(0, 2),
    "requires": st.sampled_from(["all", "any", "none"]),
    "output_format": st.sampled_from(["text", "json"]),
}
_CHOOSING: dict[str, st.SearchStrategy[object]] = {
    "model_profile": st.sampled_from(["mine", "theirs"]),
    "fallback_model_profile": st.sampled_from(["mine", "theirs"]),
    "auth_method": st.sampled_from(["api-key", "oauth"]),
    "max_tokens": st.integers(1, 99),
    "timeout_seconds": st.integers(1, 99),
    "options": st.just({"top_p": 1}),
    "conversation": st.booleans(),
}
_SAID = st.fixed_dictionaries({}, optional=_CHOOSING)
_SPOKEN = st.fixed_dictionaries({}, optional=_WORDS)


def parsed(agent: dict[str, object], place: Place = "project", **more: object) -> ParsedEnsemble:
    document = {"name": "one", **more, "agents": [{"name": "a", **agent}]}
    return parse_ensemble_text(json.dumps(document), Source(place, "/clone/one.yaml"))


@pytest.mark.parametrize("value", [0, 1, 9])
def test_a_key_whose_row_says_nothing_needs_trust(value: int) -> None:
    document = read_yaml_text(f"made_up: {value}\n")
    rows = {"made_up": Field(whole_number(0), "Made up."), "switch": Field(boolean, "Made up.")}

    guard = Guarded(document, trusted=False)

    assert guard.taken((), "", {"made_up": value, "switch": False}, rows) == {}
    assert guard.withheld == ["made_up", "switch"]
    assert Guarded(document, trusted=True).taken((), "", {"made_up": value}, rows) == {"made_up": value}


@settings(max_examples=30, deadline=None)
@given(said=_SAID, spoken=_SPOKEN, other=_SPOKEN)
def test_words_are_in_no_digest_and_all_else_is(
    said: dict[str, object], spoken: dict[str, object], other: dict[str, object]
) -> None:
    one = parsed({**said, **spoken})

    assert one.digest == parsed({**said, **other}).digest == parsed(said, description="x", default_task="y").digest
    assert {value.key for value in one.guarded} == {f"agents.a.{key}" for key in said}
    for key in said:
        assert parsed({k: v for k, v in said.items() if k != key}).digest != one.digest
    assert parsed(said, conversation="taxes").digest != one.digest
    assert parsed(said, max_cost=1).digest != one.digest


@settings(max_examples=30, deadline=None)
@given(said=_SAID, spoken=_SPOKEN)
def test_without_trust_what_it_chooses_and_lowers_is_left(
    said: dict[str, object], spoken: dict[str, object]
) -> None:
    one = parsed({**said, **spoken}, conversation="taxes", when_full="summarise", max_cost=2)
    [spec] = one.ensemble.agents
    [whole_spec] = one.when_trusted().ensemble.agents
    [work], [whole] = needs_of(spec.work).models, needs_of(whole_spec.work).models

    assert one.ensemble.source is not None
    assert not one.ensemble.is_users
    assert (one.ensemble.conversation, one.ensemble.when_full, one.ensemble.max_cost_usd) == (None, None, 2.0)
    assert work.options == {}
    assert spec.conversation in {None, False}
    assert (work.model, work.fallback_model_profile, work.auth_method, work.max_tokens) == (
        whole.model,
        whole.fallback_model_profile,
        whole.auth_method,
        whole.max_tokens,
    )
    assert (work.system_prompt, work.temperature) == (whole.system_prompt, whole.temperature)
    assert set(one.ensemble.source.withheld) == {
        "conversation",
        "when_full",
        *(["agents.a.options"] if "options" in said else []),
        *(["agents.a.conversation"] if said.get("conversation") else []),
    }


@pytest.mark.parametrize("place", ["user", "packaged"])
def test_the_users_own_and_packaged_files_count_as_they_are(place: Place) -> None:
    one = parsed({"options": {"top_p": 1}, "conversation": True}, place, conversation="taxes")

    assert one.ensemble.is_users
    assert one.ensemble == one.when_trusted().ensemble or one.ensemble.agents == one.when_trusted().ensemble.agents
    assert needs_of(one.ensemble.agents[0].work).models[0].options == {"top_p": 1}
    assert one.ensemble.conversation == "taxes"
