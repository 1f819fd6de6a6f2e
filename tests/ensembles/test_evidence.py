"""`evidence` in a file: what is wrong with it is found there, at its place."""

from __future__ import annotations

import pytest

from llm_orc.agents.evidence.spec import Evidence
from llm_orc.agents.uses.graph import uses_of
from llm_orc.agents.work import ModelWork
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.errors import EnsembleInvalid

FILE = """\
name: one
inputs: {paper: string}
agents:
  - name: notes
  - name: a
    schema:
      quote: string
      score: number
      note?: {type: [string, "null"]}
      findings: [{quote: string, quotes: [string]}]
    evidence: EVIDENCE
"""


def written(evidence: str) -> str:
    return FILE.replace("EVIDENCE", evidence)


def test_a_field_has_its_source_or_several_and_what_else_to_do() -> None:
    text = written(
        "{quote: '${task}', note: ['${inputs.paper}', '${notes}'], findings.quotes: {in: '${task}', otherwise: drop}}"
    )

    ensemble = parse_ensemble_text(text).ensemble

    work = ensemble.agents[1].work
    assert isinstance(work, ModelWork)
    assert work.evidence == (
        Evidence("quote", ("${task}",)),
        Evidence("note", ("${inputs.paper}", "${notes}")),
        Evidence("findings.quotes", ("${task}",), "drop"),
    )
    assert uses_of(ensemble).needs["a"] == ("notes",)


@pytest.mark.parametrize(
    ("evidence", "column", "message", "hint"),
    [
        (
            "{qoute: '${task}'}",
            16,
            "`evidence` of agent `a` names `qoute`, which its schema does not have",
            "`quote`",
        ),
        ("{findings.quot: '${task}'}", 16, "names `quot`, which its schema does not have", "`quote`"),
        ("{score: '${task}'}", 16, "names `score`, which is of the type `number`, and a quote is text", ""),
        ("{findings: '${task}'}", 16, "names `findings`, which is of the type `object`", ""),
        (
            "{quote: {in: '${task}', otherwise: drop}}",
            16,
            "can't drop anything: `quote` is in no list",
            "Remove `otherwise: drop`.",
        ),
        ("{quote: {in: '${task}', otherwise: dorp}}", 23, "`otherwise` of `quote` is `fail` or `drop`", "`drop`"),
        ("{quote: {inn: '${task}'}}", 23, "has `in` and `otherwise`, not `inn`", "`in`"),
        ("{quote: {otherwise: drop}}", 23, "has what it quotes", "`${inputs.NAME}`"),
        ("{quote: task}", 23, "`quote` has what it quotes: a reference", "`${task}`"),
        ("{quote: 'from ${task}'}", 23, "`quote` has what it quotes: a reference", "`${task}`"),
        ("{quote: []}", 23, "`quote` has what it quotes: a reference", "`${task}`"),
        ("{'a b': '${task}'}", 16, "`a b` names no field", ""),
        ("quote", 15, "`evidence` must be a mapping of fields", ""),
        ("{}", 15, "not an empty one", ""),
        ("{quote: '${inputs.papr}'}", 24, "`${inputs.papr}` is no input", "`${inputs.paper}`"),
        ("{quote: ['${task}', '${note}']}", 36, "`${note}` names no agent", "`${notes}`"),
        ("{quote: '${a}'}", 24, "agent `a` depends on itself", ""),
    ],
)
def test_what_is_wrong_is_found_at_its_place(evidence: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(written(evidence))

    (found,) = raised.value.problems
    assert (message in found.message, hint in (found.hint or "")) == (True, True), found
    assert (found.line, found.column) == (11, column)


def test_a_quote_needs_a_schema_that_has_it() -> None:
    text = "name: one\nagents:\n  - name: a\n    evidence: {quote: '${task}'}\n"

    with pytest.raises(EnsembleInvalid) as raised:
        parse_ensemble_text(text)

    (found,) = raised.value.problems
    assert found.message == "agent `a` has `evidence`, and no `schema` with the fields that are quotes"
    assert (found.line, found.hint) == (4, "Add `schema: {…, quote: string}`.")
