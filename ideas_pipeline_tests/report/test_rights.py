from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.report.page import write_report
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing


@pytest.fixture
def built(sqlite_url: str) -> Warehouse:
    warehouse = Warehouse.open(sqlite_url, COMMUNITY)
    call_writing(warehouse, build_marts, "UTC")
    return warehouse


def test_a_report_is_for_its_owner_alone_from_the_start_and_keeps_rights_that_it_was_given(
    built: Warehouse, tmp_path: Path
) -> None:
    file = tmp_path / "folder" / "report.html"
    before = os.umask(0)
    try:
        write_report(built, file)
    finally:
        os.umask(before)
        built.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    write_report(built, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]
