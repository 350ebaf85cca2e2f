"""The check of a live API: every difference between the simulator and the contract is found and can be fixed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.yaml_file import to_yaml
from ideas_pipeline.errors import AccessDenied, AuthenticationError, NotFound, Unavailable
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.probe import probe
from ideas_pipeline.probe.step import Step, all_fixes
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.faults import Fault
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline_tests.ideas_api.differences import DIFFERENCES, STREAMS, paged

PERSONAL = ("display_name", "title", "body", "description", "url", "avatar_url", "filename", "created_at")


@pytest.fixture
def contract_of(tmp_path: Path) -> Callable[[dict[str, Any]], Contract]:
    """The default contract with an override laid over it, as an operator's file is."""

    def of(override: dict[str, Any]) -> Contract:
        file = tmp_path / "override.yaml"
        file.write_text(to_yaml(override), encoding="utf-8")
        return load_contract(file)

    return of


@pytest.fixture
def walk(tmp_path: Path) -> Callable[..., dict[str, Step]]:
    """Check the simulator against a contract. The steps by name."""

    def steps(simulator: Simulator, contract: Contract, secret: str | None = None) -> dict[str, Step]:
        credentials = Credentials(simulator.client_id, secret or simulator.client_secret)
        limits = contract.limits.model_copy(update={"attempts": 1})

        def connect(c: Contract) -> IdeasApi:
            return IdeasApi.connect(c, simulator.base_url, credentials, FileHome(tmp_path / "tokens.json", tmp_path))

        patient = contract.model_copy(update={"limits": limits})
        return {step.name: step for step in probe.check(patient, connect)}

    return steps


@contextmanager
def serving(contract: Contract, tables: Tables | None = None, **options: Any) -> Iterator[Simulator]:
    with Simulator(contract, tables or generate("small", seed=1), **options) as simulator:
        yield simulator


@pytest.mark.parametrize("what", DIFFERENCES)
def test_a_difference_is_found_and_the_lines_that_it_suggests_fix_it(what, contract_of, walk):
    override, where, sentence = DIFFERENCES[what]
    with serving(contract_of(override)) as simulator:
        steps = walk(simulator, load_contract(None))
        assert steps[where].verdict == "differs"
        assert sentence in " | ".join(steps[where].differs)

        again = walk(simulator, contract_of(all_fixes(steps.values())))
        assert {name: step.differs for name, step in again.items() if step.verdict != "agrees"} == {}


def test_an_api_that_matches_the_contract_agrees_in_every_step(walk):
    contract = load_contract(None)
    with serving(contract) as simulator:
        steps = walk(simulator, contract)
    assert list(steps) == ["host", "login", "header", "validation", "refresh", *STREAMS]
    assert {step.verdict for step in steps.values()} == {"agrees"}
    assert all_fixes(steps.values()) == {}


def test_it_only_reads_and_sends_at_most_four_requests_per_stream_and_one_for_a_second_parent(walk):
    contract = load_contract(None)
    with serving(contract) as simulator:
        steps = walk(simulator, contract)
        reads = [request for request in simulator.log if request.stream in STREAMS]
    assert {request.method for request in reads} == {"GET"}
    parents = {stream for stream in STREAMS if contract.streams[stream].each}
    assert max(steps[stream].requests - (stream in parents) for stream in STREAMS) <= 4
    assert len(reads) == sum(steps[stream].requests for stream in STREAMS) + steps["header"].requests


def test_it_confirms_what_the_api_proves_and_nothing_else(contract_of, walk):
    with serving(contract_of({"streams": {"ideas": {"fields": {"title": "subject"}}}})) as simulator:
        steps = walk(simulator, load_contract(None))
    assert {"auth.header.name", "auth.header.format"} <= set(steps["header"].confirmed)
    assert "auth.refresh.path" in steps["refresh"].confirmed
    confirmed = set(steps["ideas"].confirmed)
    assert {"path", "records", "fields.author_id", "paging.total", "paging.size_parameter"} <= {
        place.removeprefix("streams.ideas.") for place in confirmed
    }
    assert "streams.ideas.fields.title" not in confirmed


def test_a_capped_page_is_found_and_fixed(contract_of, walk):
    with serving(load_contract(None), page_cap=20) as simulator:
        steps = walk(simulator, load_contract(None))
        assert "100 records per page were requested, but 20 came" in steps["users"].differs[0]
        assert all_fixes(steps.values())["streams"]["users"] == {"paging": {"size": 20}}

        again = walk(simulator, contract_of(all_fixes(steps.values())))
        assert {step.verdict for step in again.values()} == {"agrees"}


def test_pages_that_our_contract_numbers_from_0_and_the_api_from_1(contract_of, walk):
    with serving(load_contract(None)) as simulator:
        steps = walk(simulator, contract_of(paged(first=0)))
    assert "it may number pages from 1" in steps["users"].differs[0]
    assert steps["users"].fix == {"streams": {"users": {"paging": {"first": 1}}}}


