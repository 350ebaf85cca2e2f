from __future__ import annotations

import dagster as dg
import pytest

from ideas_pipeline.defs.failures import failing_in_words, stream_failure
from ideas_pipeline.ideas_api.errors import (
    AccessDenied,
    AuthenticationError,
    ContractError,
    IdeasApiError,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from ideas_pipeline.sync.results import StreamResult
from ideas_pipeline.warehouse.errors import WarehouseError, WarehouseMisconfigured

OF_NO_USE = [AuthenticationError, AccessDenied, ContractError, RequestRefused]
OF_USE = [Unavailable, RateLimited]


@pytest.mark.parametrize("kind", [*OF_NO_USE, *OF_USE])
def test_a_stream_is_tried_again_only_where_that_can_help(kind: type[IdeasApiError]) -> None:
    failure = stream_failure(StreamResult("ideas", "failed", "It failed.", error=kind("it failed")), {})

    assert failure.description == "It failed."
    assert failure.allow_retries is (kind in OF_USE)


def test_a_stream_of_which_no_list_was_proven_says_so_and_is_tried_again() -> None:
    failure = stream_failure(StreamResult("ideas", "failed", "the API says 9 records, 8 came", scopes=3), {})

    assert failure.description == ("ideas: none of its 3 lists could be read whole. the API says 9 records, 8 came")
    assert failure.allow_retries


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
