from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ideas_pipeline.errors import NotDelivered
from ideas_pipeline.report.publish import publish
from ideas_pipeline_tests.cli.command import ideas_pipeline
from ideas_pipeline_tests.report.object_store import BUCKET, ObjectStore, object_store
from ideas_pipeline_tests.report.test_command import a_warehouse
from ideas_pipeline_tests.warehouse.batches import COMMUNITY


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as running:
        yield running


def report(folder: Path, url: str, *options: str, **variables: str) -> CompletedProcess[str]:
    a_warehouse(folder)
    settings = {"IDEAS_COMMUNITY": COMMUNITY, "IDEAS_REPORT_URL": url}
    return ideas_pipeline("report", *options, folder=folder, **settings, **variables)


def page(folder: Path, text: str) -> Path:
    file = folder / "report-acme.html"
    file.write_text(text)
    return file


def test_a_report_is_also_a_web_page_in_an_object_store(tmp_path: Path, store: ObjectStore) -> None:
    done = report(tmp_path, f"s3://{BUCKET}/reports/", **store.variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"Copied it to s3://{BUCKET}/reports/report-acme.html.\n")
    assert store.object("reports/report-acme.html") == (
        (tmp_path / ".ideas/report-acme.html").read_text(),
        "text/html",
    )


def test_a_report_for_another_file_is_not_copied(tmp_path: Path) -> None:
    done = report(tmp_path, f"file://{tmp_path}/shared", "--output", "ours.html")
    assert (done.returncode, done.stdout) == (0, "Wrote the report. Open ours.html in a browser.\n")


def test_a_bucket_that_does_not_exist_fails_in_a_sentence_without_the_key(tmp_path: Path, store: ObjectStore) -> None:
    done = report(tmp_path, "s3://nowhere/reports", **store.variables)
    assert done.returncode == 1
    assert "The report cannot be copied to s3://nowhere/reports: The specified bucket does not exist." in done.stderr
    assert "IDEAS_REPORT_URL" in done.stderr
    assert store.variables["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
    assert (tmp_path / ".ideas/report-acme.html").exists()


def test_an_error_that_only_the_driver_knows_is_a_sentence_with_its_type(tmp_path: Path, store: ObjectStore) -> None:
    nobody = {"AWS_ENDPOINT_URL": store.variables["AWS_ENDPOINT_URL"], "AWS_EC2_METADATA_DISABLED": "true"}
    done = report(tmp_path, f"s3://{BUCKET}/reports", HOME=str(tmp_path), **nobody)
    assert done.returncode == 1
    assert f"cannot be copied to s3://{BUCKET}/reports: botocore.NoCredentialsError. Check" in done.stderr


def test_a_newer_report_replaces_the_one_of_its_name(tmp_path: Path) -> None:
    (shared := tmp_path / "shared").mkdir()
    publish(page(tmp_path, "yesterday"), f"file://{shared}")
    assert publish(page(tmp_path, "today"), f"file://{shared}") == f"file://{shared}/report-acme.html"
    assert (shared / "report-acme.html").read_text() == "today"


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotDelivered, match="No such file or directory"):
        publish(page(tmp_path, "today"), f"file://{tmp_path}/missing")


@pytest.mark.parametrize("folder", ["nothing://bucket/reports", "gs://bucket/reports"])
def test_without_a_driver_the_error_says_what_to_install(tmp_path: Path, folder: str) -> None:
    with pytest.raises(NotDelivered, match=r"no driver for such a URL is installed.*pip install"):
        publish(page(tmp_path, "today"), folder)
