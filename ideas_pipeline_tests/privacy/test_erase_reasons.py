from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from ideas_pipeline.privacy.erase_rows import erase_rows
from ideas_pipeline.tables.bookkeeping import ABSENCES, SCOPES, SYNC_RUNS, SYNC_SCOPES, SYNC_STREAMS
from ideas_pipeline.warehouse.database import Transaction, writing
from ideas_pipeline_tests.privacy.people import KEY, list_in, redactor
from ideas_pipeline_tests.privacy.test_erase_rows import people_one_by_one
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held

AT = datetime(2026, 2, 1, tzinfo=UTC)
IDS = ["person-4711", "42", "ann lee", "ann:lee", "a, b; c.d", "x/y?z", "Ünïcode", "(1)"]


def sentences(id_: str, path: str) -> dict[str, str]:
    """The sentences of a run in which a list of ``id_`` fails, as the sync writes them, by table and column."""
    refused = f"the API does not accept GET /v2/users/{path} (HTTP 422). Compare method, path and parameters."
    return {
        "_sync_scopes.reason": refused,
        "_sync_streams.reason": f"list {id_}: {refused}; list 421: it is not there (2 lists)",
        "_sync_runs.reason": f"users: list {id_}: {refused}; users {id_}: gone; 42 of 420 lists",
        "_absences.held_because": f"all 30 rows of list {id_} are absent",
        "_absences.contradiction": f"list {id_}: declared 3",
        "_scopes.contradiction": f"list {id_}: declared 3",
    }


@pytest.mark.parametrize("id_", IDS)
def test_an_erased_person_is_in_no_sentence_of_a_run(warehouse, tmp_path, id_):
    contract = people_one_by_one()
    before = sentences(id_, quote(id_, safe=""))
    at = {"community": COMMUNITY, "run_id": "r"}
    of_users = at | {"stream": "users"}
    rows = {
        SYNC_RUNS: at | {"source": "x", "mode": "full", "started_at": AT, "verdict": "failed"},
        SYNC_STREAMS: of_users | {"started_at": AT, "verdict": "failed"},
        SYNC_SCOPES: of_users | {"scope": id_, "swept_at": AT, "verdict": "incomplete"},
        SCOPES: of_users | {"scope": id_},
        ABSENCES: of_users | {"id": id_, "scope": id_, "noticed_at": AT},
    }
    with warehouse.engine.begin() as connection:
        for table, row in rows.items():
            zeros = {c.name: 0 for c in table.columns if c.info["kind"] == "integer"}
            reasons = {key.split(".")[1]: text for key, text in before.items() if key.split(".")[0] == table.name}
            connection.execute(sa.insert(table).values(**zeros, **row, **reasons))
    people = list_in(tmp_path, community=COMMUNITY)
    people.add(id_, set())
    with writing(warehouse.engine) as connection:
        changed = erase_rows(Transaction(connection, COMMUNITY), contract, redactor(people, contract), AT)
    assert set(changed) == {table.name for table in rows}
    anonymous = KEY.surrogate(COMMUNITY, id_)
    after = {f"{table.name}.{c.name}": held(warehouse, table)[0][c.name] for table in rows for c in table.columns}
    expected = sentences(anonymous, anonymous)
    assert {key: after[key] for key in expected} == expected
    assert after["_sync_scopes.scope"] == after["_scopes.scope"] == after["_absences.id"] == anonymous
