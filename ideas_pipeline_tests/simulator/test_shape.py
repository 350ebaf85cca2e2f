from __future__ import annotations

from pathlib import Path
from typing import Any

from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline_tests.simulator.caller import Caller, contract_with

ONE_IDEA: Tables = {
    "challenges": {"1": {"id": "1"}},
    "users": {"7": {"id": "7", "display_name": "Ada", "avatar_url": "https://img.example/7"}},
    "ideas": {
        "10": {
            "id": "10",
            "challenge_id": "1",
            "author_id": "7",
            "title": "Trees",
            "is_anonymous": False,
            "score": 3.5,
            "vote_count": 12,
            "created_at": "2025-07-01T10:00:00Z",
            "published_at": None,
            "colour_of_card": "green",
        },
        "11": {"id": "11", "challenge_id": "1", "author_id": None},
    },
    "idea_tags": {"a": {"idea_id": "10", "tag": "green"}, "b": {"idea_id": "10", "tag": "city"}},
    "idea_labels": {"a": {"idea_id": "10", "label_id": "3", "name": "New"}},
}


def ideas(tmp_path: Path, changes: dict[str, Any] | None = None, quirks: Quirks = Quirks()) -> Any:  # noqa: B008 - frozen
    contract = contract_with(tmp_path, {"timezone": "Europe/Madrid", "streams": {"ideas": changes or {}}})
    with Simulator(contract, ONE_IDEA, quirks=quirks) as sim:
        return Caller(sim).get("challenges/1/ideas").json()["data"]


def test_each_column_is_at_its_first_path_and_the_rest_under_its_own_name(tmp_path: Path) -> None:
    assert ideas(tmp_path) == [
        {
            "id": "10",
            "author": {"id": "7"},
            "title": "Trees",
            "is_anonymous": False,
            "score": 3.5,
            "vote_count": 12,
            "created_at": "2025-07-01T10:00:00Z",
            "published_at": None,
            "colour_of_card": "green",
            "tags": [{"name": "green"}, {"name": "city"}],
            "labels": [{"id": "3", "name": "New"}],
        },
        {"id": "11", "author": None, "tags": [], "labels": []},
    ]


def test_embedded_lists_can_be_plain_values_or_maps_by_key(tmp_path: Path) -> None:
    changes = {
        "embedded": {
            "idea_tags": {"paths": "meta.tags", "fields": {"tag": "@value"}},
            "idea_labels": {"fields": {"label_id": "@key"}},
        }
    }
    first, second = ideas(tmp_path, changes)
    assert first["meta"] == {"tags": ["green", "city"]}
    assert first["labels"] == {"3": {"name": "New"}}
    assert second["labels"] == {}


def test_numbers_booleans_and_ids_change_their_type(tmp_path: Path) -> None:
    first, _ = ideas(tmp_path, quirks=Quirks(numbers_as_text=True, booleans="text", ids_as_numbers=True))
    assert (first["id"], first["author"]) == (10, {"id": 7})
    assert (first["vote_count"], first["score"], first["is_anonymous"]) == ("12", "3.50", "0")
    first, _ = ideas(tmp_path, quirks=Quirks(booleans="empty_text"))
    assert first["is_anonymous"] == ""
    first, _ = ideas(tmp_path, quirks=Quirks(booleans="number"))
    assert first["is_anonymous"] == 0
    assert first["is_anonymous"] is not False


def test_lists_become_maps_and_nothing_becomes_an_empty_list(tmp_path: Path) -> None:
    keyed = ideas(tmp_path, quirks=Quirks(keyed_lists=True, empty_as_list=True))
    assert list(keyed) == ["10", "11"]
    assert keyed["10"]["labels"] == {"3": {"id": "3", "name": "New"}}
    assert (keyed["11"]["author"], keyed["11"]["labels"]) == ([], [])


def test_timestamps_come_as_local_time_or_as_seconds(tmp_path: Path) -> None:
    first, _ = ideas(tmp_path, quirks=Quirks(timestamps="naive", no_timestamp="0000-00-00 00:00:00"))
    assert (first["created_at"], first["published_at"]) == ("2025-07-01 12:00:00", "0000-00-00 00:00:00")
    first, _ = ideas(tmp_path, quirks=Quirks(timestamps="epoch", no_timestamp=0))
    assert (first["created_at"], first["published_at"]) == (1751364000, 0)
    in_milliseconds = {"fields": {"created_at": {"paths": "created", "epoch": "milliseconds"}}}
    first, _ = ideas(tmp_path, in_milliseconds, quirks=Quirks(timestamps="epoch"))
    assert first["created"] == 1751364000000


def test_extra_fields_name_people_and_their_addresses(tmp_path: Path) -> None:
    first, second = ideas(tmp_path, quirks=Quirks(extra_fields=True))
    assert first["author"] == {"id": "7", "name": "Ada", "email": email_of("7")}
    assert first["client_flags"]["locale"] == "en-GB"
    assert second["author"] is None


def test_signed_urls_differ_in_every_response(tmp_path: Path) -> None:
    with Simulator(contract_with(tmp_path, {}), ONE_IDEA, quirks=Quirks(signed_urls=True)) as sim:
        caller = Caller(sim)
        urls = {caller.get("users").json()["data"][0]["avatar_url"] for _ in range(3)}
    assert len(urls) == 3
    assert all(url.startswith("https://img.example/7?") for url in urls)


def test_every_column_of_the_default_contract_has_a_value_somewhere(tmp_path: Path) -> None:
    contract, tables = contract_with(tmp_path, {}), generate("small")
    for name, stream in contract.streams.items():
        fields = {name: stream.fields} | {table: embedded.fields for table, embedded in stream.embedded.items()}
        for table, columns in fields.items():
            found = {column for row in tables[table].values() for column, value in row.items() if value is not None}
            assert columns.keys() <= found, table
