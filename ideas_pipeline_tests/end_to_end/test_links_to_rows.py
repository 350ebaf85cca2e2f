"""An API whose records name other rows by links: people are recognised, and deletions are noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.sync.run import Incremental
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.small_api import column, read, small_api


def board(*ideas: int) -> dict[str, Any]:
    person = "https://ideas.example/v2/users/{}/"
    return {
        "users": [{"id": 8, "name": "Ann"}, {"id": 9, "name": "Bob"}],
        "challenges": [{"id": 1, "title": "C"}],
        "challenges/1/ideas": [
            {
                "id": n,
                "title": "I",
                "challenge_id": "/v2/challenges/1",
                "author": person.format(8),
                "coauthors": [person.format(9)],
            }
            for n in ideas
        ],
        r"ideas/(\d+)/comments": lambda idea: [
            {"id": f"{idea}1", "body": "c", "idea_id": f"/v2/ideas/{idea}", "author": person.format(9)},
            {"id": f"{idea}2", "body": "c", "parent_id": f"/v2/comments/{idea}1", "author": None},
        ],
        r"ideas/(\d+)/votes": lambda idea: [{"user": person.format(9), "value": 1}],
    }


def coauthors(warehouse: Warehouse) -> dict[str, str]:
    """The co-author of each live idea that has one."""
    table = TABLES["idea_coauthors"].c
    with warehouse.engine.connect() as connection:
        query = sa.select(table.idea_id, table.user_id).where(table._deleted_at.is_(None))
        return dict(connection.execute(query).all())


def test_rows_are_named_by_their_ids_and_a_deleted_idea_is_noticed(warehouse: Warehouse, tmp_path: Path) -> None:
    for ideas, mode in ((range(1, 6), Incremental()), (range(1, 5), Incremental())):
        with small_api(board(*ideas)) as server:
            assert read(server, warehouse, tmp_path, mode=mode, mass_absence_percent=100).verdict == "complete"
        assert column(warehouse, "ideas.author_id") == {str(n): "8" for n in ideas}
        assert column(warehouse, "ideas.challenge_id") == {str(n): "1" for n in ideas}
        comments = {f"{n}{of}": person for n in ideas for of, person in ((1, "9"), (2, None))}
        assert column(warehouse, "comments.author_id") == comments
        answered = {f"{n}{of}": f"{n}1" if of == 2 else None for n in ideas for of in (1, 2)}
        assert column(warehouse, "comments.parent_comment_id") == answered
        assert coauthors(warehouse) == {str(n): "9" for n in ideas}
        assert column(warehouse, "votes.user_id") == {f'["{n}","9",null]': "9" for n in ideas}
