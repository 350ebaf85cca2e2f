"""The marts against a computation that was written from docs/warehouse.md alone, over hostile communities."""

from __future__ import annotations

from datetime import UTC, datetime

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.report.cohorts import section
from ideas_pipeline.report.figures import read_figures
from ideas_pipeline.report.formatting import percent
from ideas_pipeline.warehouse.database import reading
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import hostile
from ideas_pipeline_tests.marts.comparing import assert_marts_are
from ideas_pipeline_tests.marts.second_reading.activity import retention
from ideas_pipeline_tests.marts.second_reading.community import Community
from ideas_pipeline_tests.marts.second_reading.marts import marts
from ideas_pipeline_tests.marts.test_queries import PACK
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing

ZONES = ("UTC", "America/Los_Angeles", "Europe/Madrid", "Africa/Cairo", "Pacific/Kiritimati", "Australia/Lord_Howe")
# In the middle of life, at the end of a month in California and the start of the next in London, after a long silence.
MOMENTS = (
    datetime(2026, 2, 12, 4, 0, 0, 900_000, tzinfo=UTC),
    datetime(2026, 2, 1, 7, 59, 59, tzinfo=UTC),
    datetime(2026, 9, 30, 12, tzinfo=UTC),
)
RETENTION = (PACK / "05_retention.sql").read_text(encoding="utf-8")


def test_the_marts_agree_with_a_second_reading_of_their_definitions(warehouse: Warehouse) -> None:
    for seed, zone in enumerate(ZONES):
        name, as_of = f"community {seed}", MOMENTS[seed % 3]
        rows = hostile.community(seed, zone)
        hostile.write(warehouse.engine, name, rows)
        call_writing(Warehouse(warehouse.engine, name), build_marts, zone, as_of)
        second = Community(rows, as_of, zone)
        assert_marts_are(warehouse.engine, marts(second), name)
        with reading(warehouse.engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("SET LOCAL TIME ZONE 'Asia/Tokyo'")
            found = connection.exec_driver_sql(RETENTION.replace("'acme'", f"'{name}'")).all()
        assert [tuple(row)[:3] for row in found] == retention(second), name


def test_the_report_counts_the_months_of_silence(sqlite: Warehouse) -> None:
    rows, as_of, zone = hostile.community(3, "Europe/Madrid"), MOMENTS[2], "Europe/Madrid"
    hostile.write(sqlite.engine, COMMUNITY, rows)
    call_writing(sqlite, build_marts, zone, as_of)
    shown = section(read_figures(sqlite))
    [chart] = shown.charts
    assert chart.table
    everybody = next(row for row in chart.table.rows if row[0] == "All")
    expected = {later: active / people for later, people, active in retention(Community(rows, as_of, zone))}
    assert everybody[2:] == [percent(expected[later]) for later in range(1, len(everybody) - 1)]
    assert percent(0.0) in everybody
