"""The contents of files in the store of batches: each once, and only for batches that refer to them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from llm_orc.batches.batch import NewBatch, NewRow
from llm_orc.batches.batch_store import BatchStore
from llm_orc.batches.database import close_engine, open_engine
from llm_orc.batches.files.contents import load_content
from llm_orc.ensembles.parse import parse_ensemble_text
from llm_orc.runs.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_orc.batches.store_url import StoreUrl

RECIPE = Recipe(parse_ensemble_text("name: one\nagents: [{name: a}]").ensemble, "", {})
ONE, TWO = (hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))


def test_a_content_is_kept_until_the_last_batch_that_refers_to_it_is_deleted(store: StoreUrl) -> None:
    engine = open_engine(store)
    try:
        batches = BatchStore(engine)
        read: list[bytes] = []

        def reading(data: bytes) -> Callable[[], bytes]:
            def again() -> bytes:
                read.append(data)
                return data

            return again

        def submit(name: str, *contents: bytes) -> None:
            found = {hashlib.sha256(data).hexdigest(): reading(data) for data in contents}
            batches.submit(
                NewBatch(name, RECIPE, "", 0.0, 1, contents=found), [NewRow(1, 1, "t")], lambda *_: None, 0.0
            )

        submit("b1", b"one", b"two")
        submit("b1", b"one", b"two")
        submit("b2", b"one")
        assert read == [b"one", b"two", b"one"]
        assert (load_content(engine, "b2", ONE), load_content(engine, "b2", TWO)) == (b"one", None)

        batches.delete("b1")
        assert (load_content(engine, "b1", ONE), load_content(engine, "b2", ONE)) == (None, b"one")
        batches.delete("b2")
        submit("b3", b"two")
        assert (load_content(engine, "b3", ONE), load_content(engine, "b3", TWO)) == (None, b"two")
    finally:
        close_engine(engine)
