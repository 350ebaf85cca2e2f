from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from ideas_pipeline.contract.paging import NoPaging
from ideas_pipeline.defs.failures import checks_failed, errors_as_failures, stream_failure
from ideas_pipeline.errors import (
    AccessDenied,
    AuthenticationError,
    ContractError,
    IdeasApiError,
    NotDelivered,
    RateLimited,
    RequestRefused,
    Unavailable,
    WarehouseError,
    WarehouseMisconfigured,
    is_retryable,
)
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.run import StreamResult
from ideas_pipeline.warehouse.batch import Counts

SETTINGS = Settings()
OF_NO_USE = [AuthenticationError, AccessDenied, ContractError, RequestRefused]
OF_USE = [Unavailable, RateLimited]


@pytest.mark.parametrize("kind", [*OF_NO_USE, *OF_USE])
def test_a_stream_is_tried_again_only_if_that_can_help(kind: type[IdeasApiError]) -> None:
    error = kind("it failed")
    result = StreamResult("ideas", "failed", error.reason, retryable=is_retryable(error), error=error)
    failure = stream_failure(result, {}, SETTINGS)

    assert failure.description == "it failed."
    assert failure.allow_retries is (kind in OF_USE)


def test_a_report_that_could_not_be_copied_is_written_again() -> None:
    with pytest.raises(dg.Failure) as caught, errors_as_failures(SETTINGS):
        raise NotDelivered("The report cannot be copied to s3://bucket: the bucket does not exist.")
    assert str(caught.value.description).startswith("The report cannot be copied to s3://bucket")
    assert caught.value.allow_retries


def test_a_stream_of_which_no_list_was_proven_says_so_and_is_tried_again() -> None:
    result = StreamResult("ideas", "failed", "the API says 9 records, 8 came", True, Counts(scopes=3))
    failure = stream_failure(result, {}, SETTINGS)

    assert failure.description.startswith("ideas: none of its 3 scopes is complete: the API says 9 records, 8 came.")
    assert "`ideas-pipeline check`" in failure.description
    assert failure.allow_retries


def test_a_stream_whose_lists_are_all_refused_is_not_tried_again() -> None:
    refused, busy = AccessDenied("this account may not read it", status=403), Unavailable("no answer", status=503)

    result = StreamResult("ideas", "failed", "refused", False, Counts(scopes=3))
    assert not stream_failure(result, {}, SETTINGS).allow_retries
    assert [failed_reading(error).retryable for error in (refused, busy)] == [False, True]


def failed_reading(error: IdeasApiError) -> SweptScope:
    reading = SweptScope("1", NoPaging(style="none"), sweeps=2)
    reading.start()
    reading.fail(error)
    return reading


def test_findings_fail_their_run_in_their_own_words() -> None:
    errors = [Finding(code, "ideas", "error", f"{code} failed.", "It matters.", "Do it.") for code in ("one", "two")]

    failure = checks_failed(errors, SETTINGS)

    assert failure.description == "one failed. It matters. Do it.\ntwo failed. It matters. Do it."
    assert failure.allow_retries is False  # the step itself would only find the same again


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        (ContractError("no such host", hint="Mend it."), False),
        (Unavailable("no answer"), True),
        (WarehouseError("W"), True),
        (WarehouseMisconfigured("W"), False),
    ],
)
def test_an_expected_error_becomes_its_sentence_without_the_traceback(error: Exception, retries: bool) -> None:
    with pytest.raises(dg.Failure) as caught, errors_as_failures(SETTINGS):
        raise error

    assert caught.value.description == str(error)
    assert caught.value.allow_retries is retries
    assert caught.value.__suppress_context__


def test_a_failure_names_the_settings_as_their_file_does() -> None:
    of_acme = Settings(community="acme").read_from(Path("communities.yaml"), {})
    why = "Set IDEAS_API_REGION or IDEAS_API_BASE_URL. IDEAS_COMMUNITY and IDEAS_CONFIG stay, IDEAS_PII_… does not"

    with pytest.raises(dg.Failure) as caught, errors_as_failures(of_acme):
        raise Unavailable(why)

    assert caught.value.description == (
        "Set api_region of acme in communities.yaml or api_base_url. IDEAS_COMMUNITY and IDEAS_CONFIG stay, pii_… does"
        " not."
    )


def test_an_unexpected_error_is_its_type_and_its_place_and_not_its_words() -> None:
    with pytest.raises(dg.Failure) as caught, errors_as_failures(SETTINGS):
        Counts.columns({"Ann Lee": 4711})  # not a Counts, so it fails

    assert caught.value.description is not None
    assert re.match(r"An unexpected \w+ at warehouse/batch.py:\d+ < defs/failures.py:\d+\.", caught.value.description)
    assert "Ann" not in caught.value.description
    assert caught.value.allow_retries
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("error", [dg.Failure("as it is"), dg.DagsterInvariantViolationError("as it is")])
def test_an_error_of_dagster_is_left_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match="as it is"), errors_as_failures(SETTINGS):
        raise error
