"""Records inside the records that they answer, as forums send threads, to any depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json, Paths
from ideas_pipeline.ideas_api.composite_ids import SELF_REFERENCES
from ideas_pipeline.ideas_api.envelopes import is_cut_short, unwrapped
from ideas_pipeline.ideas_api.field_map import MISSING, Mapper, Record, present
from ideas_pipeline.ideas_api.references import KnownRows

Unnest = Callable[[Json, Record, str, KnownRows], list[Record]]


def nested_items(record: Json, paths: Paths, id_paths: Paths) -> list[tuple[str, list[Json]]]:
    """The lists of records inside a record, each with its path.

    A list counts only if all of its items are records with an id: it may also hold ids, or be a mere count.

    Args:
        record: the record.
        paths: where the lists can be.
        id_paths: where an item has its id.
    """
    found = []
    for path in paths:
        items = unwrapped(present(record, (path,)))
        if isinstance(items, dict) and items and all(isinstance(item, dict) for item in items.values()):
            items = list(items.values())
        if isinstance(items, list) and all(
            isinstance(item, dict) and present(item, id_paths) not in (MISSING, None) for item in items
        ):
            found.append((path, items))
    return found


def list_cut_short(records: Iterable[Json], paths: Paths) -> str | None:
    """The path of a list of records inside a record, at any depth, that goes on elsewhere; None if there is none.

    The count of a thread can include deeper answers, so it says nothing of the list.

    Args:
        records: the records.
        paths: where the lists can be.
    """
    around = list(records)
    while paths and around:
        record = around.pop()
        for path in paths:
            stated = present(record, (path,))
            if is_cut_short(stated, by_count=False):
                return path
            items = unwrapped(stated)
            around += items if isinstance(items, list) else items.values() if isinstance(items, dict) else ()
    return None


def unnest(contract: Contract, stream: str, mapper: Mapper) -> Unnest | None:
    """A function that maps the records inside a record of ``stream``; None if the contract knows of none.

    Its arguments are the record, the same record as ``mapper`` maps it, the scope and the known rows. The column in
    which a record names another one of its list gets the record around it, unless the record itself names one.
    """
    spec = contract.streams[stream]
    column = SELF_REFERENCES.get(stream)
    if not spec.nested or column is None:
        return None
    id_paths = tuple(path for path in spec.fields["id"].paths if not path.startswith("@"))

    def inside(record: Json, mapped: Record, scope: str, known: KnownRows) -> list[Record]:
        found: list[Record] = []
        around = [(record, mapped)]
        while around:
            outer, outer_mapped = around.pop()
            for path, items in nested_items(outer, spec.nested, id_paths):
                _remove(outer_mapped.extra, path)
                for index, item in enumerate(items):
                    inner = mapper(item, None, index, scope, known)
                    if inner.columns.get(column) is None:
                        inner.columns[column] = outer_mapped.columns["id"]
                    found.append(inner)
                    around.append((item, inner))
        return found

    return inside


def _remove(extra: dict[str, Json], path: str) -> None:
    name, _, rest = path.partition(".")
    if not rest:
        extra.pop(name, None)
    elif isinstance(below := extra.get(name), dict):
        _remove(below, rest)
        if not below:
            del extra[name]
