"""What the documents say is so: names, links, commands, and the way back from a backup."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import threading
import tomllib
from pathlib import Path

import click
import pytest
import sqlalchemy as sa

from ideas_pipeline.cli.init import _TEMPLATE as ENV_TEMPLATE
from ideas_pipeline.cli.main import COMMANDS, main
from ideas_pipeline.definitions import build_defs
from ideas_pipeline.settings import Settings, variable
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.run import Full
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.end_to_end.pipeline import api_of, contract_with, sync, sync_with
from ideas_pipeline_tests.end_to_end.truth import assert_true_to
from ideas_pipeline_tests.processes import ROOT, run
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

DOCUMENTS = {file.name: file.read_text(encoding="utf-8") for file in [ROOT / "README.md", *ROOT.glob("docs/*.md")]}
OPERATIONS, ARCHITECTURE = DOCUMENTS["operations.md"], DOCUMENTS["architecture.md"]
# Variables that are read by a single command, or by the tests.
OTHER_VARIABLES = {"IDEAS_CONFIG", "IDEAS_DEBUG", "IDEAS_ANALYST_PASSWORD"}


def rows(text: str, heading: str) -> set[str]:
    """What stands first, as code, in the rows of the tables below ``heading``."""
    [below] = re.findall(rf"^#+ {heading}[^\n]*\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    return set(re.findall(r"^\| `([^`]+)` \|", below, re.MULTILINE))


def block(heading: str, has: str) -> str:
    """The lines to be typed below ``heading`` that have ``has`` among them."""
    [below] = re.findall(rf"^## {heading}[^\n]*\n(.*?)(?=^## |\Z)", OPERATIONS, re.DOTALL | re.MULTILINE)
    [found] = [lines for lines in re.findall(r"^```sh\n(.*?)^```", below, re.DOTALL | re.MULTILINE) if has in lines]
    return str(found)


@pytest.mark.usefixtures("empty_folder")
def test_the_guide_names_every_check_and_no_other() -> None:
    checks = build_defs().resolve_asset_graph().asset_check_keys
    assert rows(OPERATIONS, "Checks") == {key.name for key in checks}


@pytest.mark.usefixtures("empty_folder")
def test_the_guide_names_every_job_schedule_and_sensor() -> None:
    defs = build_defs()
    things = [*(defs.jobs or []), *(defs.schedules or []), *(defs.sensors or [])]
    names = [thing.name for thing in things]
    assert [name for name in names if f"`{name}`" not in OPERATIONS] == []


def test_every_setting_is_explained_somewhere() -> None:
    text = "".join([ENV_TEMPLATE, *DOCUMENTS.values()])
    settings = [variable(field) for field in Settings.model_fields]
    assert [name for name in settings if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_settings_that_exist(document: str) -> None:
    known = {variable(field) for field in Settings.model_fields} | OTHER_VARIABLES
    assert set(re.findall(r"\bIDEAS_[A-Z_]*[A-Z]\b", DOCUMENTS[document])) - known <= {"IDEAS_PII"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_names_only_commands_and_options_that_exist(document: str) -> None:
    for line in re.findall(r"ideas-pipeline ((?:[\w<-]+ ?)+[^\n`#]*)", DOCUMENTS[document]):
        words = line.split()
        if words[0] not in COMMANDS:
            continue  # a sentence that goes on after the program's name
        command = main.get_command(click.Context(main), words[0])
        assert command, words[0]
        if isinstance(command, click.Group) and len(words) > 1 and words[1] in command.commands:
            command = command.commands[words[1]]
        options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= options, line


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    folder = ROOT if document == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\(([^)]+)\)", DOCUMENTS[document]):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = folder / file if file else folder / document
        assert there.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            assert anchor in anchors, target


def test_every_test_that_shows_a_promise_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)`", DOCUMENTS["security.md"])
    assert len(named) > 10
    assert [path for path in named if not (ROOT / "ideas_pipeline_tests" / path).is_file()] == []


def test_the_architecture_names_every_folder_in_the_order_of_the_layers() -> None:
    folders = {file.parent.name for file in (ROOT / "ideas_pipeline").glob("*/__init__.py")}
    rows = re.findall(r"^\| ((?:`\w+/`(?:, )?)+) \|", ARCHITECTURE, re.MULTILINE)
    layers = [re.findall(r"`(\w+)/`", line) for line in rows]
    beside = {"late", "simulator"}
    assert {name for layer in layers for name in layer} == folders - beside
    assert all(f"`{name}/`" in ARCHITECTURE for name in beside)

    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    held = [line.replace("ideas_pipeline.", "").split(" | ") for line in configured["contracts"][0]["layers"]]
    modules = {file.stem for file in (ROOT / "ideas_pipeline").glob("*.py")}
    assert [sorted(layer) for layer in layers] == [sorted(layer) for layer in held if not modules & set(layer)]


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = re.findall(r"`(\w+/[\w/]+\.(?:py|yaml))`", ARCHITECTURE)
    places = [ROOT / "ideas_pipeline", ROOT / "ideas_pipeline_tests"]
    assert named
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []


def type_in(lines: str, folder: Path, **variables: str) -> None:
    """What a person types, in ``folder``. If the machine has no sqlite3, Python's replaces it."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    if not shutil.which("sqlite3"):
        program = f"#!{sys.executable}\nimport sqlite3, sys\nsqlite3.connect(sys.argv[1]).execute(sys.argv[2])\n"
        (tools / "sqlite3").write_text(program)
        (tools / "sqlite3").chmod(0o755)
    path = os.pathsep.join([str(tools), variables.pop("PATH", ""), os.environ["PATH"]])
    done = run(["bash", "-euc", lines], cwd=folder, env=os.environ | variables | {"PATH": path})
    assert done.returncode == 0, done.stderr


