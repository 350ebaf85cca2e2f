"""What a stream's records show, whether they come from the live API or from files."""

from __future__ import annotations

from collections.abc import Sequence

from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.embedded import fit_embedded
from ideas_pipeline.fit.fields import fit_table
from ideas_pipeline.fit.matching import Known, seen_in, table_of
from ideas_pipeline.ideas_api.field_map import MISSING, field_map, present
from ideas_pipeline.probe.deleted import deletion_flags
from ideas_pipeline.probe.fields import nested_lists
from ideas_pipeline.probe.probe import Seen, remember

PARENTS = {"ideas": "challenges", "comments": "ideas", "votes": "ideas"}
"""Stream → the stream whose records have its lists."""


def known_ids(seen: Seen) -> Known:
    """The ids of each table that were seen."""
    return {table: {str(row["id"]) for row in rows if row.get("id") is not None} for table, rows in seen.items()}


def parent_column(stream: str) -> str:
    """The column that names the parent of a stream's records, such as ``idea_id``."""
    return f"{PARENTS[stream].removesuffix('s')}_id"


def one_list(stream: str, path: str, reasons: tuple[str, str]) -> list[Inferred]:
    """The lines for one list of all parents: no ``each``, and the field that names the parent.

    Args:
        stream: the stream.
        path: the path of that field.
        reasons: what shows that it is one list, and what shows the field.
    """
    why_list, why_field = reasons
    place: Steps = ("streams", stream)
    return [
        Inferred((*place, "each"), None, why_list),
        Inferred((*place, "fields", parent_column(stream)), path, why_field),
    ]


def fit_records(
    draft: Draft, stream: str, records: Sequence[tuple[str | None, Json]], seen: Seen, scope: str = ""
) -> None:
    """Propose the fields of a stream, and note its rows for the streams that refer to them.

    Args:
        draft: gets what is found.
        stream: the stream.
        records: its records, each with its key in a keyed map.
        seen: the rows of each table so far; gets these.
        scope: the parent of the list; empty if it is not known.
    """
    fit_fields(draft, stream, [record for _, record in records], known_ids(seen))
    mapper = field_map(draft.contract, stream)
    remember(seen, stream, [mapper(record, key, index, scope) for index, (key, record) in enumerate(records)])


def fit_fields(draft: Draft, stream: str, records: Sequence[Json], known: Known) -> None:
    """Propose the paths of a stream's columns, of its embedded tables and of its nested records.

    Args:
        draft: gets what is found.
        stream: the stream.
        records: its records.
        known: the ids of each table that were seen.
    """
    spec = draft.contract.streams[stream]
    place: Steps = ("streams", stream)
    lists = fit_embedded(draft, stream, records, known)
    table = table_of(draft.contract, place, spec.fields, records)
    table.taken.update(lists)
    if flags := deletion_flags(draft.contract, records):
        table.taken.update(flags)
        if not spec.deleted:
            draft.propose(Inferred((*place, "deleted"), flags, seen_in(records, flags[0])))
    if spec.each:
        # The scope names the parent, so a record need not.
        table.optional = frozenset({spec.each.placeholder})
    fit_table(draft, table, known)
    nested = draft.contract.streams[stream].nested
    if inside := nested_lists(draft.contract, stream, records):
        draft.propose(Inferred((*place, "nested"), [*nested, *inside], seen_in(records, inside[0])))
    elif there := next((path for path in nested if any(present(r, (path,)) is not MISSING for r in records)), None):
        draft.confirm((*place, "nested"), seen_in(records, there))
