"""Builds of the marts: all of a community or none, repeatable, and without effect on other communities."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import MARTS, build_marts, delete_people
from ideas_pipeline.tables.analyst import LABEL_CLASSES
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.tables.columns import kind, pii
from ideas_pipeline.tables.community import CHALLENGE_STAGES, COMMENTS, IDEAS, USERS, VOTES
from ideas_pipeline.times import utc
from ideas_pipeline.warehouse.database import Transaction, reading, writing
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import acme
from ideas_pipeline_tests.warehouse.calls import call_writing

Marts = dict[str, list[tuple[Any, ...]]]


def build(engine: sa.Engine, community: str = acme.COMMUNITY) -> dict[str, int]:
    return call_writing(Warehouse(engine, community), build_marts, "Europe/Madrid", acme.AS_OF)


def marts(connection: sa.Connection, community: str = acme.COMMUNITY) -> Marts:
    """All rows of all marts, sorted by key."""
    return {
        name: [
            tuple(row)
            for row in connection.execute(
                sa.select(mart.table).where(mart.table.c.community == community).order_by(*mart.table.primary_key)
            )
        ]
        for name, mart in MARTS.items()
    }


def read_marts(engine: sa.Engine, community: str = acme.COMMUNITY) -> Marts:
    with reading(engine) as connection:
        return marts(connection, community)


def post_an_idea(engine: sa.Engine, community: str = acme.COMMUNITY) -> None:
    """Change most marts."""
    with engine.begin() as connection:
        for table in (IDEAS, COMMENTS, VOTES):
            row = dict(connection.execute(sa.select(table).where(table.c.community == community)).mappings().first())
            row = {c.name: utc(row[c.name]) if kind(c) == "timestamp" and row[c.name] else row[c.name] for c in table.c}
            connection.execute(sa.insert(table), row | {"id": "new"})


def copied(column: sa.Column[Any]) -> sa.Column[Any]:
    return sa.Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)


@pytest.fixture
def engine(warehouse: Warehouse) -> sa.Engine:
    """The engine of a warehouse with acme and without marts."""
    acme.fill(warehouse.engine)
    return warehouse.engine


def test_building_again_changes_nothing(engine: sa.Engine) -> None:
    rows = build(engine)
    before = read_marts(engine)
    assert rows == {name: len(found) for name, found in before.items()}
    assert all(rows.values())
    assert build(engine) == rows
    assert read_marts(engine) == before


def test_the_bookkeeping_has_rows_moment_and_time_zone_of_each_mart(engine: sa.Engine) -> None:
    began = datetime.now(UTC)
    rows = build(engine)
    with engine.connect() as connection:
        books = connection.execute(sa.select(BUILT_MARTS)).mappings().all()
    assert {book["mart"]: book["rows"] for book in books} == rows
    assert {(book["community"], utc(book["as_of"]), book["timezone"]) for book in books} == {
        (acme.COMMUNITY, acme.AS_OF, "Europe/Madrid")
    }
    (built,) = {utc(book["built_at"]) for book in books}
    assert began <= built <= datetime.now(UTC)


def test_unfinished_durations_count_up_to_now_or_to_the_given_moment(engine: sa.Engine) -> None:
    call_writing(Warehouse(engine, acme.COMMUNITY), build_marts, "UTC")
    with engine.connect() as connection:
        (times,) = set(connection.execute(sa.select(BUILT_MARTS.c.as_of, BUILT_MARTS.c.built_at)))
    assert times[0] == times[1]


def test_communities_do_not_touch_each_other(engine: sa.Engine) -> None:
    acme.fill(engine, "another")
    post_an_idea(engine, "another")
    build(engine)
    ours = read_marts(engine)
    build(engine, "another")
    theirs = read_marts(engine, "another")
    assert read_marts(engine) == ours
    assert len(theirs["mart_idea_lifecycle"]) == len(ours["mart_idea_lifecycle"]) + 1
    post_an_idea(engine)
    build(engine)
    assert read_marts(engine, "another") == theirs
    with engine.connect() as connection:
        counts = connection.execute(
            sa.select(BUILT_MARTS.c.community, sa.func.count()).group_by(BUILT_MARTS.c.community)
        )
        assert set(counts) == {(acme.COMMUNITY, len(MARTS)), ("another", len(MARTS))}


def test_readers_see_all_marts_as_they_were_until_all_are_built(
    engine: sa.Engine, warehouse_url: str, warehouse: Warehouse
) -> None:
    build(engine)
    old = read_marts(engine)
    post_an_idea(engine)
    statements = 0
    with Warehouse.open(warehouse_url, acme.COMMUNITY) as other:

        def look(*_: Any) -> None:
            nonlocal statements
            statements += 1
            assert read_marts(other.engine) == old, statements

        sa.event.listen(engine, "after_cursor_execute", look)
        build(engine)
        sa.event.remove(engine, "after_cursor_execute", look)
        new = read_marts(other.engine)
    assert statements > 2 * len(MARTS)
    assert [name for name in MARTS if new[name] != old[name]] != []
    assert new == read_marts(engine)


def test_a_reader_that_began_earlier_still_sees_the_old_marts(
    engine: sa.Engine, warehouse_url: str, warehouse: Warehouse
) -> None:
    build(engine)
    post_an_idea(engine)
    level = "REPEATABLE READ" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    with Warehouse.open(warehouse_url, acme.COMMUNITY) as other, other.engine.connect() as connection:
        reader = connection.execution_options(isolation_level=level)
        old = marts(reader)
        build(engine)
        assert marts(reader) == old
    assert read_marts(engine) != old


@pytest.mark.parametrize(
    "shape", ["without a column", "with its columns in another order", "with another type", "with another key"]
)
def test_a_mart_with_other_columns_is_replaced_for_every_community(shape: str, engine: sa.Engine) -> None:
    acme.fill(engine, "another")
    build(engine)
    build(engine, "another")
    expected = read_marts(engine)
    people = MARTS["mart_people"].table
    with engine.connect() as connection:
        their_people = connection.execute(sa.select(people).where(people.c.community == "another")).all()
    assert their_people
    columns = {"without a column": list(people.c)[:-1], "with its columns in another order": [*people.c][::-1]}
    older = sa.Table("mart_people", sa.MetaData(), *map(copied, columns.get(shape, people.c)))
    if shape == "with another type":
        older.c.admins.type = sa.Text()
    if shape == "with another key":
        same = [sa.Column(c.name, c.type, primary_key=c.name == "status", nullable=c.nullable) for c in people.c]
        older = sa.Table("mart_people", sa.MetaData(), *same)
    with engine.begin() as connection:
        people.drop(connection)
        older.create(connection)
    build(engine)
    assert read_marts(engine) == expected
    with engine.connect() as connection:
        theirs = set(connection.scalars(sa.select(BUILT_MARTS.c.mart).where(BUILT_MARTS.c.community == "another")))
        rows = connection.execute(sa.select(people).where(people.c.community == "another")).all()
    assert theirs == set(MARTS)
    assert rows == their_people


def test_a_mart_that_a_view_of_an_analyst_depends_on_is_an_error(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite's views do not hold a table")
    build(engine)
    old = read_marts(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE mart_people ADD COLUMN older text")
        connection.exec_driver_sql("CREATE VIEW theirs AS SELECT * FROM mart_people")
    with pytest.raises(WarehouseError, match="Drop the views"):
        build(engine)
    assert {name: rows for name, rows in read_marts(engine).items() if name != "mart_people"} == {
        name: rows for name, rows in old.items() if name != "mart_people"
    }


def test_other_tables_of_analysts_are_not_touched(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mart_of_mine (community text, note text)")
        connection.exec_driver_sql("INSERT INTO mart_of_mine VALUES ('acme', 'mine')")
    build(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT note FROM mart_of_mine").scalars().all() == ["mine"]


def test_all_marts_stay_unchanged_if_one_cannot_be_built(engine: sa.Engine) -> None:
    build(engine)
    before = read_marts(engine)
    post_an_idea(engine)
    with engine.begin() as connection:
        LABEL_CLASSES.drop(connection)
    with pytest.raises(WarehouseError, match="label_classes"):
        build(engine)
    assert read_marts(engine) == before
    with engine.begin() as connection:
        LABEL_CLASSES.create(connection)
    build(engine)  # nothing of the failure is in the way
    assert len(read_marts(engine)["mart_idea_lifecycle"]) == len(before["mart_idea_lifecycle"]) + 1


def test_deleted_people_are_in_no_mart_of_the_community(engine: sa.Engine) -> None:
    acme.fill(engine, "another")
    for community in (acme.COMMUNITY, "another"):
        build(engine, community)
    before, theirs = read_marts(engine), read_marts(engine, "another")
    assert "'ann'" in str(before)
    with writing(engine) as connection:
        assert delete_people(Transaction(connection, acme.COMMUNITY), lambda person: person == "ann") == {
            "mart_contributors": 1
        }
    after = read_marts(engine)
    assert "'ann'" not in str(after)
    assert after == before | {"mart_contributors": [row for row in before["mart_contributors"] if row[1] != "ann"]}
    assert read_marts(engine, "another") == theirs


def test_only_columns_of_class_person_id_name_people(engine: sa.Engine) -> None:
    build(engine)
    people = {"ann", "ben", "cem", "dee", "eve", "fay"}
    for name, rows in read_marts(engine).items():
        for column, values in zip(MARTS[name].table.c, zip(*rows, strict=True), strict=True):
            assert (pii(column) == "person_id") == bool(people & set(map(str, values))), f"{name}.{column.name}"


def test_nobody_is_deleted_before_marts_exist(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        assert delete_people(Transaction(connection, acme.COMMUNITY), lambda person: person == "ann") == {}


def test_acts_with_an_impossible_time_are_on_no_day(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table, id_ in ((IDEAS, "102"), (COMMENTS, "c3"), (VOTES, "v2")):
            never = {"created_at": datetime(9999, 12, 31, tzinfo=UTC)}
            connection.execute(sa.update(table).where(table.c.id == id_).values(**never))
    build(engine)
    with reading(engine) as connection:
        days = MARTS["mart_daily_activity"].table
        first_seen = connection.execute(sa.select(days).where(days.c.day == date(2026, 2, 1))).one()
        assert connection.scalar(sa.select(sa.func.max(days.c.day))) == date(2026, 4, 2)
        ideas = MARTS["mart_idea_lifecycle"].table
        lives = {row.idea_id: row for row in connection.execute(sa.select(ideas))}
        undated = connection.scalar(sa.select(sa.func.sum(MARTS["mart_challenges"].table.c.undated)))
    assert (first_seen.ideas, first_seen.comments, first_seen.votes) == (0, 0, 0)
    assert undated == 3
    assert (lives["102"].submitted_at, lives["102"].age_seconds) == (None, None)
    # c3 was the first response: when it was written is not known, but that of ben is.
    assert (lives["103"].responses, lives["103"].seconds_to_first_response) == (2, 2 * 86400)


def test_a_response_before_its_idea_gives_no_duration(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        early = {"created_at": datetime(2026, 1, 9, tzinfo=UTC)}
        connection.execute(sa.update(COMMENTS).where(COMMENTS.c.id == "c1").values(**early))
    build(engine)
    ideas, times = MARTS["mart_idea_lifecycle"].table, MARTS["mart_response_times"].table
    with reading(engine) as connection:
        life = connection.execute(sa.select(ideas).where(ideas.c.idea_id == "101")).one()
        of_challenge = connection.execute(sa.select(times).where(times.c.challenge_id == "waste")).one()
    assert (life.responses, life.seconds_to_first_response) == (1, None)
    assert (of_challenge.answered, of_challenge.median_seconds) == (1, None)


def test_a_stage_that_the_source_removes_keeps_its_ideas_in_the_funnel(engine: sa.Engine) -> None:
    gone = {"_deleted_at": datetime(2026, 4, 1, tzinfo=UTC), "_deleted_because": "gone"}
    with engine.begin() as connection:
        connection.execute(sa.update(CHALLENGE_STAGES).where(CHALLENGE_STAGES.c.id == "s2").values(**gone))
        connection.execute(sa.update(IDEAS).where(IDEAS.c.id == "102").values(stage_id="never listed"))
    build(engine)
    funnel = MARTS["mart_funnel"].table
    columns = (funnel.c.stage_id, funnel.c.place, funnel.c.ideas, funnel.c.reached, funnel.c.currently_in)
    with reading(engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(funnel.c.stage_id)).all()
    assert [tuple(row) for row in rows] == [("never listed", None, 2, None, 1), ("s1", 1, 2, 2, 0), ("s2", 2, 2, 1, 1)]


def test_people_who_rejoined_count_as_registered_since_their_first_contribution(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        again = {"joined_at": datetime(2026, 4, 9, tzinfo=UTC)}
        connection.execute(sa.update(USERS).where(USERS.c.status == "active").values(**again))
    build(engine)
    days = MARTS["mart_daily_activity"].table
    with reading(engine) as connection:
        counted = connection.execute(sa.select(days)).all()
    assert all(day.registered_active_28d <= day.registered for day in counted)
    assert any(day.participation_rate for day in counted)
