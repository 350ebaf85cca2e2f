from __future__ import annotations

import dagster as dg
import pytest

from ideas_pipeline.defs.failures import RETRY_CAN_HELP, checks_failed, failing_in_words, stream_failure
from ideas_pipeline.errors import (
    AccessDenied,
    AuthenticationError,
    ContractError,
    IdeasApiError,
    RateLimited,
    RequestRefused,
    Unavailable,
    WarehouseError,
    WarehouseMisconfigured,
)
from ideas_pipeline.sync.run import StreamResult

OF_NO_USE = [AuthenticationError, AccessDenied, ContractError, RequestRefused]
OF_USE = [Unavailable, RateLimited]


@pytest.mark.parametrize("kind", [*OF_NO_USE, *OF_USE])
def test_a_stream_is_tried_again_only_where_that_can_help(kind: type[IdeasApiError]) -> None:
    failure = stream_failure(StreamResult("ideas", "failed", "It failed.", error=kind("it failed")), {})

    assert failure.description == "It failed."
    assert failure.allow_retries is (kind in OF_USE)


def test_a_stream_of_which_no_list_was_proven_says_so_and_is_tried_again() -> None:
    failure = stream_failure(StreamResult("ideas", "failed", "the API says 9 records, 8 came", scopes=3), {})

    assert failure.description.startswith(
        "ideas: none of its 3 lists could be read whole: the API says 9 records, 8 came."
    )
    assert "`ideas-pipeline check`" in failure.description
    assert failure.allow_retries


def test_a_stream_whose_lists_are_all_refused_is_not_tried_again() -> None:
    refused = "ideas 1: this account may not read it (HTTP 403). Ask for the right. (3 lists)"
    busy = "ideas 2: the API did not answer properly (HTTP 503)."

    assert not stream_failure(StreamResult("ideas", "failed", refused, scopes=3), {}).allow_retries
    assert stream_failure(StreamResult("ideas", "failed", f"{refused}; {busy}", scopes=4), {}).allow_retries


@pytest.mark.parametrize("names", [["completeness"], ["completeness", "mass_absence"], ["rejects"]])
def test_checks_fail_their_run_and_say_whether_another_one_can_help(names: list[str]) -> None:
    errors = [dg.AssetCheckResult(passed=False, check_name=name, description=f"{name} failed.") for name in names]

    failure = checks_failed(errors)

    assert failure.description == "\n".join(f"{name} failed." for name in names)
    assert failure.metadata[RETRY_CAN_HELP].value is (names == ["completeness"])
    assert failure.allow_retries is False  # the step itself would only say the same again


@pytest.mark.parametrize(
    ("error", "retries"),
    [
        (ContractError("no such host", hint="Mend it."), False),
        (Unavailable("no answer"), True),
        (WarehouseError("W"), True),
        (WarehouseMisconfigured("W"), False),
    ],
)
def test_a_foreseen_error_becomes_its_sentence_without_the_traceback(error: Exception, retries: bool) -> None:
    with pytest.raises(dg.Failure) as caught, failing_in_words():
        raise error

    assert caught.value.description == str(error)
    assert caught.value.allow_retries is retries
    assert caught.value.__suppress_context__


def test_an_error_that_nobody_foresaw_is_left_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), failing_in_words():
        raise ZeroDivisionError
