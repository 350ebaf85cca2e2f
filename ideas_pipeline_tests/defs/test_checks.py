from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.app import expectations_of, open_warehouse
from ideas_pipeline.communities import load_settings
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.community_findings import community_findings, state
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS
from ideas_pipeline_tests.defs.running import checks, failed_checks, failures, metadata, nightly_sync


def test_a_list_that_is_cut_short_fails_the_run_and_the_streams_that_hang_on_it_and_all_that_came_is_loaded(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        ideas = [idea for idea in tables["ideas"].values() if idea["challenge_id"] == "501"]
        for number in range(30):  # a second page, in this list alone
            tables["ideas"][f"more{number}"] = ideas[0] | {"id": f"more{number}"}
    simulator.faults.add(Fault(kind="list_cut", stream="ideas", scope="501", times=None))

    result = nightly_sync(instance)

    assert not result.success
    assert failed_checks(result) >= {"ideas completeness ERROR"}
    message = checks(result)["ideas completeness"].description
    assert "incomplete" in message
    assert "Scopes: 501." in message
    assert "Sync again (`ideas-pipeline sync`)" in message
    assert failures(result)["acme__ideas__sync_checks"][0] == message
    assert metadata(result)["ideas"]["verdict"] == "incomplete"
    assert metadata(result)["users"]["verdict"] == "complete"
    # Ideas that are missing have comments and votes that are missing.
    assert failed_checks(result) >= {"comments completeness ERROR", "votes completeness ERROR"}
    assert int(str(metadata(result)["comments"]["inserted"])) > 0


def test_a_value_that_cannot_be_read_is_a_warning_that_does_not_quote_it(
    simulator: Simulator, instance: dg.DagsterInstance, unconfigured: Path
) -> None:
    simulator.faults.add(Fault(kind="poison_value", stream="challenges", times=None))

    result = nightly_sync(instance)

    assert "challenges rejects WARN" in failed_checks(result)
    check = checks(result)["challenges rejects"]
    assert check.metadata["rejected_values"].value == metadata(result)["challenges"]["rejected_values"] == 1
    assert check.metadata["rejects"].value == metadata(result)["challenges"]["rejected"] == 0
    assert "Values that could not be typed: 1 (challenges.starts_at is not a time: " in check.description
    with sa.create_engine(f"sqlite:///{unconfigured}/.ideas/warehouse.db").connect() as connection:
        reject = connection.execute(sa.select(REJECTED_RECORDS)).one()
    assert str(reject.value) not in check.description


def test_a_reference_to_a_row_that_was_never_seen_is_a_warning_with_its_count(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        author = next(idea["author_id"] for idea in tables["ideas"].values() if idea["author_id"])
        orphans = sum(idea["author_id"] == author for idea in tables["ideas"].values())
        del tables["users"][author]

    result = nightly_sync(instance)

    assert result.success
    assert "ideas referential_integrity WARN" in failed_checks(result)
    found = {k: v.value for k, v in checks(result)["ideas referential_integrity"].metadata.items()}
    assert found["ideas.author_id → users"] == orphans
    assert checks(result)["challenges referential_integrity"].passed


def test_many_rows_missing_at_once_are_held_and_fail_the_run(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    nightly_sync(instance)
    with simulator.changing() as tables:
        missing = list(tables["comments"])[:200]
        for key in missing:
            idea = tables["ideas"][tables["comments"].pop(key)["idea_id"]]
            idea["updated_at"] = "2030-01-01T00:00:00Z"  # or nobody would look at its comments tonight

    result = nightly_sync(instance)

    assert not result.success
    assert failed_checks(result) >= {"comments mass_absence ERROR", "comments completeness ERROR"}
    assert "votes mass_absence ERROR" not in failed_checks(result)
    assert checks(result)["comments mass_absence"].metadata["held"].value == len(missing)
    assert metadata(result)["comments"]["absent"] == 0


def test_many_labels_missing_at_once_are_held_and_the_ideas_check_says_how_to_confirm_them(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        label = next(iter(tables["idea_labels"].values()))
        # Fewer than 20 are never too many.
        tables["idea_labels"] |= {f"new {n}": label | {"label_id": f"new {n}", "position": 100 + n} for n in range(20)}
    nightly_sync(instance)
    with simulator.changing() as tables:
        missing = len(tables["idea_labels"])
        tables["idea_labels"].clear()

    check = checks(nightly_sync(instance))["ideas mass_absence"]

    assert check.metadata["held"].value == missing
    assert "Absent and held: " in check.description
    assert "`ideas-pipeline absences confirm --stream idea_labels`" in check.description


def test_a_source_that_counts_otherwise_is_reported_after_a_real_night(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        next(iter(tables["ideas"].values()))["comment_count"] += 5

    found = checks(nightly_sync(instance))["comments declared_counts"]

    assert not found.passed
    assert {name: found.metadata[name].value for name in ("differ", "missing", "surplus")} == {
        "differ": 1,
        "missing": 5,
        "surplus": 0,
    }


def test_a_field_that_changed_its_type_turns_the_nightly_run_red(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        for row in tables["comments"].values():
            row["like_count"] = "several"
    result = nightly_sync(instance)
    assert not result.success
    assert failed_checks(result) >= {"comments rejects ERROR"}
    assert "like_count is not a whole number" in str(checks(result)["comments rejects"].description)
    assert "several" not in str(checks(result)["comments rejects"].description)
    assert checks(result)["users rejects"].passed
    assert {name.split()[1] for name in checks(result)} >= {"unmapped_fields", "unknown_values", "vanished_fields"}


def test_the_checks_that_fail_are_the_findings_that_status_shows(
    simulator: Simulator, instance: dg.DagsterInstance
) -> None:
    with simulator.changing() as tables:
        next(iter(tables["ideas"].values()))["comment_count"] += 5
        for row in tables["comments"].values():
            row["like_count"] = "several"
        author = next(idea["author_id"] for idea in tables["ideas"].values() if idea["author_id"])
        del tables["users"][author]
    simulator.faults.add(Fault(kind="poison_value", stream="challenges", times=None))
    result = nightly_sync(instance)

    settings, contract = load_settings(), load_contract(None)
    with open_warehouse(settings) as warehouse, warehouse.reading() as tx:
        now = datetime.now(UTC)
        known = state(tx)
        found = community_findings(tx, contract, expectations_of(settings), known, running=False, now=now)

    assert {(f.stream, f.code, f.severity) for f in found} >= {
        ("comments", "rejects", "error"),
        ("comments", "declared_counts", "warning"),
        ("ideas", "referential_integrity", "warning"),
        ("challenges", "rejects", "warning"),
    }
    failing = {name: check for name, check in checks(result).items() if not check.passed}
    assert {f"{f.stream} {f.code}": f.text for f in found} == {name: c.description for name, c in failing.items()}
    severities = {"error": dg.AssetCheckSeverity.ERROR, "warning": dg.AssetCheckSeverity.WARN}
    assert all(failing[f"{f.stream} {f.code}"].severity is severities[f.severity] for f in found)
