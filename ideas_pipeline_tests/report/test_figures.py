from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError
from ideas_pipeline.marts.build import MARTS
from ideas_pipeline.report import completeness, moderation
from ideas_pipeline.report.figures import read_figures
from ideas_pipeline.tables.bookkeeping import MARTS as BUILT_MARTS
from ideas_pipeline.warehouse.database import make_engine, writing
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.report.marts_with import AS_OF, COMMUNITY, days, figures, fill


def test_all_figures_are_of_one_moment_even_if_a_mart_is_rebuilt_meanwhile(warehouse_url: str) -> None:
    engine = fill(warehouse_url, daily_activity=days(1, ideas=1), people=[{"status": "active", "people": 7}])
    change = threading.Thread(target=_rebuild_people, args=(warehouse_url,))

    @sa.event.listens_for(engine, "after_cursor_execute")
    def _meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM mart_daily_activity" in statement and change.ident is None:
            change.start()
            while change.is_alive() and not _a_transaction_waits(engine):
                pass

    found = read_figures(Warehouse(engine, COMMUNITY))
    change.join()
    assert [row.people for row in found.people] == [7]
    assert [row.people for row in read_figures(Warehouse(engine, COMMUNITY)).people] == []
    engine.dispose()


def test_a_mart_that_is_missing_since_an_upgrade_is_built_first(warehouse_url: str) -> None:
    engine = fill(warehouse_url)
    with writing(engine) as connection:
        MARTS["mart_people"].table.drop(connection)
        connection.execute(sa.delete(BUILT_MARTS).where(BUILT_MARTS.c.mart == "mart_people"))
    with pytest.raises(WarehouseError, match=r"not built yet\. Run: .* ideas-pipeline marts"):
        read_figures(Warehouse(engine, COMMUNITY))
    engine.dispose()


def _rebuild_people(url: str) -> None:
    engine = make_engine(url)
    with writing(engine) as connection:
        MARTS["mart_people"].table.drop(connection)
        MARTS["mart_people"].table.create(connection)
    engine.dispose()


def _a_transaction_waits(engine: sa.Engine) -> bool:
    """Whether another transaction waits for a lock, as on PostgreSQL the one that drops a table in use."""
    if engine.dialect.name == "sqlite":
        return False
    with engine.connect() as connection:
        return bool(connection.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")))


def plain(table):
    return [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def test_moderation_figures_that_the_source_does_not_report_are_not_zero(sqlite_url):
    rows = [{"challenge_id": "1", "ideas": 30, "pending": 0, "rejected": 0}]
    section = moderation.section(
        figures(sqlite_url, moderation=rows, challenges=[{"challenge_id": "1", "title": "Question 1"}])
    )
    assert [row[0] for row in section.charts[0].table.rows] == ["Waiting for approval", "Not approved"]
    assert "The source does not report which ideas were removed or closed, who is banned and when" in section.meaning
    assert plain(section.tables[0]) == [["Question 1", "30", "0", "–", "–", "–", "–"]]


def test_removed_comments_are_only_shown_if_the_source_reports_them(sqlite_url):
    rows = [{"challenge_id": "1", "ideas": 30, "pending": 0, "rejected": 0, "comments": 9}]
    section = moderation.section(figures(sqlite_url, moderation=rows))
    assert "comment" not in section.charts[0].summary
    assert "and which comments were removed, so these figures are not shown" in section.meaning


def test_moderation_has_no_chart_if_the_source_reports_nothing(sqlite_url):
    section = moderation.section(figures(sqlite_url, moderation=[{"challenge_id": "1", "ideas": 30}]))
    assert not section.charts


def test_declared_counts_are_shown_beside_listed_ones(warehouse_url):
    ideas = [
        {"id": "1", "vote_count": 900, "comment_count": 2},
        {"id": "2", "vote_count": 100},
        {"id": "3", "comment_count": 5, "_deleted_at": AS_OF},
    ]
    comments = [
        {"id": "a", "idea_id": "1"},
        {"id": "b", "idea_id": "1", "_deleted_at": AS_OF},
        {"id": "c", "idea_id": "2"},
        {"id": "d", "idea_id": "3"},
    ]
    found = figures(warehouse_url, tables={"ideas": ideas, "comments": comments})
    (table,) = completeness.section(found).tables
    assert plain(table) == [["Comments", "2", "1"], ["Votes", "1,000", "0"]]
    assert completeness.unlisted_notice(found).replace("\N{NO-BREAK SPACE}", " ") == (
        "The source declares 2 comments on these ideas but lists 1; this report contains only those listed. "
        "The source declares 1,000 votes on these ideas but lists none; this report contains only those listed."
    )


def test_a_small_number_of_hidden_items_causes_no_warning(sqlite_url):
    ideas = [{"id": "1", "vote_count": 10}]
    votes = [{"id": str(n), "idea_id": "1"} for n in range(9)]
    assert completeness.unlisted_notice(figures(sqlite_url, tables={"ideas": ideas, "votes": votes})) == ""
