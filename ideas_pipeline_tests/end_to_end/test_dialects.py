"""After a sync the warehouse is the community, in every dialect and in random combinations of them."""

from __future__ import annotations

import logging
import os
import random
import secrets
import ssl
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
import trustme

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.simulator.auth import ApiClient
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.counts import declare_counts
from ideas_pipeline.simulator.dialects import DIALECTS, Dialect, combined, quirks_of
from ideas_pipeline.simulator.restless import restless
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Row, Tables, drop_votes
from ideas_pipeline.tables.community import TABLES, VOTES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import contract_with, stream, sync
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

_log = logging.getLogger(__name__)
# Every run of the suite tries the same combinations; with IDEAS_SOAK, which says how many, others each time.
_SOAK = "IDEAS_SOAK" in os.environ
_SEED = os.environ.get("DIALECTS_SEED") or (str(secrets.randbelow(10**9)) if _SOAK else "1")
_COMBINATIONS = int(os.environ.get("IDEAS_SOAK", "30"))


def hamlet(seed: int) -> Tables:
    """A community that is as small as lists of several short pages can be."""
    return generate(Size(challenges=2, ideas=6, comments=14, votes=14, users=13), seed)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    """The TLS of a server on this machine, with a certificate that the clients of these tests trust."""
    authority = trustme.CA()
    trusted = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
        yield context


def serving(
    dialect: Dialect, contract: Contract, tables: Tables, page_cap: int | None, tls: ssl.SSLContext
) -> Simulator:
    simulator = Simulator(
        contract,
        tables,
        client=ApiClient(token_uses=dialect.token_uses),
        rate_limit=dialect.rate_limit,
        page_cap=dialect.page_cap or page_cap,
        quirks=quirks_of(dialect),
        tls=tls if dialect.tls else None,
    )
    if dialect.restless:
        simulator.before_page = restless()
    for fault in dialect.faults:
        simulator.faults.add(fault)
    return simulator


def assert_true(warehouse: Warehouse, dialect: Dialect, contract: Contract, tables: Tables) -> None:
    """The warehouse holds ``tables``, with the ids that this contract gives them."""
    expected = with_composite_ids(contract, tables)
    if dialect.quirks.get("no_ids"):
        expected = with_votes_by_content(expected, warehouse)
    assert_true_to(warehouse.engine, COMMUNITY, contract, expected)


def with_composite_ids(contract: Contract, tables: Tables) -> Tables:
    """The tables as the warehouse must hold them if a key has several columns."""
    comments, votes = (contract.streams[name].key for name in ("comments", "votes"))
    result = dict(tables)
    if "id" in comments:
        result["comments"] = {
            key: _with_composite_id(row) | {"parent_comment_id": answered and _id(row["idea_id"], answered)}
            for key, row in tables["comments"].items()
            for answered in [row["parent_comment_id"]]
        }
    if "id" in votes:
        result["votes"] = {key: _with_composite_id(row) for key, row in tables["votes"].items()}
    return result


def _with_composite_id(row: Row) -> Row:
    return row | {"id": _id(row["idea_id"], row["id"])}


def _id(*values: str | None) -> str:
    return orjson.dumps(values).decode()


def with_votes_by_content(tables: Tables, warehouse: Warehouse) -> Tables:
    """The tables as the warehouse must hold them if votes have no id: a person votes once for an idea."""
    with warehouse.engine.connect() as connection:
        nobody = sa.select(VOTES.c.idea_id, VOTES.c.id).where(VOTES.c.user_id.is_(None))
        made = {row.idea_id: row.id for row in connection.execute(nobody)}
    ids = {
        key: _id(row["idea_id"], row["user_id"], row["stage_id"]) if row["user_id"] else made[row["idea_id"]]
        for key, row in tables["votes"].items()
    }
    ratings = {key: row | {"vote_id": ids[row["vote_id"]]} for key, row in tables["vote_ratings"].items()}
    return tables | {
        "votes": {key: row | {"id": ids[key]} for key, row in tables["votes"].items()},
        "vote_ratings": ratings,
    }


def assert_read_true(
    names: Sequence[str], warehouse: Warehouse, folder: Path, tls: ssl.SSLContext, *, seed: int, size: int
) -> None:
    """Two syncs from an API that speaks these dialects are complete and true, and the second changes nothing.

    Two more notice what was deleted.

    Args:
        names: the dialects.
        warehouse: an empty one.
        folder: for the client's state.
        tls: of the server.
        seed: of the community.
        size: of a page.
    """
    dialect = combined(names)
    contract = spoken(dialect, size)
    tables = hamlet(seed)
    dialect.change(tables)
    with serving(dialect, contract, tables, size, tls) as simulator:
        if dialect.restless:
            # Pages of few rows have no room for the overlap that proves a list.
            assert_nothing_is_lost(simulator, warehouse, folder, whole=names == ["restless"])
        for night in ("the first", "the second"):
            result = sync(simulator, warehouse, folder)
            reasons = [s.reason for s in result.streams]
            assert reasons == [None] * 5, f"{night} night: {reasons}"
            assert_true(warehouse, dialect, contract, simulator.tables)
        assert not result.changed
        with simulator.changing() as changing:
            take_away(changing)
        # If lists contradict each other, or their parents move, only the second run believes what is absent.
        for _ in range(2):
            sync(simulator, warehouse, folder)
        assert_true(warehouse, dialect, contract, simulator.tables)
        assert simulator.counters.logins == 1


