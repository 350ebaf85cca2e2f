from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with
from ideas_pipeline_tests.privacy.people import KEY
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, load

ANN = {"id": "ann", "_scope": "", "display_name": "Ann Lee", "avatar_url": "https://x/ann.png", "points": 3}
FILE = {"idea_id": "1", "attachment_id": "Ann.pdf", "filename": "Ann.pdf", "kind": "file", "_scope": "c1"}


@pytest.fixture
def stored(warehouse: Warehouse) -> Warehouse:
    """A person, an idea and a file that are stored as they came, and are gone since."""
    load(warehouse, "users", [ANN], on=1)
    idea_and_file: dict[str, Any] = {"embedded": {"idea_attachments": [FILE]}, "stated": {"idea_attachments": ["1"]}}
    load(warehouse, "ideas", [idea("1", title="By Ann")], on=1, **idea_and_file)
    with warehouse.engine.begin() as connection:
        for table in ("users", "ideas", "idea_attachments"):
            connection.execute(sa.update(TABLES[table]).values(_deleted_at=datetime(2026, 2, 1, tzinfo=UTC)))
    return warehouse


def begin(warehouse: Warehouse, folder: Path, policy: Policy) -> None:
    key = "a key for tests alone"
    Privacy(contract_with({}), COMMUNITY, policy, folder=folder, key=key).begin(warehouse)


def test_what_a_policy_drops_goes_from_rows_that_nobody_reads_any_more(stored, tmp_path):
    begin(stored, tmp_path, Policy("drop", "drop", "drop", "drop"))
    (user,), (posted,), (file,) = (held(stored, table) for table in ("users", "ideas", "idea_attachments"))
    assert (user["id"], user["display_name"], user["avatar_url"], user["points"]) == ("ann", None, None, 3)
    assert (posted["id"], posted["title"]) == ("1", None)
    assert (file["attachment_id"], file["filename"], file["kind"]) == (KEY.word("Ann.pdf"), None, "file")


def test_what_a_policy_hashes_is_hashed_once_in_rows_that_nobody_reads_any_more(stored, tmp_path):
    for _ in range(2):
        begin(stored, tmp_path, Policy(name="hash", free_text="hash"))
    (user,), (posted,), (file,) = (held(stored, table) for table in ("users", "ideas", "idea_attachments"))
    assert (user["display_name"], user["avatar_url"]) == (KEY.word("Ann Lee"), "https://x/ann.png")
    assert posted["title"] == KEY.word("By Ann")
    assert file["attachment_id"] == file["filename"] == KEY.word("Ann.pdf")


def test_another_communitys_rows_follow_its_own_policy(stored, tmp_path):
    with stored.engine.begin() as connection:
        connection.execute(sa.update(TABLES["users"]).values(community="other"))
    begin(stored, tmp_path, Policy(name="drop"))
    assert [row["display_name"] for row in held(stored, "users")] == ["Ann Lee"]


def test_what_was_dropped_and_is_to_be_kept_again_comes_back_when_it_is_read(stored, tmp_path):
    begin(stored, tmp_path, Policy(name="drop"))
    with stored.engine.begin() as connection:
        connection.execute(sa.update(TABLES["users"]).values(_deleted_at=None))
    begin(stored, tmp_path, Policy(name="keep"))
    load(stored, "users", [ANN], on=2)
    assert [row["display_name"] for row in held(stored, "users")] == ["Ann Lee"]