def without_our_commands(lines: str) -> str:
    return "\n".join(line for line in lines.splitlines() if "ideas-pipeline" not in line)


def test_a_sqlite_warehouse_is_backed_up_while_a_sync_writes_and_restored(tmp_path: Path) -> None:
    state = tmp_path / ".ideas"
    url = f"sqlite:///{state / 'warehouse.db'}"
    half_read = threading.Event()
    with Simulator(contract_with({}), generate("small", seed=1)) as simulator:
        with Warehouse.open(url, COMMUNITY) as warehouse:
            seen = 0

            class Progress:
                def stream_started(self, stream: str, scopes: int) -> None: ...
                def stream_finished(self, result: object) -> None: ...
                def scope_done(self, stream: str, rows: int, requests: int) -> None:
                    nonlocal seen
                    seen += 1
                    if seen == 20:
                        half_read.set()
                        assert backed_up.wait(60)

            backed_up = threading.Event()
            with api_of(simulator, state) as api:
                options = {"mode": Full(), "progress": Progress()}
                syncing = threading.Thread(target=sync_with, args=(api, warehouse), kwargs=options)
                syncing.start()
                assert half_read.wait(60)
                type_in(block("Back up", "VACUUM"), tmp_path)
                backed_up.set()
                syncing.join()
            whole = counts(warehouse.engine)
        copy = tmp_path / "backup" / "warehouse.db"
        assert copy.stat().st_mode & 0o077 == 0
        assert sqlite3.connect(copy).execute("PRAGMA integrity_check").fetchone() == ("ok",)

        type_in(without_our_commands(block("Restore", "warehouse.db-wal")), tmp_path)
        with Warehouse.open(url, COMMUNITY) as warehouse:
            assert 0 < sum(counts(warehouse.engine).values()) < sum(whole.values())
            assert sync(simulator, warehouse, state).verdict == "complete"
            assert_true_to(warehouse.engine, COMMUNITY, simulator.contract, simulator.tables)


def test_a_postgresql_warehouse_is_backed_up_and_restored(postgresql_url: str, tmp_path: Path) -> None:
    address = postgresql_url.replace("+psycopg", "")
    (tmp_path / "backup").mkdir()
    with (
        Simulator(contract_with({}), generate("small", seed=1)) as simulator,
        Warehouse.open(postgresql_url, COMMUNITY) as warehouse,
    ):
        sync(simulator, warehouse, tmp_path)
        before = counts(warehouse.engine)
        with warehouse.engine.connect() as connection:  # its own programs: those of an older version refuse
            tools = str(connection.exec_driver_sql("SELECT setting FROM pg_config WHERE name = 'BINDIR'").scalar())
        type_in(block("Back up", "pg_dump"), tmp_path, PATH=tools, WAREHOUSE=address)
        with warehouse.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM votes")
            connection.exec_driver_sql("DROP TABLE comments")
        lines = without_our_commands(block("Restore", "pg_restore"))
        type_in(lines, tmp_path, PATH=tools, WAREHOUSE=address)
        assert counts(warehouse.engine) == before
        assert not sync(simulator, warehouse, tmp_path).changed


def counts(engine: sa.Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in TABLES.items()
        }
