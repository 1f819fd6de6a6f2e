"""The durable engine's other readers are removed before it is opened, or it is not opened at all."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import dbos
import pytest
from dbos import _serialization as forms
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_orc.batches.workers.engine.closed_engine import close_other_forms, engine_serializer
from llm_orc.batches.workers.engine.serializer import JsonSerializer, StoredError, UnreadableValue
from llm_orc.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = Path(dbos.__file__).parent
DANGEROUS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "yaml"}


def test_the_installed_engine_unpickles_in_the_one_module_that_is_closed() -> None:
    found = set[str]()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text()
        if not any(name in text for name in DANGEROUS):
            continue  # quicker than parsing it
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names.append(node.module)
            if any(name.partition(".")[0] in DANGEROUS for name in names):
                found.add(path.relative_to(SOURCES).as_posix())

    # Its configuration and its command line read YAML; we use neither.
    assert {name for name in found if name != "_dbos_config.py" and not name.startswith("cli/")} == {
        "_serialization.py"
    }


@pytest.mark.parametrize("read", [forms.deserialize_args, forms.deserialize_value, forms.deserialize_exception])
@pytest.mark.parametrize("form", ["py_pickle", "portable_json", "other"])
def test_each_reader_of_the_engine_refuses_other_forms(read: Callable[..., object], form: str) -> None:
    ours = engine_serializer()

    with pytest.raises((UnreadableValue, TypeError), match=form):
        read("Ti4=", form, ours)


def test_nothing_is_written_as_pickle_either() -> None:
    ours = engine_serializer()

    with pytest.raises(UnreadableValue):
        forms.serialize_value({}, forms.WorkflowSerializationFormat.NATIVE, ours)


def other_release(**changes: object) -> ModuleType:
    """Return a module of serializers like the engine's, with `changes`."""
    module = ModuleType("other_release")
    vars(module).update({name: value for name, value in vars(forms).items() if not name.startswith("__")})
    for name, value in changes.items():
        if value is None:
            delattr(module, name)
        else:
            setattr(module, name, value)
    return module


@pytest.mark.parametrize(
    "changes",
    [
        {"pickle": None},
        {"DefaultSerializer": None},
        {"DBOSPortableJSONSerializer": None},
        {"deserialize_value": None},
        {"deserialize_args": lambda *_: {}},
        {"deserialize_exception": lambda *_: ValueError()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_engine_that_reads_in_another_way_is_not_opened(changes: dict[str, object]) -> None:
    with pytest.raises(StorageError, match=f"dbos {version('dbos')}.* can't be kept from running code") as refused:
        close_other_forms(other_release(**changes))

    assert "pip install" in str(refused.value.hint)


def test_the_engine_is_opened_nowhere_without_being_closed() -> None:
    import llm_orc

    openers = set[str]()
    for path in Path(llm_orc.__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "DBOSClient(" in text or "DBOS(" in text:
            openers.add(path.name)
            assert "serializer=engine_serializer()" in text or '"serializer": engine_serializer()' in text

    assert openers == {"queues.py", "worker.py"}


@settings(max_examples=40)
@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_whatever_a_row_holds_it_is_read_as_json_or_refused(text: str) -> None:
    try:
        value = JsonSerializer().deserialize(text)
    except UnreadableValue:
        return

    assert value is None or isinstance(value, bool | int | float | str | list | dict | StoredError)


@pytest.mark.parametrize("text", ["[" * 1_000_000, '{"$error": 1}', '{"a":' * 100_000, "\ud800", "9" * 5_000])
def test_values_that_could_harm_are_refused(text: str) -> None:
    with pytest.raises(UnreadableValue):
        JsonSerializer().deserialize(text)
