from __future__ import annotations

from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.report.marts_with import days, fill
from ideas_pipeline_tests.warehouse.batches import COMMUNITY


def a_warehouse(folder):
    url = f"sqlite:///{folder}/.ideas/warehouse.db"
    Warehouse.open(url, COMMUNITY).close()
    fill(url, daily_activity=days(3, ideas=1)).dispose()


def test_the_report_is_written_beside_the_warehouse_and_its_path_is_printed(tmp_path):
    a_warehouse(tmp_path)
    done = ideas_pipeline("report", folder=tmp_path, IDEAS_COMMUNITY=COMMUNITY)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Wrote the report. Open .ideas/report-acme.html in a browser.\n"
    assert "<title>acme: community report" in (tmp_path / ".ideas/report-acme.html").read_text()


def test_the_report_is_written_to_the_given_path(tmp_path):
    a_warehouse(tmp_path)
    done = ideas_pipeline("report", "--output", "sent/ours.html", folder=tmp_path, IDEAS_COMMUNITY=COMMUNITY)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sent/ours.html").exists()


def test_before_the_first_sync_the_error_names_the_command_to_run(tmp_path):
    done = ideas_pipeline("report", folder=tmp_path)
    assert done.returncode == 1
    assert "Error: The report of community needs its marts, which are not built yet." in done.stderr
    assert "Run: ideas-pipeline sync" in done.stderr


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    a_warehouse(tmp_path)
    done = ideas_pipeline(
        "report", "--output", ".ideas/warehouse.db/report.html", folder=tmp_path, IDEAS_COMMUNITY=COMMUNITY
    )
    assert done.returncode == 1
    assert "the report cannot be written to .ideas/warehouse.db/report.html: " in done.stderr
