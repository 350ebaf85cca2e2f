"""APIs that show empty lists to an expired token, and APIs whose lists are empty: over sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.sync.run import Full, Mode, RunResult, Silence
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync_with
from ideas_pipeline_tests.end_to_end.small_api import column
from ideas_pipeline_tests.ideas_api.scripted_auth import CLIENT_ID, CLIENT_SECRET, ScriptedAuth
from ideas_pipeline_tests.ideas_api.scripted_server import Answer, Received, ScriptedServer, serving
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

NO_CONTENT = Answer(204, b"")
NO_RECORDS = Answer(body={"data": []})
NOT_FOUND = Answer(404, {"message": "Not Found"})

# The ideas with comments, of 12.
DISCUSSED = {1: [11, 12], 2: [21], 9: [91], 12: [121, 122, 123]}


class Club(ScriptedAuth):
    """An API with a challenge of 12 ideas, some with comments, in lists of one page, or of pages of 2 without totals.

    Args:
        expired: what it answers to an expired token.
        empty: what it answers for a list without records.
        token_uses: how many calls a token lives.
        counts: whether ideas say how many comments they have.
    """

    def __init__(self, expired: Answer, empty: Answer, token_uses: int | None = None, *, counts: bool = True) -> None:
        super().__init__(token_uses=token_uses, expires_in=None)
        self.refusal = expired
        self.empty = empty
        self.counts = counts
        self.comments = {idea: list(ids) for idea, ids in DISCUSSED.items()}
        self.lists: list[str] = []

    @property
    def renewals(self) -> int:
        return self.count["auth/refresh"]

    def _call(self, request: Received) -> Answer:
        self.lists.append(request.path.removeprefix("/v2/"))
        answer = super()._call(request)
        return answer if answer is self.refusal else self._list(request)

    def _list(self, request: Received) -> Answer:
        match request.path.removeprefix("/v2/").split("/"):
            case ["challenges"]:
                ids = [5]
            case ["challenges", "5", "ideas"]:
                ids = list(range(1, 13))
            case ["ideas", idea, "comments"]:
                ids = self.comments.get(int(idea), [])
            case _:
                ids = []
        if page := int(request.query.get("page", 0)):
            ids = ids[page * 2 - 2 : page * 2]
        records = [self._record(id_) for id_ in ids]
        return Answer(body={"data": records}) if records else self.empty

    def _record(self, id_: int) -> dict[str, Any]:
        counted = {"comment_count": len(self.comments.get(id_, []))} if self.counts else {}
        return {"id": id_, "title": str(id_), **counted}


@dataclass
class Night(Silence):
    """A client of the API, whose tokens are kept from night to night, and the sentences of its syncs."""

    server: ScriptedServer
    warehouse: Warehouse
    folder: Path

    def __post_init__(self) -> None:
        self.sentences: list[str] = []
        self.paging: dict[str, Any] = {"style": "none"}

    def noted(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def sync(self, mode: Mode = Full()) -> RunResult:  # noqa: B008 - it is frozen
        streams = {name: {"paging": {"!": self.paging}} for name in ("challenges", "ideas", "comments")}
        contract = contract_with({"account": None, "streams": streams, "limits": {"concurrency": 2}})
        home = FileHome(self.folder / "tokens.json", self.folder)
        api = IdeasApi.connect(contract, self.server.base_url, Credentials(CLIENT_ID, CLIENT_SECRET), home)
        return sync_with(api, self.warehouse, mode=mode, streams=list(streams), progress=self)

    def comments(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for id_, idea in column(self.warehouse, "comments.idea_id").items():
            found.setdefault(int(idea), []).append(int(id_))
        return {idea: sorted(ids) for idea, ids in found.items()}


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[Warehouse]:
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        yield warehouse


@contextmanager
def nights(club: Club, warehouse: Warehouse, folder: Path) -> Iterator[Night]:
    with serving(club) as server:
        yield Night(server, warehouse, folder)


SILENT = {
    "204 for both": (NO_CONTENT, NO_CONTENT),
    "204 for an expired token alone": (NO_CONTENT, NO_RECORDS),
    "an empty list for both": (NO_RECORDS, NO_RECORDS),
    "an empty list for an expired token alone": (NO_RECORDS, NO_CONTENT),
    "not found": (NOT_FOUND, NO_RECORDS),
}


@pytest.mark.parametrize(("expired", "empty"), SILENT.values(), ids=SILENT)
def test_lists_that_an_expired_token_emptied_are_read_again(
    expired: Answer, empty: Answer, sqlite: Warehouse, tmp_path: Path
) -> None:
    club = Club(expired, empty, token_uses=10, counts=expired is not NOT_FOUND)
    with nights(club, sqlite, tmp_path) as night:
        assert (night.sync().verdict, night.comments()) == ("complete", DISCUSSED)
        assert club.renewals >= 1
        assert "The access token expired, and the API did not say so" in night.sentences[0]
        assert ("statuses: 204" in night.sentences[0]) == (NO_CONTENT in (expired, empty))


@pytest.mark.parametrize("expired", [NO_CONTENT, NO_RECORDS, NOT_FOUND], ids=["204", "an empty list", "not found"])
def test_a_token_of_an_earlier_night_that_expired_silently_is_renewed_once(
    expired: Answer, sqlite: Warehouse, tmp_path: Path
) -> None:
    club = Club(expired, NO_RECORDS)
    with nights(club, sqlite, tmp_path) as night:
        night.sync()
        club.expire()
        club.comments[1].append(13)
        del club.comments[9]
        for _ in range(2):
            result = night.sync()
        assert (result.verdict, night.comments(), club.renewals) == ("complete", club.comments, 1)


@pytest.mark.parametrize("empty", [NO_CONTENT, NO_RECORDS], ids=["204", "empty list"])
def test_empty_lists_cost_one_request_per_stream_and_no_renewal(
    empty: Answer, sqlite: Warehouse, tmp_path: Path
) -> None:
    club = Club(Answer(401), empty, counts=False)
    with nights(club, sqlite, tmp_path) as night:
        for _ in range(2):
            club.lists.clear()
            assert (night.sync().verdict, night.comments()) == ("complete", DISCUSSED)
            read = [path for path in club.lists if path.endswith("comments")]
            assert (club.renewals, len(read) - len(set(read))) == (0, 1)
        assert night.sentences == []


def test_a_list_that_its_parent_calls_empty_costs_nothing_more(sqlite: Warehouse, tmp_path: Path) -> None:
    club = Club(NO_RECORDS, NO_RECORDS)
    with nights(club, sqlite, tmp_path) as night:
        night.sync()
        read = [path for path in club.lists if path.endswith("comments")]
        assert len(read) == len(set(read))


def test_a_community_without_anything_costs_one_renewal_per_night(sqlite: Warehouse, tmp_path: Path) -> None:
    club = Club(NO_RECORDS, NO_RECORDS)
    club.instead["challenges"] = lambda _: NO_RECORDS
    with nights(club, sqlite, tmp_path) as night:
        for renewals in (0, 1, 2):
            assert (night.sync().verdict, club.renewals) == ("complete", renewals)
        assert night.sentences == []


def test_a_list_that_lost_its_records_proves_nothing_about_the_token(sqlite: Warehouse, tmp_path: Path) -> None:
    club = Club(NO_RECORDS, NO_RECORDS, counts=False)

    def asked_last(_: Received) -> Answer | None:
        club.instead["ideas/12/comments"] = lambda _: NO_RECORDS
        return None

    club.instead["ideas/12/comments"] = asked_last
    with nights(club, sqlite, tmp_path) as night:
        night.sync()
        assert night.comments() == DISCUSSED
        assert (club.renewals, night.sentences) == (1, [])


def test_lists_are_incomplete_if_tokens_expire_faster_than_they_can_be_read(sqlite: Warehouse, tmp_path: Path) -> None:
    club = Club(NO_RECORDS, NO_RECORDS, token_uses=3, counts=False)
    with nights(club, sqlite, tmp_path) as night:
        result = night.sync()
        assert result.verdict == "incomplete"
        assert "access tokens expired, again and again" in str(stream(result, "comments").reason)
        assert club.renewals < 20


@pytest.mark.parametrize("token_uses", [12, 15, 21])
def test_a_token_that_expires_while_a_list_of_pages_is_read_hides_nothing(
    token_uses: int, sqlite: Warehouse, tmp_path: Path
) -> None:
    club = Club(NO_RECORDS, NO_RECORDS)
    with nights(club, sqlite, tmp_path) as night:
        night.paging = {"style": "page", "page_parameter": "page", "size": 2}
        night.sync()
        club.token_uses = token_uses
        club.expire()
        assert (night.sync().verdict, night.comments()) == ("complete", DISCUSSED)