def take_away(tables: Tables) -> None:
    """Delete a vote, all votes for the idea that has the fewest, and a comment that nobody answered."""
    answered = {row.get("parent_comment_id") for row in tables["comments"].values()}
    del tables["comments"][next(key for key, row in tables["comments"].items() if row["id"] not in answered)]
    last = tables["votes"][next(reversed(tables["votes"]))]
    votes_per_idea = Counter(row["idea_id"] for row in tables["votes"].values())
    fewest = min(votes_per_idea, key=lambda idea: votes_per_idea[idea])
    drop_votes(tables, lambda row: row is last or row["idea_id"] == fewest)
    declare_counts(tables)


def spoken(dialect: Dialect, size: int) -> Contract:
    """The contract of an API that speaks a dialect, with pages of ``size``."""
    paged = {"streams": {name: {"paging": {"size": size}} for name in load_contract(None).streams}}
    changes = merge(merge(contract_with({}).model_dump(by_alias=True), paged), dialect.contract)
    return Contract.model_validate(changes)


def live(warehouse: Warehouse, name: str) -> set[str]:
    """The ids of the live rows of a table."""
    table = TABLES[name]
    with warehouse.engine.connect() as connection:
        return set(connection.scalars(sa.select(table.c.id).where(table.c._deleted_at.is_(None))))


def assert_nothing_is_lost(simulator: Simulator, warehouse: Warehouse, folder: Path, *, whole: bool) -> None:
    """Rows come and go for three nights: no other row is ever missing. Then the lists stand still.

    ``whole``: whether the lists are complete, too.
    """
    lived = {name: set(simulator.tables[name]) for name in ("users", "comments")}
    for _ in range(3):
        result = sync(simulator, warehouse, folder, mass_absence_percent=100)
        assert not whole or [s.reason for s in result.streams] == [None] * 5
        for name, keys in lived.items():
            assert keys <= live(warehouse, name)
    simulator.before_page = None
    for _ in range(2):  # only the second run believes that a row is absent which its parent still counts
        sync(simulator, warehouse, folder, mass_absence_percent=100)


READABLE = [name for name, dialect in DIALECTS.items() if not dialect.refused]


@pytest.mark.parametrize("name", READABLE)
def test_the_warehouse_is_true_in_every_dialect(
    name: str, sqlite_url: str, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    # Lists that change while they are read are proven in every run only if pages have room for the overlap.
    size = 12 if DIALECTS[name].restless else 6
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert_read_true([name], warehouse, tmp_path, tls, seed=3, size=size)


@pytest.mark.parametrize("name", [name for name in DIALECTS if name not in READABLE])
def test_what_cannot_be_read_is_incomplete_with_the_reason(
    name: str, sqlite_url: str, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    dialect = DIALECTS[name]
    with (
        Warehouse.open(sqlite_url, COMMUNITY) as warehouse,
        serving(dialect, spoken(dialect, 6), hamlet(3), 6, tls) as simulator,
    ):
        users = stream(sync(simulator, warehouse, tmp_path), "users")
        assert (users.verdict, users.counts.inserted) == ("incomplete", 6)
        assert dialect.refused in str(users.reason)


@pytest.mark.parametrize("number", range(_COMBINATIONS))
def test_the_warehouse_is_true_in_random_combinations(
    number: int, sqlite_url: str, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    """To repeat a run: ``DIALECTS_SEED=… pytest …``, with the seed that the failure prints."""
    drawn = random.Random(f"{_SEED}/{number}")
    names = draw(drawn)
    # A page that is refused with 400 may be too deep instead of beyond the end. A shorter last page proves the end, and
    # if pages have two or three rows, the last one can be full with every page size that is tried.
    seed, size = drawn.randrange(1000), drawn.choice((6, 100) if "beyond-as-400" in names else (2, 3, 6, 100))
    # pytest shows this if the test fails.
    _log.warning("DIALECTS_SEED=%s combination %d: %s; seed %d, pages of %d", _SEED, number, names, seed, size)
    with Warehouse.open(sqlite_url, COMMUNITY) as warehouse:
        assert_read_true(names, warehouse, tmp_path, tls, seed=seed, size=size)


def draw(drawn: random.Random) -> list[str]:
    """Two to six dialects that do not contradict each other."""
    names: list[str] = []
    for name in drawn.sample(READABLE, drawn.randint(2, 6)):
        try:
            combined([*names, name])
        except ValueError:
            continue
        names.append(name)
    return names


def test_many_dialects_at_once_on_postgresql(postgresql_url: str, tmp_path: Path, tls: ssl.SSLContext) -> None:
    names = ("own-page-size", "expired-as-200", "refresh-token-stays", "rate-limit-as-403", "times-without-zone")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        assert_read_true(names, warehouse, tmp_path, tls, seed=3, size=6)
