"""Personal data at random places of random records: the policy reaches it wherever it is stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.key import Key
from ideas_pipeline.privacy.policy import extra
from ideas_pipeline.privacy.policy_pages import PolicyPages
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.privacy.unmapped import Cleaner
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.sync.replay import replay
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.sync.source import RunArchive
from ideas_pipeline.tables.bookkeeping import REJECTED_RECORDS
from ideas_pipeline.tables.columns import Pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.history import IDEA_HISTORY
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived, page
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, sync_with
from ideas_pipeline_tests.end_to_end.test_canary import dumped
from ideas_pipeline_tests.ideas_api.scripted_server import ScriptedServer, serving
from ideas_pipeline_tests.privacy.people import KEY
from ideas_pipeline_tests.privacy.planted import INNOCENT, Planted, api, found_in
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held

# Addresses are read, too: what may be stored of them is the policy's matter alone.
CONTRACT = contract_with({"not_stored": []})
KEEP, HASH, DROP = (Policy(choice, choice, choice, choice) for choice in ("keep", "hash", "drop"))
CLASSES: tuple[Pii, ...] = ("email", "name", "profile", "free_text")


def privacy_of(policy: Policy, folder: Path) -> Privacy:
    return Privacy(CONTRACT, COMMUNITY, policy, folder=folder, key="a key for tests alone", archive=folder / "archive")


def night(
    server: ScriptedServer, warehouse: Warehouse, folder: Path, policy: Policy, run: str, **options: Any
) -> RunResult:
    """One archived run under ``policy``."""
    privacy = privacy_of(policy, folder)
    api = IdeasApi.connect(
        CONTRACT, server.base_url, Credentials("me", "s3cret"), FileHome(folder / "tokens.json", folder)
    )
    with Writer(folder / "archive", run, privacy.mark) as writer:
        archive = RunArchive(writer, CONTRACT, privacy)
        return sync_with(api, warehouse, mode=Full(), run_id=run, privacy=privacy, archive=archive, **options)


def everywhere(warehouse: Warehouse, folder: Path) -> bytes:
    """Everything that is stored: tables, files, archived pages."""
    files = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    pages = [repr(one).encode() + one.body for one in archived(folder / "archive")]
    return dumped(warehouse) + b"".join(files + pages)


def left(planted: Planted, classes: tuple[Pii, ...], content: bytes) -> list[str]:
    return [needle for of in classes for needle in found_in(content, planted.needles[of])]


@pytest.mark.parametrize("policy", [DROP, HASH], ids=["drop", "hash"])
def test_nothing_that_is_not_kept_is_in_the_database_or_the_archive(
    policy: Policy, warehouse: Warehouse, tmp_path: Path
) -> None:
    planted = Planted(seed=len(policy.name))
    with serving(api(planted.lists())) as server:
        result = night(server, warehouse, tmp_path, policy, "1")
        assert all(stream.counts.seen for stream in result.streams)
        assert left(planted, CLASSES, everywhere(warehouse, tmp_path)) == []
        assert len(held(warehouse, REJECTED_RECORDS)) > 0, "some were rejected"


@pytest.mark.parametrize("later", [DROP, HASH, Policy(name="drop")], ids=["drop", "hash", "drop names"])
def test_a_stricter_policy_reaches_what_is_stored_already(later: Policy, warehouse: Warehouse, tmp_path: Path) -> None:
    planted = Planted(seed=7)
    lists = planted.lists()
    with serving(api(lists)) as server:
        night(server, warehouse, tmp_path, KEEP, "1")
        sent = orjson.dumps([lists.get(path) for path in server.paths()])
        there = everywhere(warehouse, tmp_path)
        assert left(planted, CLASSES, there) == left(planted, CLASSES, sent), "all of it was stored"
        notes = privacy_of(later, tmp_path).begin(warehouse)
        not_kept = tuple(of for of in CLASSES if getattr(later, of) != "keep")
        assert left(planted, not_kept, everywhere(warehouse, tmp_path)) == []
        assert "was applied to what was stored already: rows: " in notes[0]
        assert re.search(r"archived pages: [1-9]", notes[0])
        # The note comes once, and the rows are those that a sync under this policy would have stored.
        assert privacy_of(later, tmp_path).begin(warehouse) == []
        before = {table: _compared(warehouse, table) for table in TABLES}
        past = held(warehouse, IDEA_HISTORY)
        night(server, warehouse, tmp_path, later, "2")
        assert {table: _compared(warehouse, table) for table in before} == before
        assert held(warehouse, IDEA_HISTORY) == past


@pytest.mark.parametrize("policy", [DROP, HASH, Policy()], ids=["drop", "hash", "default"])
def test_a_replay_of_the_archive_loads_what_the_sync_stored(policy: Policy, sqlite_url: str, tmp_path: Path) -> None:
    with (
        serving(api(Planted(seed=11).lists())) as server,
        Warehouse.open(sqlite_url, COMMUNITY) as synced,
        Warehouse.open(f"sqlite:///{tmp_path / 'replayed.db'}", COMMUNITY) as replayed,
    ):
        night(server, synced, tmp_path, policy, "1")
        replay(CONTRACT, replayed, tmp_path / "archive", privacy=privacy_of(policy, tmp_path))
        for table in TABLES:
            assert _compared(replayed, table) == _compared(synced, table), table


def _compared(warehouse: Warehouse, table: str) -> list[dict[str, Any]]:
    """The rows of a table, without what the pipeline notes about them."""
    return [{n: v for n, v in row.items() if n[0] != "_" or n == "_extra"} for row in held(warehouse, table)]


def test_a_looser_policy_says_what_it_cannot_bring_back(warehouse: Warehouse, tmp_path: Path) -> None:
    privacy_of(DROP, tmp_path).begin(warehouse)
    notes = privacy_of(Policy("drop", "keep", "drop", "hash"), tmp_path).begin(warehouse)
    assert notes == [
        "IDEAS_PII_NAME, IDEAS_PII_FREE_TEXT: more is kept than before. What was dropped or hashed comes back with"
        " `ideas-pipeline sync --full` only, and only as far as the API still has it."
    ]


def _page(planted: Planted, policy: Policy, path: str, stream: str) -> Any:
    cleaner = Cleaner(policy, KEY)
    body = orjson.dumps({"data": planted.lists()[path], "total": 4})
    kept = PolicyPages(CONTRACT, cleaner).page(page(body, stream=stream))
    assert kept is not None
    return orjson.loads(kept.body), kept.body


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([DROP, HASH]))
def test_no_page_keeps_what_the_policy_does_not(seed: int, policy: Policy) -> None:
    for path, stream in (("users", "users"), ("challenges/1/ideas", "ideas"), ("ideas/1/comments", "comments")):
        planted = Planted(seed)
        _, body = _page(planted, policy, path, stream)
        assert left(planted, CLASSES, body) == []


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from(CLASSES))
def test_a_class_is_dropped_without_the_others_of_mapped_fields(seed: int, of: Pii) -> None:
    planted = Planted(seed)
    policy = Policy(**{name: "drop" if name == of else "keep" for name in CLASSES})
    document, body = _page(planted, policy, "users", "users")
    assert left(planted, (of,), body) == []
    mapped = {"email": "email", "name": "name", "profile": "avatar_url"}
    for name, path in mapped.items():
        assert [user[path] is None for user in document["data"]] == [name == of] * 4


@settings(max_examples=100)
@example(23055, Policy(name="hash", profile="drop"))
@given(st.integers(0, 10**6), st.sampled_from([DROP, HASH, Policy(), Policy(name="hash", profile="drop")]))
def test_holding_what_is_held_changes_nothing(seed: int, policy: Policy) -> None:
    cleaner = Cleaner(policy, KEY)
    for table in ("ideas", "votes", "users", "idea_coauthors"):
        once = extra(cleaner, table, Planted(seed).extra())
        assert extra(cleaner, table, dict(once)) == once


@pytest.mark.parametrize("policy", [Policy(), Policy("drop", "drop", "drop", "keep")], ids=["default", "all but texts"])
def test_what_is_not_personal_stays(policy: Policy) -> None:
    cleaner = Cleaner(policy, Key(None, None))
    assert extra(cleaner, "ideas", dict(INNOCENT)) == INNOCENT
    assert extra(cleaner, "votes", dict(INNOCENT)) == INNOCENT
    assert extra(Cleaner(DROP, KEY), "votes", dict(INNOCENT)) == INNOCENT


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("ann@people.example", None),
        ("no user ann@people.example", b'"no user (removed)"'),
        ("not found", b'"not found"'),
    ],
)
def test_a_page_that_is_a_single_text_is_held_to_the_policy(text: str, left: bytes | None) -> None:
    kept = PolicyPages(CONTRACT, Cleaner(Policy(), KEY)).page(page(orjson.dumps(text)))
    assert (kept and kept.body) == left


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
def test_an_address_without_an_at_sign_is_found_in_every_encoding(encoding: str) -> None:
    body = '{"data": [{"id": "5", "E-MAIL": "ann at people", "title": "A"}]}'.encode(encoding)
    kept = PolicyPages(CONTRACT, Cleaner(Policy(), KEY)).page(page(body))
    assert kept is not None
    assert orjson.loads(kept.body) == {"data": [{"id": "5", "title": "A"}]}
