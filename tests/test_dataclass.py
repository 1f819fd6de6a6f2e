"""`llm_orc.dataclass` behaves like `dataclasses.dataclass`: each test defines its classes with both."""

# ruff: noqa: N803, N806 - variables that hold classes

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, field
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
import pytest

from llm_orc.dataclass import dataclass as ours
from llm_orc.providers.base import Message

T = TypeVar("T")
Decorator = Callable[..., Any]  # either of the two: type checkers take a decorator in a variable for no dataclass

both = pytest.mark.parametrize("dataclass", [ours, dataclasses.dataclass], ids=["ours", "standard"])


def point(dataclass: Decorator, **options: bool) -> Any:
    @dataclass(**options)
    class Point:
        """A place."""

        x: int
        y: int = 2

    return Point


def bag(dataclass: Decorator) -> Any:
    @dataclass(frozen=True, slots=True)
    class Bag:
        name: str
        kind: ClassVar[str] = "bag"
        things: list[int] = field(default_factory=list)
        _: KW_ONLY
        note: str = field(default="", compare=False, repr=False)
        size: int = field(default=1, init=False)
        marks: dict[str, int] = field(init=False, default_factory=dict, hash=False)

    return Bag


@both
def test_it_takes_arguments_by_place_and_by_name_and_knows_the_defaults(dataclass: Decorator) -> None:
    made = bag(dataclass)("a", [3], note="n")

    assert (made.name, made.things, made.note, made.size, made.marks) == ("a", [3], "n", 1, {})
    assert bag(dataclass)(name="a").things == []


@both
def test_each_object_has_a_default_of_its_own(dataclass: Decorator) -> None:
    Bag = bag(dataclass)

    assert Bag("a").things is not Bag("a").things


@both
@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda Bag: Bag(), id="one is missing"),
        pytest.param(lambda Bag: Bag("a", [], "n"), id="by place what has a name"),
        pytest.param(lambda Bag: Bag("a", size=2), id="not an argument"),
        pytest.param(lambda Bag: Bag("a", color="red"), id="unknown"),
    ],
)
def test_it_refuses_other_arguments(dataclass: Decorator, wrong: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"Bag\.__init__\(\)"):
        wrong(bag(dataclass))


@both
def test_the_parameters_can_be_inspected(dataclass: Decorator) -> None:
    parameters = inspect.signature(bag(dataclass)).parameters.values()

    assert [(one.name, one.kind.name) for one in parameters] == [
        ("name", "POSITIONAL_OR_KEYWORD"),
        ("things", "POSITIONAL_OR_KEYWORD"),
        ("note", "KEYWORD_ONLY"),
    ]
    assert [one.default for one in inspect.signature(point(dataclass)).parameters.values()] == [inspect._empty, 2]


@both
def test_all_parameters_may_need_a_name(dataclass: Decorator) -> None:
    Point = point(dataclass, kw_only=True)

    assert Point(x=1) == Point(y=2, x=1)
    with pytest.raises(TypeError):
        Point(1)


@both
def test_it_is_written_as_it_is_made(dataclass: Decorator) -> None:
    assert repr(point(dataclass)(1)).endswith(".Point(x=1, y=2)")
    assert repr(bag(dataclass)("a")).endswith(".Bag(name='a', things=[], size=1, marks={})")
    assert repr(point(dataclass, repr=False)(1)).startswith("<")


@both
def test_an_object_within_itself_is_written_once(dataclass: Decorator) -> None:
    Point = point(dataclass)
    made = Point(1)
    made.y = made

    assert repr(made).endswith(".Point(x=1, y=...)")


@both
def test_objects_of_one_class_are_equal_if_their_values_are(dataclass: Decorator) -> None:
    Point, Other, Bag = point(dataclass), point(dataclass), bag(dataclass)

    assert Point(1) == Point(1, 2)
    assert Point(1) != Point(1, 3)
    assert Point(1) != Other(1)
    assert Point(1) != (1, 2)
    assert Bag("a", note="n") == Bag("a")
    assert Bag("a") != Bag("b")


@both
def test_without_eq_an_object_equals_itself_only(dataclass: Decorator) -> None:
    Point = point(dataclass, eq=False)
    made = Point(1)

    assert made == made
    assert made != Point(1)
    assert len({made, Point(1)}) == 2


