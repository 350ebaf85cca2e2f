"""Changes of a community that make a dialect visible, such as long ids. The warehouse must hold what they result in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import orjson

from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.truth import Tables

Change = Callable[[Tables], None]

ZONE_OF_ODD_HOURS = "Europe/Madrid"
_HOUR = timedelta(hours=1)
# The clocks in Madrid went forward at 01:00 UTC on the first day, and back at 01:00 UTC on the second: 02:30 is in the
# hour that was skipped, or the first 02:30 of two.
_ODD_HOURS = ("2024-03-31T01:00:00Z", "2024-10-27T00:30:00Z")


def with_ids(of: Callable[[int], str]) -> Change:
    """A change of every id that is a number, and of every reference to it."""

    def changed(value: Json) -> Json:
        return of(int(value)) if isinstance(value, str) and value.isdecimal() else value

    def change(tables: Tables) -> None:
        for rows in tables.values():
            for key, row in list(rows.items()):
                row |= {c: changed(v) for c, v in row.items() if c == "id" or c.endswith("_id")}
                del rows[key]
                rows[str(row.get("id") or key) if key.isdecimal() and changed(key) == row.get("id") else key] = row

    return change


def numbered_per_idea(tables: Tables) -> None:
    """Number the comments and the votes of each idea from 1. The keys of their rows are composite ids."""
    for name in ("comments", "votes"):
        last: Counter[str] = Counter()
        rows = list(tables[name].items())
        own = {}
        for key, row in rows:
            last[row["idea_id"]] += 1
            own[key] = row["id"] = str(last[row["idea_id"]])
        keys = {key: orjson.dumps([row["idea_id"], row["id"]]).decode() for key, row in rows}
        tables[name] = {keys[key]: row for key, row in rows}
        for row in tables[name].values():
            if row.get("parent_comment_id"):
                row["parent_comment_id"] = own[row["parent_comment_id"]]
        if name == "votes":
            for row in tables["vote_ratings"].values():
                row["vote_id"] = keys[row["vote_id"]]


def with_odd_texts(tables: Tables) -> None:
    """Put U+FFFD into texts that people wrote: it is what a broken character must become."""
    for table, column in (("users", "display_name"), ("ideas", "title"), ("comments", "body")):
        for row in list(tables[table].values())[::3]:
            row[column] = f"{row[column]} \ufffd…"


def with_entities(tables: Tables) -> None:
    """Escape texts that people wrote as HTML does, once or twice."""
    for table, column in (("users", "display_name"), ("ideas", "title"), ("comments", "body")):
        for number, row in enumerate(tables[table].values()):
            row[column] = f"{row[column]} R&amp;D &lt;3" if number % 2 else f"{row[column]} &#39;R&amp;amp;D&#x27;"


def with_whole_days(tables: Tables) -> None:
    """Set every time to the beginning of its day, in UTC."""
    _change_times(tables, lambda moment: moment.replace(hour=0, minute=0, second=0))


def with_odd_hours(tables: Tables) -> None:
    """Set some times to an hour that the clocks skip, or to the first of two hours of the same name."""
    zone = ZoneInfo(ZONE_OF_ODD_HOURS)
    _change_times(tables, lambda moment: moment - _HOUR if moment.astimezone(zone).fold else moment)
    rows = [row for table in ("ideas", "comments", "votes") for row in tables[table].values()]
    for number, row in enumerate(rows[::3]):
        row["created_at"] = _ODD_HOURS[number % len(_ODD_HOURS)]


def _change_times(tables: Tables, of: Callable[[datetime], datetime]) -> None:
    for rows in tables.values():
        for row in rows.values():
            for column, value in row.items():
                if column.endswith("_at") and value:
                    row[column] = f"{of(datetime.fromisoformat(value)):%Y-%m-%dT%H:%M:%SZ}"
