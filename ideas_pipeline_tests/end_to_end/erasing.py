"""A community with a person who will be erased, and where the person can still be found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ideas_pipeline.archive.files import run_files
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.simulator.community import Size, generate
from ideas_pipeline.simulator.shape import Quirks, email_of
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.simulator.truth import Tables
from ideas_pipeline.sync.replay import replay as replay_archive
from ideas_pipeline.sync.run import Full, RunResult
from ideas_pipeline.sync.source import RunArchive
from ideas_pipeline.tables.community import METADATA, TABLES
from ideas_pipeline.warehouse.warehouse import Warehouse
from ideas_pipeline_tests.archive.pages import archived
from ideas_pipeline_tests.end_to_end.pipeline import api_of, contract_with, sync_with
from ideas_pipeline_tests.end_to_end.test_canary import dumped
from ideas_pipeline_tests.warehouse.batches import COMMUNITY

PERSON, NAME = "u-7391-qzx", "Quirina Zoltánfy"
NEEDLES = [PERSON, NAME, email_of(PERSON)]
PEOPLE_COLUMNS = {"ideas": "author_id", "comments": "author_id", "votes": "user_id", "idea_coauthors": "user_id"}


def votes_without_ids() -> Contract:
    """The API gives votes no id, so that it is made of idea, person and stage; and addresses are read."""
    fields = contract_with({}).streams["votes"].fields
    return contract_with(
        {
            "streams": {
                "votes": {"fields": {"!": {name: source for name, source in fields.items() if name != "id"}}},
                "users": {"fields": {"email": ["email"]}},
            }
        }
    )


def community() -> Tables:
    """One of the most active goes by a name that is found nowhere else, and is copied into others' records."""
    # Few ideas, since each costs two requests per night, and people on one page, which no second sweep reads again.
    tables = generate(Size(challenges=4, ideas=14, comments=56, votes=130, users=90), seed=3)
    authors = [row["author_id"] for row in tables["ideas"].values()]
    one = max({a for a in authors if a in tables["users"]}, key=authors.count)
    for rows in tables.values():
        for row in rows.values():
            for column in ("author_id", "user_id"):
                if row.get(column) == one:
                    row[column] = PERSON
    person = tables["users"].pop(one)
    tables["users"][PERSON] = person | {"id": PERSON, "display_name": NAME, "url": f"https://c.example/{PERSON}"}
    tables["user_answers"]["q"] = {"user_id": PERSON, "question_id": "team", "label": "Team?", "value": f"{NAME}s"}
    first, second, *_ = tables["ideas"].values()
    first["last_commenter"] = {"id": PERSON, "full_name": NAME, "mail_of": email_of(PERSON)}
    first[PERSON] = {"times": 2}
    second["posted_for_name"] = NAME.upper()
    second["last_link"] = f"https://c.example/users/{PERSON}?tab=ideas"
    second["seen_by"] = [{"uid": PERSON, "at": 1}, {"uid": "someone-else", "at": 2}]
    votes = list(tables["votes"].values())
    assert any(v["user_id"] == PERSON for v in votes)
    return tables


def people_one_by_one() -> Contract:
    each = {"of": ["ideas.author_id", "comments.author_id", "votes.user_id"], "placeholder": "user_id"}
    one = {"path": "users/{user_id}", "reads": "one", "each": each, "paging": {"!": {"style": "none"}}}
    return contract_with({"streams": {"users": one}})


@contextmanager
def simulated(contract: Contract) -> Iterator[Simulator]:
    with Simulator(contract, community(), quirks=Quirks(extra_fields=True)) as running:
        yield running


def privacy_of(contract: Contract, folder: Path, key: str | None = None) -> Privacy:
    return Privacy(contract, COMMUNITY, Policy(email="hash"), folder=folder, key=key, archive=folder / "archive")


