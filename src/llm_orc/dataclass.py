"""`dataclass` like the standard library's, for less time: commands that only read files define a hundred classes.

Up to Python 3.12, `dataclasses` writes and compiles the methods of a class one by one. Here only `__init__` is
compiled; the others are closures over the names of the fields. The rest is the standard library's own work: it
reads the fields and makes the slots, so `fields`, `replace`, `asdict`, `match` and msgspec work as always.

What differs: `__init__` has no annotations, the docstring of a class that has none lists no fields, and `InitVar`,
`order` and `unsafe_hash` are missing.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - for type checkers, who know what that does

    Method = Callable[..., object]

T = TypeVar("T")


def _dataclass(
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    repr: bool = True,  # noqa: A002 - the name that it has in `dataclasses`
    kw_only: bool = False,
) -> Callable[[type[T]], type[T]]:
    """Return the decorator that makes a class a dataclass. The options mean what they mean in `dataclasses`."""

    def define(cls: type[T]) -> type[T]:
        if any(dataclasses.is_dataclass(base) for base in cls.__bases__):  # rare, and has rules of its own
            return dataclasses.dataclass(frozen=frozen, slots=slots, eq=eq, repr=repr, kw_only=kw_only)(cls)
        cls.__doc__ = cls.__doc__ or f"{cls.__name__}(...)"  # the standard library would inspect the signature
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        for name, method in _methods(made, frozen=frozen, slots=slots, compared=eq, shown=repr).items():
            if vars(cls).get(name) is None:  # a class that writes `__eq__` has None as its `__hash__`
                setattr(made, name, method)
        how = made.__dataclass_params__  # type: ignore[attr-defined] # dataclasses that inherit from it look there
        how.init, how.frozen, how.eq, how.repr = True, frozen, eq, repr
        return made

    return define


if not TYPE_CHECKING:
    dataclass = _dataclass


def _methods(
    cls: type[Any], *, frozen: bool, slots: bool, compared: bool, shown: bool
) -> dict[str, Method | None]:
    fields = dataclasses.fields(cls)
    names = [one.name for one in fields]
    methods: dict[str, Method | None] = {"__init__": _init(cls, fields, frozen=frozen)}
    if shown:
        methods["__repr__"] = _repr([one.name for one in fields if one.repr])
    if compared:
        methods["__eq__"] = _eq([one.name for one in fields if one.compare])
        hashed = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
        methods["__hash__"] = _hash(hashed) if frozen else None
    if frozen:
        methods |= _refusals(cls, frozenset(names))
    if frozen and slots:
        methods |= _copying(names)
    return methods


def _init(cls: type[Any], fields: Sequence[Field[Any]], *, frozen: bool) -> Method:
    """Compile `__init__`, the one method whose parameters differ. It finds the defaults among its globals."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    for one in fields:
        known[f"_default_{one.name}"], known[f"_make_{one.name}"] = one.default, one.default_factory
    places = [_parameter(one) for one in fields if one.init and not one.kw_only]
    keywords = [_parameter(one) for one in fields if one.init and one.kw_only]
    line = "_set(self, {0!r}, {1})" if frozen else "self.{0} = {1}"
    body = [line.format(one.name, _value(one)) for one in fields if one.init or _is_optional(one)]
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *places, *(["*", *keywords] if keywords else ())])
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), known)  # noqa: S102 - names of fields only
    init: Method = known["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return init


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return f"{field.name}=_MISSING" if _is_optional(field) else field.name


def _value(field: Field[Any]) -> str:
    name = field.name
    if field.default_factory is not MISSING:
        return f"_make_{name}() if {name} is _MISSING else {name}" if field.init else f"_make_{name}()"
    return name if field.init else f"_default_{name}"


def _is_optional(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _values_of(names: Sequence[str]) -> Callable[[object], tuple[object, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


def _repr(names: Sequence[str]) -> Method:
    @recursive_repr()
    def shown(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return shown


def _eq(names: Sequence[str]) -> Method:
    values_of = _values_of(names)

    def is_equal(self: object, other: object) -> bool:
        return values_of(self) == values_of(other) if type(self) is type(other) else NotImplemented

    return is_equal


def _hash(names: Sequence[str]) -> Method:
    values_of = _values_of(names)

    def hashed(self: object) -> int:
        return hash(values_of(self))

    return hashed


def _refusals(cls: type[Any], names: Collection[str]) -> dict[str, Method]:
    """Return what refuses changes: of every attribute, or for a class that inherits, of the fields."""

    def refuse_to_set(self: object, name: str, value: object) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def refuse_to_delete(self: object, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": refuse_to_set, "__delattr__": refuse_to_delete}


def _copying(names: Sequence[str]) -> dict[str, Method]:
    """Return what `copy` and `pickle` need: by themselves they would change an object that refuses it."""
    values_of = _values_of(names)

    def state(self: object) -> list[object]:
        return [*values_of(self)]

    def restore(self: object, state: Sequence[object]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": state, "__setstate__": restore}
