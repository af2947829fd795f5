"""Frozen keyword-only records.

They behave as `dataclasses.dataclass(frozen=True, kw_only=True)` does where Headworks uses them, and type checkers
treat them as such. The standard module costs a process 10 to 20 ms, most of it for `inspect`, which is more than a
whole plan of a small repository takes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, ClassVar, NoReturn, Self, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_settings: bool) -> Callable[[T], T]:
        """Return a decorator that marks nothing, since only type checkers read the mark."""
        return lambda cls: cls


__all__ = ["Record"]


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """A base class whose subclasses list their fields as annotations, with or without a default."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _names: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Collect the fields of a new record class."""
        own = tuple(cls.__annotations__)
        cls._fields += own
        cls._defaults = cls._defaults | {name: cls.__dict__[name] for name in own if name in cls.__dict__}
        cls._names = frozenset(cls._fields)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  # a field may be of any type
        """Take the value of every field by its name."""
        state = self.__dict__
        state.update(self._defaults, **values)
        if state.keys() != self._names:
            wrong = sorted(self._names ^ state.keys())
            message = f"{type(self).__name__} misses or does not have: {', '.join(wrong)}"
            raise TypeError(message)

    @classmethod
    def from_values(cls, values: Iterable[Any]) -> Self:
        """Return a record of the values of all fields, in their order: three times as fast as by their names."""
        record = cls.__new__(cls)
        record.__dict__.update(zip(cls._fields, values, strict=True))
        return record

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """Return the names of all fields."""
        return cls._fields

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: a record never changes."""
        message = f"{type(self).__name__} is frozen: {name} cannot be set"
        raise AttributeError(message)

    def __eq__(self, other: object) -> bool:
        """Two records are equal when they are of one class and all fields are."""
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        """Equal records hash alike; one with a field that cannot be hashed cannot be either."""
        return hash((type(self), *(self.__dict__[name] for name in self._fields)))

    def __repr__(self) -> str:
        """Show the class and all fields, as the call that makes an equal record."""
        fields = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({fields})"