def test_a_column_that_no_record_has_is_named_and_can_be_removed(contract_of, walk):
    tables = generate("small", seed=1)
    for row in tables["ideas"].values():
        del row["view_count"]
    with serving(load_contract(None), tables) as simulator:
        steps = walk(simulator, load_contract(None))
        assert steps["ideas"].not_sent == ["ideas.view_count"]
        assert steps["ideas"].fix == {"streams": {"ideas": {"fields": {"view_count": None}}}}

        again = walk(simulator, contract_of(all_fixes(steps.values())))
        assert again["ideas"].verdict == "agrees"


def test_fields_that_the_contract_does_not_map_are_named_with_their_kinds(walk):
    with serving(load_contract(None), quirks=Quirks(extra_fields=True)) as simulator:
        steps = walk(simulator, load_contract(None))
    assert steps["challenges"].verdict == "agrees"
    assert steps["challenges"].not_mapped == {
        "karma": "number",
        "client_flags.pinned": "true/false",
        "client_flags.locale": "text",
        "client_flags.badges": "list of texts",
    }


def test_the_shapes_of_a_php_api_are_not_differences(contract_of, walk):
    quirks = Quirks(
        numbers_as_text=True,
        booleans="empty_text",
        ids_as_numbers=True,
        keyed_lists=True,
        empty_as_list=True,
        timestamps="naive",
        no_timestamp="0000-00-00 00:00:00",
        total="text",
    )
    with serving(load_contract(None), quirks=quirks) as simulator:
        steps = walk(simulator, load_contract(None))
    assert {name: step.differs for name, step in steps.items() if step.verdict != "agrees"} == {}


def test_profiles_that_can_only_be_read_one_at_a_time_are_read_by_ids_just_seen(contract_of, walk):
    by_id = contract_of(
        {
            "streams": {
                "users": {
                    "path": "users/{user_id}",
                    "reads": "one",
                    "each": {"of": ["ideas.author_id"], "placeholder": "user_id"},
                    "records": ["data"],
                    "paging": {"style": "none"},
                }
            }
        }
    )
    with serving(by_id) as simulator:
        steps = walk(simulator, by_id)
        read = [request.scope for request in simulator.log if request.stream == "users"]
        authors = {row["author_id"] for row in simulator.tables["ideas"].values()}
    assert (steps["users"].verdict, steps["users"].records) == ("agrees", 3)
    assert set(read) <= authors


def test_a_wrong_secret_fails_the_login_and_skips_what_needs_it(walk):
    with serving(load_contract(None)) as simulator:
        steps = walk(simulator, load_contract(None), secret="wrong-secret")
    assert steps["host"].verdict == "agrees"
    assert steps["login"].verdict == "failed"
    assert isinstance(steps["login"].error, AuthenticationError)
    assert steps["login"].hint
    assert {steps[name].verdict for name in ("header", "validation", "refresh", *STREAMS)} == {"skipped"}


def test_an_api_that_cannot_be_reached_fails_the_host(walk):
    with serving(load_contract(None)) as simulator:
        pass
    steps = walk(simulator, load_contract(None))
    assert isinstance(steps["host"].error, Unavailable)
    assert {step.verdict for name, step in steps.items() if name != "host"} == {"skipped"}


def test_a_wrong_stream_address_fails_that_stream_and_skips_its_children(contract_of, walk):
    with serving(contract_of({"streams": {"challenges": {"path": "campaigns"}}})) as simulator:
        steps = walk(simulator, load_contract(None))
    assert isinstance(steps["challenges"].error, NotFound)
    assert steps["users"].verdict == "agrees"
    assert steps["ideas"].reason == "it requires challenges.id, but challenges could not be read"
    assert steps["votes"].reason == "it requires ideas.id, but ideas could not be read"


def test_a_stream_that_the_account_may_not_read_leaves_the_others_alone(walk):
    with serving(load_contract(None)) as simulator:
        simulator.faults.add(Fault(kind="status", status=403, stream="users", times=None))
        steps = walk(simulator, load_contract(None))
    assert isinstance(steps["users"].error, AccessDenied)
    assert {steps[name].verdict for name in STREAMS if name != "users"} == {"agrees"}


def test_the_stored_token_is_used_once_as_a_sync_does(walk):
    contract = load_contract(None)
    with serving(contract) as simulator:
        assert "stored" not in " ".join(walk(simulator, contract)["login"].agrees)
        assert "the API accepts the stored access token, as in a sync" in walk(simulator, contract)["login"].agrees
        simulator.auth.expire_tokens()
        renewed = walk(simulator, contract)["login"]
    assert "the stored access token was no longer valid and was renewed, as in a sync" in renewed.agrees
    assert renewed.verdict == "agrees"


def test_a_stored_token_whose_refusal_is_not_recognised_gives_a_line_of_the_contract(walk, contract_of):
    contract = load_contract(None)
    with serving(contract) as simulator:
        walk(simulator, contract)
        simulator.faults.add(Fault(kind="status", status=404, stream="challenges", times=1))
        step = walk(simulator, contract)["login"]
    assert "a sync fails with the stored token" in step.differs[0]
    assert "(HTTP 404). After a new login the same request works" in step.differs[0]
    assert step.fix == {"auth": {"expired": {"statuses": [404]}}}
    assert contract_of(step.fix).auth.expired.statuses == (404,)


