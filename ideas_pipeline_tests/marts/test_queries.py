"""The query pack: each file, unchanged, answers its question about the community of acme.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.marts.build import build_marts
from ideas_pipeline.warehouse.database import reading
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.marts import acme
from ideas_pipeline_tests.warehouse.calls import call_writing

PACK = Path(__file__).parents[2] / "docs" / "queries"

ANSWERS: dict[str, list[tuple[Any, ...]]] = {
    "01_challenges_with_most_contributors": [
        ("A better first week", 1, 2, 2, 3, 4, 75),
        ("Waste less", 2, 2, 2, 3, 4, 75),
        ("Nobody came", 0, 0, 0, 0, 4, 0),
    ],
    "02_an_idea_on_a_day": [
        ("stage", "s2", "Review", "2026-03-01 03:00", None, False, 40),
        ("status", "new", None, "2026-02-01 03:00", "2026-03-10 03:00", True, None),
    ],
    "03_ideas_without_response": [("102", "Night bus", "Waste less", "2026-02-05 09:00", 64, 0)],
    "04_where_ideas_get_stuck": [
        ("Waste less", 1, "Collect", 2, 50, 1, 63, 63),
        ("Waste less", 2, "Review", 1, None, 1, 40, 40),
    ],
    # ann and ben began in January, cem in February; in March ben came back. April is not over.
    "05_retention": [(0, 3, 3, 100), (1, 3, 2, 66.7), (2, 2, 1, 50)],
    "06_adoption_by_challenge": [("A better first week", 1, 1, 100), ("Waste less", 2, 0, 0)],
    "07_activity_by_month": [
        ("2026-04", 0, 0, 1, 0, 0, 0),
        ("2026-03", 0, 0, 1, -4, 1, 0),
        ("2026-02", 2, 2, 1, 1, 3, 1),
        ("2026-01", 1, 2, 1, None, 2, 2),
    ],
    "08_most_discussed_ideas": [
        ("103", "A guide", "A better first week", 2, 2),
        ("101", "Paper cups", "Waste less", 1, 2),
    ],
    # Of ten with a name ben's are five: an idea, two comments, two votes; ann's three, cem's two.
    "09_share_of_most_active_people": [
        (1, 1, 5, 50),
        (5, 1, 5, 50),
        (10, 1, 5, 50),
        (25, 1, 5, 50),
        (50, 2, 8, 80),
        (100, 3, 10, 100),
    ],
    "10_time_to_publication": [("Waste less", 2, 1, 0, 72, 0), ("A better first week", 1, 1, 10, 10, 0)],
    "11_votes_by_type": [
        ("A better first week", "stars", 2, 1, 1, 0, 3.3, 1.65),
        ("Waste less", "thumbs", 2, 2, 1, 1, 0, 0),
    ],
    "12_participation_by_profile_answer": [("Leeds", 2, 2, 100, 8), ("Lyon", 2, 1, 50, 2)],
}


@pytest.fixture
def answering(warehouse: Warehouse) -> Iterator[sa.Connection]:
    """A warehouse with acme and its marts, and another community with the same rows."""
    for community in (acme.COMMUNITY, "another"):
        acme.fill(warehouse.engine, community)
        call_writing(Warehouse(warehouse.engine, community), build_marts, "UTC", acme.AS_OF)
    with reading(warehouse.engine) as connection:
        yield connection


def test_every_query_answers_its_question(answering: sa.Connection) -> None:
    for name, expected in ANSWERS.items():
        rows = answering.exec_driver_sql((PACK / f"{name}.sql").read_text(encoding="utf-8")).all()
        assert [tuple(_plain(value) for value in row) for row in rows] == expected, name


def test_the_readme_lists_all_twelve_queries_with_their_questions() -> None:
    files = sorted(PACK.glob("*.sql"))
    assert [file.stem for file in files] == list(ANSWERS)
    assert len(files) == 12
    listed = (PACK / "README.md").read_text(encoding="utf-8")
    for file in files:
        question = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- ")
        assert f"- [{question}]({file.name})" in listed


def _plain(value: Any) -> Any:
    """A value in the form of ``ANSWERS``: SQLite has no timestamps, booleans or decimals."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, str) and value.endswith(":00.000000"):
        return value.removesuffix(":00.000000")
    return float(value) if isinstance(value, Decimal) else value
