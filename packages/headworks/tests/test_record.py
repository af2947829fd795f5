"""Records behave as frozen keyword-only dataclasses do."""

import pytest

from headworks._quick.record import Record


class Point(Record):
    """A record with a default."""

    x: int
    y: int = 2


class Named(Point):
    """A record that adds to another one."""

    name: str


class Group(Record):
    """A record that cannot be hashed."""

    points: list[Point]


def test_fields_are_taken_by_name_and_defaults_fill_the_rest() -> None:
    """A record is made from keywords, and a subclass has the fields of its base."""
    named = Named(x=1, name="a")
    assert (named.x, named.y, named.name) == (1, 2, "a")


def test_a_record_can_be_made_of_all_its_values() -> None:
    """In the order of the fields, those of the base first; none may be missing."""
    assert Named.from_values((1, 2, "a")) == Named(x=1, name="a")
    for values in ((1, 2), (1, 2, "a", "b")):
        with pytest.raises(ValueError, match="zip"):
            Named.from_values(values)


def test_equal_records_are_equal_in_class_and_fields() -> None:
    """Equality, hash and repr follow the fields."""
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Named(x=1, name="a")
    assert len({Point(x=1), Point(x=1, y=2)}) == 1
    assert repr(Named(x=1, name="a")) == "Named(x=1, y=2, name='a')"


def test_a_record_with_a_field_that_cannot_be_hashed_cannot_be_either() -> None:
    """As for a tuple, the fields decide."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(Group(points=[]))


@pytest.mark.parametrize("values", [{}, {"x": 1, "z": 3}, {"y": 1, "z": 3}])
def test_a_missing_or_unknown_field_is_refused(values: dict[str, int]) -> None:
    """The message names the fields that do not fit."""
    with pytest.raises(TypeError, match=r"Point misses or does not have: .*[xz]"):
        Point(**values)


def test_a_record_is_frozen() -> None:
    """No field can be set again."""
    point = Point(x=1)
    with pytest.raises(AttributeError, match="Point is frozen: x cannot be set"):
        point.x = 2  # type: ignore[misc]
    assert point.x == 1
