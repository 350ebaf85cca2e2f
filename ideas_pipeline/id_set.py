"""Ids of records in little memory: of a list of a million records, a sync keeps several sets and sequences."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from pyroaring import BitMap

_DIGITS = 9  # of numbers that fit into 32 bits


class IdSet(Set[str]):
    """A set of ids. Most APIs number their records: such an id takes a few bits, and any other one is kept as text.

    Threads may search it while one adds ids: neither a bitmap nor a dict is seen half changed, because of the GIL.
    """

    __slots__ = ("_numbers", "_texts")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._numbers = BitMap()
        self._texts: dict[str, str] = {}
        self.update(ids)

    def __contains__(self, id_: object) -> bool:
        if isinstance(id_, str) and _is_number(id_):
            return int(id_) in self._numbers
        return id_ in self._texts

    def __iter__(self) -> Iterator[str]:
        yield from map(str, self._numbers)
        yield from self._texts

    def __len__(self) -> int:
        return len(self._numbers) + len(self._texts)

    def add(self, id_: str) -> None:
        """Add an id."""
        if _is_number(id_):
            self._numbers.add(int(id_))
        else:
            self._texts.setdefault(id_, id_)

    def update(self, ids: Iterable[str]) -> None:
        """Add several ids."""
        if isinstance(ids, IdSet):
            self._numbers |= ids._numbers
            self._texts |= ids._texts
            return
        for id_ in ids:
            self.add(id_)

    def shared(self, id_: str) -> str:
        """The same id, as one object for all who ask: texts then take their memory once."""
        return self._texts.get(id_, id_)

    def lacks(self, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that are not in the set."""
        numbers, texts = self._numbers, self._texts
        return {id_ for id_ in ids if (int(id_) not in numbers if _is_number(id_) else id_ not in texts)}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, IdSet):
            return self._numbers == other._numbers and self._texts.keys() == other._texts.keys()
        return super().__eq__(other)

    def __le__(self, other: Set[object]) -> bool:
        if isinstance(other, IdSet):
            return self._numbers.issubset(other._numbers) and self._texts.keys() <= other._texts.keys()
        return super().__le__(other)

    def __or__(self, other: Set[Any]) -> IdSet:
        made = IdSet(self)
        made.update(other)
        return made

    def __sub__(self, other: Set[object]) -> IdSet:
        if not isinstance(other, IdSet):
            return IdSet(id_ for id_ in self if id_ not in other)
        made = IdSet()
        made._numbers = self._numbers - other._numbers
        made._texts = {id_: id_ for id_ in self._texts if id_ not in other._texts}
        return made


class IdList:
    """Ids in their order. Numbers take four bytes each."""

    __slots__ = ("_ids",)

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = array("I", map(int, ids)) if all(map(_is_number, ids)) else tuple(ids)

    def __getitem__(self, index: int) -> str:
        return str(self._ids[index])

    def __iter__(self) -> Iterator[str]:
        return map(str, self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def _is_number(id_: str) -> bool:
    """Whether an id is a number as Python writes it, and short."""
    return len(id_) <= _DIGITS and id_.isdigit() and id_.isascii() and (id_[0] != "0" or id_ == "0")
