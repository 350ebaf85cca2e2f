"""Propose the path of each column of a table, and ask about the columns for which no field is clearly right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ideas_pipeline.contract.types import Json
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.matching import Known, Table, is_below, may_be, score_of, seen_in, unit_at
from ideas_pipeline.probe.fields import ENOUGH, are_escaped
from ideas_pipeline.probe.guess import assigned
from ideas_pipeline.probe.shapes import NOTHING
from ideas_pipeline.tables.columns import is_prose
from ideas_pipeline.tables.community import TABLES

_SURE = 0.8
# The columns to ask about, and how urgent each question is.
_IMPORTANT = {
    "id": 90,
    "challenge_id": 90,
    "idea_id": 90,
    "author_id": 60,
    "user_id": 60,
    "created_at": 55,
    "value": 50,
    "title": 40,
    "body": 40,
    "joined_at": 30,
    "updated_at": 30,
    "comment_count": 30,
    "vote_count": 30,
    "idea_count": 30,
    "display_name": 20,
    "status": 20,
}


def fit_table(draft: Draft, table: Table, known: Known) -> None:
    """Propose the path of each column, the surest first. No path is used twice.

    Args:
        draft: gets what is found.
        table: the table's fields in the records.
        known: the ids of each table that were seen.
    """
    columns = TABLES[table.name].columns
    open_columns = []
    for column, source in table.fields.items():
        used = next((p for p in source.paths if p in table.paths), None)
        if used is not None and may_be(table, columns[column], used, known):
            table.taken.add(used)
            if column == "id":
                table.key = used
            _confirm(draft, table, column, used)
        else:
            open_columns.append(column)

    def pairs_of(column: str) -> Iterator[tuple[float, str, str]]:
        for path in table.paths:
            if not is_below(path, table.taken) and may_be(table, columns[column], path, known):
                score = score_of(table, columns[column], path, known)
                # Only its name speaks for a field that was always empty, so the name must fit well.
                if table.values[path] or score >= _SURE:
                    yield score, column, path

    if "id" in open_columns:
        table.key = assigned(pairs_of("id")).get("id")
    chosen = assigned((pair for column in open_columns for pair in pairs_of(column)), is_below)
    for column, path in chosen.items():
        draft.propose(_line(table, column, path))
    table.taken.update(chosen.values())
    _ask_for_rest(draft, table, [c for c in open_columns if c not in chosen], known)


def _confirm(draft: Draft, table: Table, column: str, path: str) -> None:
    """Confirm the path of a column, or correct the unit of its times."""
    unit, stated = unit_at(table, column, path), table.fields[column].epoch
    # Without a unit in the contract, numbers are read by their magnitude.
    if column.endswith("_at") and unit and stated and unit != stated:
        reason = f"the numbers {seen_in(table.records, path)} are times in {unit}"
        draft.propose(Inferred((*table.place, "fields", column), {"epoch": unit}, reason))
    elif not table.fields[column].entities and _is_escaped(table, column, path):
        value = {"paths": list(table.fields[column].paths), "entities": True}
        reason = f"{seen_in(table.records, path)}, with HTML entities such as &amp;"
        draft.propose(Inferred((*table.place, "fields", column), value, reason))
    else:
        draft.confirm((*table.place, "fields", column), seen_in(table.records, path))


def _line(table: Table, column: str, path: str) -> Inferred:
    """The line for a column whose value is at ``path``."""
    source = table.fields[column]
    value: Json = path
    if column.endswith("_id") and not table.values[path] and not path.lower().endswith("id"):
        # Always empty so far: an id, or an object that has one.
        value = [f"{path}.id", path]
    unit = unit_at(table, column, path) if column.endswith("_at") else None
    if unit and source.epoch not in (unit, None):
        value = {"paths": value, "epoch": unit}
    elif _is_escaped(table, column, path):
        value = {"paths": value, "entities": True}
    elif source.none or source.epoch or source.no_times is not None:
        value = {"paths": value}
    seen = seen_in(table.records, path)
    return Inferred((*table.place, "fields", column), value, seen if table.values[path] else f"{seen}, always empty")


def _is_escaped(table: Table, column: str, path: str) -> bool:
    """Whether the texts of a column are escaped as in HTML, and can be decoded."""
    return is_prose(TABLES[table.name].c[column]) and are_escaped(table.values.get(path, ()))


def _ask_for_rest(draft: Draft, table: Table, missing: Sequence[str], known: Known) -> None:
    """Ask about important columns that an unused field may fill, and note the columns that no unused field can fill."""
    columns = TABLES[table.name].columns
    empty = []
    for column in missing:
        place = (*table.place, "fields", column)
        source = table.fields[column]
        if column in table.optional or any(path.startswith("@") for path in source.paths):
            continue
        free = [
            path
            for path in table.paths
            if not is_below(path, table.taken) and table.values[path] and may_be(table, columns[column], path, known)
        ]
        if free and column in _IMPORTANT:
            shown = ", ".join(f"{path} ({' or '.join(sorted(table.paths[path] - NOTHING))})" for path in free[:8])
            draft.ask(
                place,
                f"Which field of {table.name} is {column}? Not mapped yet: {shown}.",
                proposal=_unique(table, free) if column == "id" else None,
                urgency=_IMPORTANT[column],
                options=tuple(free),
            )
        elif not free and column != "id":
            empty.append(column)
    if empty and len(table.records) >= ENOUGH:
        shown = ", ".join(empty)
        draft.notes.append(f"no field of {len(table.records)} records of {table.name} can be {shown}: these stay empty")


def _unique(table: Table, paths: Sequence[str]) -> str | None:
    """The first field whose value differs in all records."""
    count = len(table.records)
    return next((p for p in paths if len({str(v) for v in table.values[p]}) == count > 1), None)
