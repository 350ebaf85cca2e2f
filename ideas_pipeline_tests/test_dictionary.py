"""The data dictionary is current and complete, agrees with the database, and its queries run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ideas_pipeline.cli.main import main
from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.dictionary.document import document, examples
from ideas_pipeline.marts.build import MARTS, build_marts
from ideas_pipeline.marts.build import TABLES as MART_TABLES
from ideas_pipeline.privacy.archives import Archive, note
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.shape import Quirks
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full
from ideas_pipeline.tables.all_tables import METADATA
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import api_of, contract_with, sync_with
from ideas_pipeline_tests.warehouse.batches import COMMUNITY
from ideas_pipeline_tests.warehouse.calls import call_writing

DICTIONARY = Path(__file__).parents[1] / "docs" / "warehouse.md"
EVERY_TABLE = {table.name: table for table in [*METADATA.sorted_tables, *MART_TABLES.values()]}
# Nothing went wrong with the community of these tests, and nobody was erased.
EMPTY = {"_rejected_records", "_absences", "_erasures"}


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """A warehouse with a community, its marts, and a class for one of its labels."""
    folder = tmp_path_factory.mktemp("dictionary")
    url = f"sqlite:///{folder / 'warehouse.db'}"
    if request.param == "postgresql":
        server: sa.URL = request.getfixturevalue("postgresql_server")
        administer(server, "CREATE DATABASE dictionary")
        url = server.set(database="dictionary").render_as_string(hide_password=False)
    simulator = Simulator(contract_with({}), generate("small", seed=1), quirks=Quirks(extra_fields=True))
    with simulator, Warehouse.open(url, COMMUNITY) as warehouse:
        with api_of(simulator, folder) as api, warehouse.fenced("account", 1) as fenced:
            assert sync_with(api, fenced, mode=Full()).verdict == "complete"
        with warehouse.engine.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO label_classes (community, label_id, class)"
                " SELECT community, MIN(label_id), 'adopted' FROM idea_labels GROUP BY community"
            )
        call_writing(warehouse, build_marts, "Europe/Madrid")
        call_writing(warehouse, note, Archive(folder / "archive"))
        yield warehouse.engine
    if request.param == "postgresql":
        administer(server, "DROP DATABASE dictionary WITH (FORCE)")


def administer(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def section(text: str, table: str) -> str:
    [found] = re.findall(rf"^### {table}\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_dictionary_in_docs_is_current() -> None:
    current = document(load_contract(None), None)
    assert DICTIONARY.read_text(encoding="utf-8") == current, "run: ideas-pipeline dictionary"


def test_it_has_every_table_and_mart_with_every_column_and_its_meaning() -> None:
    text = document(load_contract(None), None)
    shared = text[text.index("Every one of these tables also has") : text.index("### challenges")]
    for table in EVERY_TABLE.values():
        own = section(text, table.name)
        assert str(table.comment) in own
        for column in table.columns:
            [line] = [
                row for row in [*own.splitlines(), *shared.splitlines()] if row.startswith(f"| `{column.name}` |")
            ][:1]
            assert str(column.comment) in line or column.name == "community", f"{table.name}.{column.name}"


def test_it_marks_personal_data_and_references() -> None:
    text = section(document(load_contract(None), None), "ideas")
    assert "The author; null if anonymous or if the account was deleted. → `users` *Personal data: person_id.*" in text


def test_it_shows_the_path_of_a_value_and_whether_it_is_assumed() -> None:
    text = document(load_contract(None), None)
    assert "`GET challenges/{challenge_id}/ideas` ?, one per `challenges.id`." in section(text, "ideas")
    assert re.search(r"\| `author_id` .* \| `author.id` \? \|", section(text, "ideas"))
    assert re.search(
        r"\| `challenge_id` .* \| `challenge_id` \?, else the list that contains it \|", section(text, "ideas")
    )
    assert "From `labels` ? in each record of `ideas`." in section(text, "idea_labels")


def test_paths_of_an_own_contract_are_shown_as_confirmed(tmp_path: Path) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text(
        "streams:\n  votes: null\n  ideas:\n    path: initiatives/{challenge_id}\n    fields:\n"
        "      title: {paths: headline, none: [untitled]}\n      view_count: null\n",
        encoding="utf-8",
    )
    text = document(load_contract(file), file)
    assert "`GET initiatives/{challenge_id}`, one per" in section(text, "ideas")
    assert "| `headline` |" in section(text, "ideas")
    assert re.search(r"\| `body` .* \| `body` \? \|", section(text, "ideas"))
    assert re.search(r"\| `view_count` .* \|  \|", section(text, "ideas"))
    assert "The contract does not fill this table." in section(text, "votes")


def test_its_types_are_those_of_the_database(filled: sa.Engine) -> None:
    text = document(load_contract(None), None)
    place = 2 if filled.dialect.name == "sqlite" else 3
    types = {
        row.split("`")[1]: row.split("|")[place].strip(" `") for row in re.findall(r"^\| `\w+` \| `[A-Z].*", text, re.M)
    }
    there = sa.inspect(filled)
    for name in EVERY_TABLE:
        text_of = section(text, name)
        for column in there.get_columns(name):
            line = re.search(rf"^\| `{column['name']}` \| `(\w+)`", text_of, re.M)
            if line:
                assert column["type"].compile(dialect=filled.dialect) == types[line[1]], f"{name}.{column['name']}"


def test_every_table_has_an_example_that_reads_it() -> None:
    assert examples().keys() == EVERY_TABLE.keys()
    for name, query in examples().items():
        assert re.search(rf"\b(FROM|JOIN) {name}\b", query), name
        assert query.startswith("-- "), name


@pytest.mark.parametrize("name", EVERY_TABLE)
def test_every_example_runs_as_it_stands_and_finds_something(filled: sa.Engine, name: str) -> None:
    with filled.connect() as connection:
        rows = connection.exec_driver_sql(examples()[name]).all()
    assert bool(rows) is (name not in EMPTY)


def test_the_documented_way_to_read_extra_fields_works(filled: sa.Engine) -> None:
    with filled.connect() as connection:
        fields = connection.exec_driver_sql("SELECT field FROM _fields WHERE table_name = 'ideas' AND NOT is_mapped")
        name = fields.scalars().all()[0].removeprefix("_extra.")
        found = connection.exec_driver_sql(
            f"SELECT _extra ->> '{name}' FROM ideas WHERE _extra ->> '{name}' IS NOT NULL"
        )
        assert found.first()


def test_marts_have_comments_in_the_database_and_these_are_kept_current(postgresql_url: str) -> None:
    with Warehouse.open(postgresql_url, COMMUNITY) as warehouse:
        call_writing(warehouse, build_marts, "UTC")
        assert meanings(warehouse.engine) == {mart: MARTS[mart].table.comment for mart in MARTS}
        with warehouse.engine.begin() as connection:
            connection.exec_driver_sql("COMMENT ON TABLE mart_funnel IS 'old'")
            connection.exec_driver_sql("COMMENT ON COLUMN mart_funnel.reached IS NULL")
        call_writing(warehouse, build_marts, "UTC")
        assert meanings(warehouse.engine) == {mart: MARTS[mart].table.comment for mart in MARTS}


def meanings(engine: sa.Engine) -> dict[str, str | None]:
    """The comment of each mart; checks those of its columns."""
    there = sa.inspect(engine)
    for name, mart in MARTS.items():
        comments = {column["name"]: column["comment"] for column in there.get_columns(name)}
        assert comments == {column.name: column.comment for column in mart.table.columns}
    return {name: there.get_table_comment(name)["text"] for name in MARTS}


def test_the_command_writes_the_dictionary_and_checks_whether_a_file_is_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["dictionary", *arguments])
        return result.exit_code, result.output

    assert run("--check") == (
        1,
        "Error: docs/warehouse.md does not exist. Write it: ideas-pipeline dictionary docs/warehouse.md\n",
    )
    assert run() == (0, "Wrote docs/warehouse.md.\n")
    assert run("--check") == (0, "docs/warehouse.md is up to date.\n")
    (tmp_path / "contract.yaml").write_text("streams: {ideas: {fields: {title: headline}}}", encoding="utf-8")
    (tmp_path / ".env").write_text("IDEAS_CONTRACT=contract.yaml\n", encoding="utf-8")
    code, output = run("--check")
    assert (code, "is out of date" in output) == (1, True)
    assert run("ours.md") == (0, "Wrote ours.md.\n")
    assert "`headline`" in (tmp_path / "ours.md").read_text(encoding="utf-8")
    assert run("contract.yaml/ours.md") == (1, "Error: contract.yaml/ours.md cannot be written: File exists.\n")
