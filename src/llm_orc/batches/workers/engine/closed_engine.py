"""Close the durable engine before it is opened: no row of a store can make it run code.

The engine reads each value in the form that a column of its row names, whichever serializer it was given. One of
its forms is pickle, which runs the code that the value names: whoever can write a row would get every worker's
keys. So its other readers are removed in the process that opens it, before it gets our serializer. This reaches
into the engine's own modules, which a release may change; a release that we don't know is not opened.
"""

from __future__ import annotations

import pickle
import sys
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from llm_orc.batches.workers.engine.serializer import JsonSerializer, UnreadableValue, refused
from llm_orc.errors import StorageError
from llm_orc.errors.installing import adding

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_PICKLE_OF_NONE = "Ti4="  # base64; harmless, even if it is read
_UNPICKLERS = {id(one) for one in (pickle, pickle.load, pickle.loads, pickle.Unpickler)}


@cache
def engine_serializer() -> JsonSerializer:
    """Return the serializer for the durable engine, after removing its readers of all other forms.

    Raises `StorageError` if that is not possible with the installed release.
    """
    try:
        from dbos import _serialization as forms  # noqa: PLC0415 - private, so a release may be without it
    except ImportError as e:
        raise _not_closed(str(e)) from e
    close_other_forms(forms)
    return JsonSerializer()


def close_other_forms(forms: ModuleType) -> None:
    """Remove the engine's other readers, and prove it by trying. `forms` is its module of serializers.

    All its readers call the three that are replaced: it has no list of serializers that could be changed.
    Raises `StorageError` if the module is not as we know it.
    """
    ours = JsonSerializer()
    try:
        _replace(forms, "pickle", _NoPickle())
        _replace(forms.DefaultSerializer, "deserialize", _refuse("py_pickle"))
        _replace(forms.DBOSPortableJSONSerializer, "deserialize", _refuse("portable_json"))
        for read in (forms.deserialize_args, forms.deserialize_value, forms.deserialize_exception):
            for form, text in (("py_pickle", _PICKLE_OF_NONE), ("portable_json", "{}")):
                _prove_refused(read, text, form, ours)
    except (AttributeError, TypeError) as e:
        raise _not_closed(str(e)) from e
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "dbos" and not _UNPICKLERS.isdisjoint(map(id, vars(module).values())):
            raise _not_closed(f"its module `{name}` can unpickle too")


def _not_closed(why: str) -> StorageError:
    """Return the error for a release of the engine with which no store is opened."""
    return StorageError(
        f"the durable engine that is installed (dbos {version('dbos')}) can't be kept from running code that a row"
        f" of a store names: {why}",
        hint=f"Install a release that llm-orc was tested with: `{adding('batch')}`.",
    )


class _NoPickle:
    """Takes the place of `pickle` in the engine's module of serializers."""

    def __getattr__(self, name: str) -> NoReturn:
        raise refused("py_pickle")


def _refuse(form: str) -> Callable[..., NoReturn]:
    def deserialize(*_: object) -> NoReturn:
        raise refused(form)

    return deserialize


def _replace(owner: object, name: str, by: object) -> None:
    getattr(owner, name)  # raises if the engine no longer has it, and so reads values in a way that we don't know
    setattr(owner, name, by)


def _prove_refused(read: Callable[..., object], text: str, form: str, ours: JsonSerializer) -> None:
    try:
        read(text, form, ours)
    except UnreadableValue:
        return
    raise _not_closed(f"it still reads the format `{form}`")