def night(
    simulator: Simulator, warehouse: Warehouse, folder: Path, privacy: Privacy | None = None, **options: Any
) -> RunResult:
    """One run, archived; a full one unless another mode is asked for."""
    privacy = privacy or privacy_of(simulator.contract, folder)
    run_id = f"run-{len(run_files(folder / 'archive'))}"
    with api_of(simulator, folder) as api, Writer(folder / "archive", run_id) as writer:
        archive = RunArchive(writer, simulator.contract, privacy)
        options = {"mode": Full()} | options
        return sync_with(api, warehouse, run_id=run_id, privacy=privacy, archive=archive, **options)


def analyze(warehouse: Warehouse) -> None:
    """Make PostgreSQL take statistics, which quote values: otherwise autovacuum does so at a moment of its own."""
    if warehouse.engine.dialect.name == "postgresql":
        with warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def days_later(days: float) -> Callable[[], datetime]:
    """A clock for a run that takes place some days from now."""
    return lambda: datetime.now(UTC) + timedelta(days=days)


def replay(contract: Contract, warehouse: Warehouse, folder: Path) -> RunResult:
    return replay_archive(contract, warehouse, folder / "archive", privacy=privacy_of(contract, folder))


def everything(warehouse: Warehouse, folder: Path, logs: str) -> dict[str, bytes]:
    """All that the pipeline keeps anywhere, as bytes in which a text would be found."""
    found = {"the database": dumped(warehouse), "the logs": logs.encode()}
    if warehouse.engine.dialect.name == "postgresql":
        with warehouse.engine.connect() as connection:
            statistics = connection.exec_driver_sql("SELECT * FROM pg_stats WHERE schemaname = 'public'").all()
        found["the planner's statistics"] = repr(statistics).encode()
    for file in folder.rglob("*"):
        if file.is_file():
            found[file.name] = file.read_bytes()
    for page in archived(folder / "archive"):
        found[f"archived {page.stream} {page.scope} {page.received_at}"] = repr(page).encode() + page.body
    return found


def places_with_the_person(warehouse: Warehouse, folder: Path, logs: str) -> set[str]:
    escaped = [NAME.encode("unicode_escape").decode().replace("\\xe1", "\\u00e1"), NAME.upper()]
    return {
        place
        for place, content in everything(warehouse, folder, logs).items()
        for needle in [*NEEDLES, *escaped]
        if needle.encode() in content
    }


def people_named(warehouse: Warehouse) -> dict[str, int]:
    """How many live rows of each table name anybody at all."""
    with warehouse.engine.connect() as connection:
        counts = {
            table: connection.scalar(
                sa.select(sa.func.count())
                .select_from(TABLES[table])
                .where(TABLES[table].c[column].is_not(None), TABLES[table].c._deleted_at.is_(None))
            )
            for table, column in {**PEOPLE_COLUMNS, "users": "id", "user_answers": "user_id"}.items()
        }
    return {table: int(count or 0) for table, count in counts.items()}


@contextmanager
def backup(warehouse: Warehouse, folder: Path) -> Iterator[Any]:
    """What the warehouse holds now, and a function that puts it back, whatever happened since."""
    if warehouse.engine.dialect.name == "sqlite":
        file, copy = Path(str(warehouse.engine.url.database)), folder / "backup.db"
        with warehouse.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql(f"VACUUM INTO '{copy}'")

        def restore() -> None:
            warehouse.engine.dispose()
            for part in file.parent.glob(f"{file.name}*"):
                part.unlink()
            shutil.copy(copy, file)
    else:
        with warehouse.engine.connect() as connection:
            rows = {t: [dict(r) for r in connection.execute(sa.select(t)).mappings()] for t in METADATA.sorted_tables}

        def restore() -> None:
            with warehouse.engine.begin() as connection:
                for table, held in rows.items():
                    connection.execute(sa.delete(table))
                    if held:
                        connection.execute(sa.insert(table), held)

    yield restore