def test_a_login_answer_that_is_not_understood_is_described_without_its_values(walk, contract_of):
    with serving(contract_of({"auth": {"token": {"access_token": "result.jwt"}}})) as simulator:
        step = walk(simulator, load_contract(None))["login"]
        secrets = simulator.issued_secrets
    assert step.reason == "the response to the token request has no access token (HTTP 200)"
    assert "the response holds result.jwt (a text of 32 characters)" in (step.hint or "")
    assert not any(secret in str(step.error) for secret in secrets)


def test_a_list_that_answers_404_names_the_paths_that_were_tried(walk, contract_of):
    with serving(contract_of({"streams": {"ideas": {"path": "campaigns/{challenge_id}/entries"}}})) as simulator:
        step = walk(simulator, load_contract(None))["ideas"]
        tried = [f"/v2/challenges/{scope}/ideas" for scope in simulator.tables["challenges"]]
    reason = step.reason or ""
    assert reason.startswith("there is nothing at ")
    assert sum(path in reason for path in tried) == 3
    assert "Correct streams.ideas.path in the contract: it is challenges/{challenge_id}/ideas" in (step.hint or "")


def test_times_without_a_zone_are_asked_for(walk, contract_of):
    contract = load_contract(None)
    with serving(contract, quirks=Quirks(timestamps="naive")) as simulator:
        asked = walk(simulator, contract)["comments"].questions
        assert walk(simulator, contract_of({"timezone": "Europe/Madrid"}))["comments"].questions == []
    assert asked == [
        "the API sends times without a zone (comments: created_at), and nothing says which zone it is. "
        "They are read as UTC; if that is wrong, set timezone in the contract, or that of the stream"
    ]


def test_a_column_is_not_given_up_while_an_unmapped_field_of_its_kind_stands_beside_it(walk):
    tables = generate("small", seed=1)
    for number, row in enumerate(tables["ideas"].values()):
        row["zzz"] = row.pop("view_count")
        row["qqq"] = f"text {number}"
        del row["approval_status"], row["published_at"]
    with serving(load_contract(None), tables) as simulator:
        step = walk(simulator, load_contract(None))["ideas"]
    assert step.fix == {"streams": {"ideas": {"fields": {"published_at": None}}}}
    shown = " | ".join(step.differs)
    assert "ideas.view_count, at view_count, is in none of 20 records, but the API sends others" in shown
    assert "of the same kind: zzz. If" in shown
    assert "ideas.approval_status, at approval_status, is in none of 20 records, but" in shown
    assert "qqq. If it is one of them, write its path at streams.ideas.fields.approval_status" in shown


FAULTS = {
    "page_twice": "the second page is the same as the first",
    "wrong_total": "the total is wrong: 121, but the last page has 20 records, not 21",
    "list_cut": "the second page is empty although the total is 120",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_wrong_paging_is_found(kind, walk):
    with serving(load_contract(None)) as simulator:
        simulator.faults.add(Fault(kind=kind, stream="users", times=None))
        steps = walk(simulator, load_contract(None))
    assert FAULTS[kind] in steps["users"].differs[0]


def test_an_error_in_place_of_records_is_a_failure(walk):
    with serving(load_contract(None)) as simulator:
        simulator.faults.add(Fault(kind="error_body", stream="votes", times=None))
        steps = walk(simulator, load_contract(None))
    assert steps["votes"].reason == "the response is an error message instead of records (HTTP 200)"


def test_an_empty_community_is_not_a_difference(walk):
    with serving(load_contract(None), {"challenges": {}, "users": {}}) as simulator:
        steps = walk(simulator, load_contract(None))
    assert steps["challenges"].verdict == "empty"
    assert steps["ideas"].reason == "it requires challenges.id, but no value was seen"


@pytest.mark.parametrize("what", ["records are elsewhere", "a nested author has another id", "the API has no total"])
def test_no_value_of_the_community_and_no_secret_is_in_the_findings(what, contract_of, walk):
    quirks = Quirks(extra_fields=True, keyed_lists=True, ids_as_numbers=True)
    with serving(contract_of(DIFFERENCES[what][0]), quirks=quirks) as simulator:
        steps = walk(simulator, load_contract(None))
        tables = simulator.tables
        secrets = {simulator.client_secret, *simulator.issued_secrets}
    shown = json.dumps([asdict(step) | {"error": str(step.error)} for step in steps.values()], ensure_ascii=False)
    values = {row[name] for t in tables.values() for row in t.values() for name in row if name in PERSONAL}
    canaries = secrets | {text for text in values if isinstance(text, str) and len(text) > 4}
    canaries |= {email_of(user) for user in tables["users"]}
    assert len(canaries) > 500
    assert [text for text in canaries if text in shown] == []
