"""What went wrong, as Dagster shows it: the sentence first, and whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ideas_pipeline.ideas_api.errors import IdeasApiError, Unavailable
from ideas_pipeline.sync.results import StreamResult
from ideas_pipeline.warehouse.errors import WarehouseError, WarehouseMisconfigured


def stream_failure(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """A stream that failed. What it read before is loaded, and ``metadata`` says how much that is."""
    said = result.reason
    if result.error is None:
        said = f"{result.stream}: none of its {result.scopes:,} lists could be read whole. {said}"
    return dg.Failure(
        description=said,
        metadata=metadata,
        allow_retries=result.error is None or isinstance(result.error, Unavailable),
    )


def days_not_marked(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """Some days were not read whole: what was read is loaded, and none of them may be called there."""
    return dg.Failure(
        description=(
            f"{result.stream}: {result.scopes_complete:,} of {result.scopes:,} lists were proven complete, so none of "
            f"the days is marked. {result.reason}. What was read is loaded. Launch the same days again."
        ),
        metadata=metadata,
        allow_retries=False,
    )


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Raises dg.Failure, with the sentence and no traceback of ours, for every error that was foreseen."""
    try:
        yield
    except IdeasApiError as error:
        raise dg.Failure(description=str(error), allow_retries=isinstance(error, Unavailable)) from None
    except WarehouseError as error:
        again = not isinstance(error, WarehouseMisconfigured)
        raise dg.Failure(description=str(error), allow_retries=again) from None
