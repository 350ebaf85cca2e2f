"""A warehouse is created, migrated by adding, or refused in words with nothing changed."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from ideas_pipeline.errors import WarehouseError, WarehouseMisconfigured
from ideas_pipeline.tables.all_tables import METADATA
from ideas_pipeline.tables.bookkeeping import PROGRAM, SCHEMA_VERSION, SCOPES, SYNC_SCOPES, WAREHOUSE
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY, held, idea, live, load, read


def test_an_empty_database_gets_all_tables_and_the_marker(warehouse_url: str) -> None:
    with Warehouse.open(warehouse_url, COMMUNITY) as warehouse:
        assert set(METADATA.tables) == set(sa.inspect(warehouse.engine).get_table_names())
        [marker] = held(warehouse, WAREHOUSE)
    assert (marker["program"], marker["schema_version"]) == (PROGRAM, SCHEMA_VERSION)


def test_tables_and_columns_carry_their_meaning_where_the_engine_holds_it(postgresql_url: str) -> None:
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        there = sa.inspect(warehouse.engine)
        for table in METADATA.sorted_tables:
            assert there.get_table_comment(table.name)["text"] == table.comment
            assert {c["name"]: c["comment"] for c in there.get_columns(table.name)} == {
                c.name: c.comment for c in table.columns
            }


def test_opening_again_changes_nothing(warehouse: Warehouse, warehouse_url: str) -> None:
    load(warehouse, "ideas", [idea("1")], on=1)
    before = held(warehouse, "ideas"), held(warehouse, WAREHOUSE)
    with Warehouse.open(warehouse_url, COMMUNITY) as again:
        assert (held(again, "ideas"), held(again, WAREHOUSE)) == before


def test_opening_does_not_wait_for_a_writer(warehouse: Warehouse, warehouse_url: str) -> None:
    with warehouse.engine.execution_options(writes=True).begin() as writer:
        writer.exec_driver_sql("UPDATE _warehouse SET schema_version = schema_version")
        Warehouse.open(warehouse_url, COMMUNITY).close()


def test_a_warehouse_of_an_older_version_gets_what_it_lacks_and_keeps_its_rows(
    warehouse: Warehouse, warehouse_url: str
) -> None:
    load(warehouse, "ideas", [idea("1", title="Bike racks")], on=1)
    _execute(
        warehouse.engine,
        "ALTER TABLE ideas DROP COLUMN view_count",
        "ALTER TABLE ideas DROP COLUMN _extra",
        "DROP TABLE vote_ratings",
        "DROP INDEX ix_votes_idea",
        "UPDATE _warehouse SET schema_version = 0",
    )
    with Warehouse.open(warehouse_url, COMMUNITY) as migrated:
        [row] = held(migrated, "ideas")
        assert (row["title"], row["view_count"], row["_extra"]) == ("Bike racks", None, None)
        assert live(migrated, "vote_ratings") == []
        assert {i["name"] for i in sa.inspect(migrated.engine).get_indexes("votes")} == {"ix_votes_idea"}
        assert held(migrated, WAREHOUSE)[0]["schema_version"] == SCHEMA_VERSION
        load(migrated, "ideas", [idea("1", view_count=3, _extra='{"a": 1}')], on=2)
        assert held(migrated, "ideas")[0]["view_count"] == 3


REASONS = {
    "a record came twice; the API's total is 4, but 3 records came (after 2 sweeps)": "total_differs",
    "the API's total, 1000, is a cap or an estimate, and was not used": "total_unused",
    "the API sends only a part of idea_labels in 2 records": "cut_lists",
    "no earlier sweep confirmed these records (after one sweep)": None,
}
CONTRADICTIONS = {
    "the API ignores challenge_id in the path: they hold the same ideas": "ignored_parent",
    "3 of its records are also in another list": None,
}


def test_sentences_of_an_older_version_get_their_codes(warehouse: Warehouse, warehouse_url: str) -> None:
    load(warehouse, "ideas", [], on=1, scopes=[read(f"{n}", remembered=True) for n in range(4)])
    with warehouse.engine.begin() as connection:
        for table, sentence, known in ((SYNC_SCOPES, "reason", REASONS), (SCOPES, "contradiction", CONTRADICTIONS)):
            for number, words in enumerate(known):
                connection.execute(sa.update(table).where(table.c.scope == f"{number}").values({sentence: words}))
    _execute(
        warehouse.engine,
        "ALTER TABLE _sync_scopes DROP COLUMN reason_code",
        "ALTER TABLE _scopes DROP COLUMN contradiction_code",
    )
    with Warehouse.open(warehouse_url, COMMUNITY) as migrated:
        reasons = {row["reason"]: row["reason_code"] for row in held(migrated, SYNC_SCOPES)}
        contradictions = {row["contradiction"]: row["contradiction_code"] for row in held(migrated, SCOPES)}
    assert reasons == REASONS
    assert contradictions == CONTRADICTIONS | {None: None}


def test_comments_are_refreshed(postgresql_url: str) -> None:
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        _execute(warehouse.engine, "COMMENT ON COLUMN ideas.title IS 'old'", "COMMENT ON TABLE ideas IS 'old'")
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        there = sa.inspect(warehouse.engine)
        comments = {c["name"]: c["comment"] for c in there.get_columns("ideas")}
        assert (comments["title"], there.get_table_comment("ideas")["text"]) == (
            METADATA.tables["ideas"].c.title.comment,
            METADATA.tables["ideas"].comment,
        )


def test_tables_and_columns_that_analysts_added_are_left_alone(warehouse: Warehouse, warehouse_url: str) -> None:
    _execute(warehouse.engine, "CREATE TABLE mine (a integer)", "ALTER TABLE ideas ADD COLUMN mine text")
    with Warehouse.open(warehouse_url, COMMUNITY) as again:
        load(again, "ideas", [idea("1")], on=1)
        assert "mine" in sa.inspect(again.engine).get_table_names()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("UPDATE _warehouse SET program = 'other'", r"it belongs to the program other"),
        ("UPDATE _warehouse SET schema_version = 99", r"created by a newer version .* Upgrade ideas_pipeline"),
        ("DROP TABLE _warehouse", r"it has tables of another program \(_absences, "),
        ("ALTER TABLE ideas DROP COLUMN _row_hash", r"the table ideas lacks the column _row_hash"),
        (
            "DROP TABLE vote_ratings; CREATE TABLE vote_ratings (community text, vote_id text PRIMARY KEY)",
            r"the key of the table vote_ratings is \(vote_id\) instead of \(community, vote_id, criterion_id\)",
        ),
        (
            "ALTER TABLE ideas DROP COLUMN view_count; ALTER TABLE ideas ADD COLUMN view_count text",
            r"the column view_count of the table ideas is TEXT instead of BIGINT",
        ),
    ],
    ids=["another program", "newer", "no marker", "a required column", "another key", "another type"],
)
def test_a_database_that_adding_cannot_mend_is_refused_and_not_changed(
    warehouse: Warehouse, warehouse_url: str, damage: str, sentence: str
) -> None:
    # Something that could be mended, too: it must not be.
    _execute(warehouse.engine, "DROP TABLE challenge_stages", *damage.split("; "))
    before = _everything(warehouse.engine)
    with pytest.raises(WarehouseError, match=sentence) as refused:
        Warehouse.open(warehouse_url, COMMUNITY)
    assert "Nothing was changed." in str(refused.value)
    assert _everything(warehouse.engine) == before


def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    Warehouse.open(f"sqlite:///{tmp_path}/a/b/warehouse.db", COMMUNITY).close()
    assert (tmp_path / "a/b/warehouse.db").is_file()


def test_what_it_creates_on_disk_is_its_owners_alone(tmp_path: Path) -> None:
    with Warehouse.open(f"sqlite:///{tmp_path}/state/warehouse.db", COMMUNITY) as warehouse:
        load(warehouse, "ideas", [idea("1")], on=1)
        files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "state").iterdir()}
    assert files == {"warehouse.db": 0o600, "warehouse.db-wal": 0o600, "warehouse.db-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_the_rights_of_a_file_that_is_there_are_its_owners_business(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.db"
    file.touch()
    file.chmod(0o640)
    Warehouse.open(f"sqlite:///{file}", COMMUNITY).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_of_something_else_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.db"
    file.write_text("Dear diary, " * 1000)
    with pytest.raises(WarehouseError, match=r"file is not a database\. Use another file"):
        Warehouse.open(f"sqlite:///{file}", COMMUNITY)
    assert file.read_text() == "Dear diary, " * 1000


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:///{folder}", r"unable to open database file\. Check that the path is a file"),
        ("sqlite:///{folder}/file/warehouse.db", r"The folder of the warehouse .* cannot be created"),
        ("sqlite://", r"needs a file"),
        ("warehouse.db", r"URL cannot be read\. Write it as sqlite:///warehouse\.db"),
        ("postgresql://me:s3cret@host:port/db", r"URL cannot be read"),
        ("oracel://me:s3cret@host/db", r"Unknown database type 'oracel'"),
        ("mysql+pymysql://me:s3cret@host/db", r"not installed \(pymysql\)\. Install it: pip install pymysql"),
        ("postgresql://me:s3cret@127.0.0.1:1/db", r"Check that the server runs and can be reached from here"),
        ("postgres://me:s3cret@nowhere.invalid/db", r"Check the host's name in the URL"),
        ("postgresql://me:pw@s3cret@127.0.0.1:1/db", r"has more than one @\. Write %40 for each"),
        ("postgresql://me:pw@/s3cret@127.0.0.1:1/db", r"has more than one @\. Write %40 for each"),
        ("postgresql://me:s3cret@127.0.0.1:99999/db", r"port in the warehouse's URL must be a number from 1 to 65535"),
        ("postgresql://me:s3cret@127.0.0.1:1/db?bogus=1", r'option "bogus"\. Correct or remove it'),
        ("sqlite:///{folder}/new.db?password=s3cret", r"without a host or parameters"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_url_that_leads_nowhere_is_answered_in_words(tmp_path: Path, url: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError, match=sentence) as refused:
        Warehouse.open(url.format(folder=tmp_path), COMMUNITY)
    assert "s3cret" not in str(refused.value)
    # The driver's own message is not shown beside it.
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_wrong_password_is_answered_in_words_without_it(postgresql_server: sa.URL) -> None:
    engine = sa.create_engine(postgresql_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE clerk LOGIN PASSWORD 'right'")
        rules = Path(str(connection.exec_driver_sql("SHOW hba_file").scalar()))
        shutil.copy(rules, before := rules.with_suffix(".before"))
        rules.write_text("local all clerk scram-sha-256\n" + rules.read_text())
        connection.exec_driver_sql("SELECT pg_reload_conf()")
        url = postgresql_server.set(username="clerk", password="wr0ng").render_as_string(hide_password=False)
        try:
            with pytest.raises(WarehouseError, match=r"Check the user and the password") as refused:
                Warehouse.open(url, COMMUNITY)
        finally:
            rules.write_text(before.read_text())
            connection.exec_driver_sql("SELECT pg_reload_conf()")
            connection.exec_driver_sql("DROP ROLE clerk")
    engine.dispose()
    assert "wr0ng" not in str(refused.value)
    assert isinstance(refused.value, WarehouseMisconfigured)


def test_a_database_that_does_not_exist_is_answered_in_words(postgresql_server: sa.URL) -> None:
    with pytest.raises(WarehouseError, match=r'database "nowhere" does not exist\. Check the URL'):
        Warehouse.open(postgresql_server.set(database="nowhere").render_as_string(hide_password=False), COMMUNITY)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_postgresql_means_psycopg(postgresql_url: str, scheme: str) -> None:
    url = sa.make_url(postgresql_url).set(drivername=scheme).render_as_string(hide_password=False)
    with Warehouse.open(url, COMMUNITY) as warehouse:
        assert warehouse.engine.dialect.driver == "psycopg"


def _execute(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _everything(engine: sa.Engine) -> object:
    """The tables, with their columns, and what the marker says."""
    there = sa.inspect(engine)
    columns = {t: [(c["name"], str(c["type"])) for c in there.get_columns(t)] for t in there.get_table_names()}
    if WAREHOUSE.name not in columns:
        return columns, None
    with engine.begin() as connection:
        return columns, connection.execute(sa.select(WAREHOUSE.c.program, WAREHOUSE.c.schema_version)).all()