@both
def test_a_value_that_is_not_equal_to_itself_is_found_again(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Figure:
        value: float

    unknown = float("nan")

    assert Figure(unknown) == Figure(unknown)
    assert Figure(unknown) != Figure(float("nan"))


@both
def test_frozen_objects_have_a_hash_and_others_none(dataclass: Decorator) -> None:
    Point = point(dataclass, frozen=True, slots=True)

    assert {Point(1): "found"}[Point(1, 2)] == "found"
    assert hash(Point(1)) == hash((1, 2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(point(dataclass)(1))


@both
def test_a_field_may_be_left_out_of_the_hash(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Named:
        name: str
        rest: list[int] = field(default_factory=list, hash=False)

    assert hash(Named("a", [1])) == hash(Named("a")) == hash(("a",))
    assert Named("a", [1]) != Named("a")


@both
def test_methods_that_the_class_writes_stay(dataclass: Decorator) -> None:
    @dataclass(frozen=True, slots=True)
    class Odd:  # noqa: PLW1641 - that is the question
        x: int

        def __repr__(self) -> str:
            return "odd"

        def __eq__(self, other: object) -> bool:
            return True

    @dataclass()
    class Own:
        x: int = 0

        def __init__(self) -> None:
            self.x = 7

        def __hash__(self) -> int:
            return 8

    assert repr(Odd(1)) == "odd"
    assert Odd(1) == Odd(2)
    assert hash(Odd(1)) == hash((1,))
    assert (Own().x, hash(Own())) == (7, 8)


@both
@pytest.mark.parametrize("slots", [True, False])
def test_a_frozen_object_refuses_every_change(dataclass: Decorator, slots: bool) -> None:
    made = point(dataclass, frozen=True, slots=slots)(1)

    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'x'"):
        made.x = 3
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'x'"):
        del made.x
    assert made.x == 1


@both
def test_a_class_that_inherits_freezes_the_fields_and_may_add_attributes(dataclass: Decorator) -> None:
    class Labelled(point(dataclass, frozen=True)):  # type: ignore[misc]
        pass

    made = Labelled(1)
    made.label = "a"
    del made.label

    with pytest.raises(FrozenInstanceError):
        made.x = 3
    with pytest.raises(FrozenInstanceError):
        del made.x


@both
def test_slots_leave_no_room_for_other_attributes(dataclass: Decorator) -> None:
    made = point(dataclass, slots=True)(1)
    made.x = 3

    assert made.x == 3
    with pytest.raises(AttributeError):
        made.z = 3
    assert not hasattr(made, "__dict__")


@both
def test_it_can_be_copied(dataclass: Decorator) -> None:
    made = bag(dataclass)("a", [3], note="n")

    for again in (copy.copy(made), copy.deepcopy(made)):
        assert again == made
        assert again is not made
        assert again.note == "n"


def test_it_can_be_pickled() -> None:
    message = Message("user", "a question")

    assert pickle.loads(pickle.dumps(message)) == message


@both
def test_the_functions_of_the_standard_library_work(dataclass: Decorator) -> None:
    Bag = bag(dataclass)
    made = Bag("a", [3], note="n")

    assert [one.name for one in dataclasses.fields(Bag)] == ["name", "things", "note", "size", "marks"]
    assert dataclasses.replace(made, name="b") == Bag("b", [3], note="n")
    assert dataclasses.asdict(made) == {"name": "a", "things": [3], "note": "n", "size": 1, "marks": {}}
    assert dataclasses.astuple(made) == ("a", [3], "n", 1, {})
    match made:
        case Bag(name, things):
            assert (name, things) == ("a", [3])
        case _:
            pytest.fail("it does not match")


@both
def test_msgspec_reads_and_writes_it(dataclass: Decorator) -> None:
    Point = point(dataclass, frozen=True, slots=True)

    assert msgspec.json.decode(b'{"x": 1}', type=Point) == Point(1)
    assert msgspec.json.encode(Point(1)) == b'{"x":1,"y":2}'


@both
def test_what_is_left_to_do_is_done_after_init(dataclass: Decorator) -> None:
    @dataclass(slots=True)
    class Sum:
        parts: list[int]
        total: int = field(init=False)

        def __post_init__(self) -> None:
            self.total = sum(self.parts)

    assert Sum([1, 2]).total == 3


@both
def test_a_dataclass_inherits_from_classes_of_any_kind(dataclass: Decorator) -> None:
    @dataclass(frozen=True, slots=True)
    class Base(ABC):
        name: str

        @abstractmethod
        def word(self) -> str: ...

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        size: int = 1

        def word(self) -> str:
            return f"{self.name} {self.size}"

    @dataclasses.dataclass(frozen=True, slots=True)
    class FromOutside(Base):
        def word(self) -> str:
            return self.name

    @dataclass(frozen=True, slots=True)
    class Box(Generic[T]):
        content: T

    assert Derived("a").word() == "a 1"
    assert Derived("a") != Derived("a", 2)
    assert FromOutside("b").word() == "b"
    assert Box("a") == Box("a")
    with pytest.raises(TypeError, match="abstract"):
        Base("a")  # type: ignore[abstract]
    with pytest.raises(FrozenInstanceError):
        FromOutside("b").name = "c"  # type: ignore[misc]
    with pytest.raises(TypeError, match="frozen"):

        @dataclass()
        class Thawed(Base):  # type: ignore[misc]
            pass


@both
def test_a_class_without_fields_or_with_one_is_no_exception(dataclass: Decorator) -> None:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    @dataclass(frozen=True, slots=True)
    class Single:
        value: str

    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(())
    assert repr(Single("a")).endswith(".Single(value='a')")
    assert Single("ab") != Single("a")


@both
def test_a_default_that_all_objects_would_share_is_refused(dataclass: Decorator) -> None:
    with pytest.raises(ValueError, match="mutable default"):

        @dataclass()
        class Shared:
            things: list[int] = []  # noqa: RUF012 - that is the question


@both
def test_the_docstring_stays(dataclass: Decorator) -> None:
    assert point(dataclass, slots=True).__doc__ == "A place."
    assert bag(dataclass).__doc__.startswith("Bag(")
