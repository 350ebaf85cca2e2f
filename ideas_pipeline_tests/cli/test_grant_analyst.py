from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.cli.terminal import dialogue

SECRET = "canary-password"


@pytest.fixture
def administrator(postgresql_url: str) -> Iterator[sa.Engine]:
    """The database's administrator; afterwards the roles of these tests are dropped."""
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    yield engine
    with engine.connect() as connection:
        for role in connection.scalars(
            sa.text("SELECT rolname FROM pg_roles WHERE rolname IN ('ada', 'loader')")
        ).all():
            connection.exec_driver_sql(f"DROP OWNED BY {role} CASCADE")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()


def has_ada(administrator: sa.Engine) -> bool:
    with administrator.connect() as connection:
        return bool(connection.scalar(sa.text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ada')")))


def url(administrator: sa.Engine) -> str:
    return administrator.url.render_as_string(hide_password=False)


def test_it_says_what_the_role_may_and_never_the_password(administrator, tmp_path):
    variables = {"IDEAS_WAREHOUSE_URL": url(administrator), "IDEAS_ANALYST_PASSWORD": SECRET, "IDEAS_DEBUG": "1"}
    first = ideas_pipeline("grant-analyst", "ada", folder=tmp_path, **variables)
    assert first.returncode == 0, first.stderr
    assert "The role ada was created. It can read" in first.stdout
    assert "It can write to label_classes.\nHidden from it: _rejected_records, _erasures." in first.stdout
    again = ideas_pipeline("grant-analyst", "ada", folder=tmp_path, **variables)
    assert "Its password was changed." in again.stdout
    assert SECRET not in first.stdout + first.stderr + again.stdout + again.stderr


def test_a_role_that_is_there_needs_no_password_and_the_result_is_json_on_request(administrator, tmp_path):
    with administrator.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE ada LOGIN")
    done = ideas_pipeline("grant-analyst", "ada", "--json", folder=tmp_path, IDEAS_WAREHOUSE_URL=url(administrator))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["role"], result["created"]) == ("ada", False)
    assert "ideas" in result["readable"]
    assert result["withheld"] == ["_rejected_records", "_erasures"]


def test_a_new_role_without_a_password_is_a_matter_of_configuration(administrator, tmp_path):
    done = ideas_pipeline("grant-analyst", "ada", folder=tmp_path, IDEAS_WAREHOUSE_URL=url(administrator))
    assert done.returncode == 2
    assert "Set IDEAS_ANALYST_PASSWORD, or run this on a terminal" in done.stderr
    assert not has_ada(administrator)


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(administrator, tmp_path):
    variables = {"IDEAS_WAREHOUSE_URL": url(administrator)}
    shown = dialogue("grant-analyst", "ada", typed=[SECRET, SECRET], folder=tmp_path, **variables)
    assert "Password for ada: " in shown
    assert "Repeat for confirmation: " in shown
    assert SECRET not in shown
    assert "The role ada was created" in shown
    assert has_ada(administrator)


def test_rights_that_we_lack_are_a_sentence(administrator, tmp_path):
    with administrator.connect() as connection:
        connection.exec_driver_sql("CREATE ROLE loader LOGIN")
        connection.exec_driver_sql("GRANT ALL ON SCHEMA public TO loader")
    ours = administrator.url.set(username="loader").render_as_string(hide_password=False)
    variables = {"IDEAS_WAREHOUSE_URL": ours, "IDEAS_ANALYST_PASSWORD": SECRET}
    done = ideas_pipeline("grant-analyst", "ada", folder=tmp_path, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The role that opened the warehouse may not create roles.")
    assert SECRET not in done.stderr


def test_on_sqlite_a_sentence_says_how_to_let_people_read(tmp_path):
    done = ideas_pipeline("grant-analyst", "ada", folder=tmp_path, IDEAS_ANALYST_PASSWORD=SECRET)
    assert done.returncode == 2
    assert "SQLite has no roles" in done.stderr
    assert "file:.ideas/warehouse.db?mode=ro" in done.stderr
    assert "ideas-pipeline export" in done.stderr
