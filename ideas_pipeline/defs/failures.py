"""Failures of steps: the sentence that Dagster shows, and whether Dagster may retry the step."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ideas_pipeline.errors import IdeasApiError, NotDelivered, SettingsError, WarehouseError, is_retryable
from ideas_pipeline.library_errors import as_warehouse_errors
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.run import StreamResult
from ideas_pipeline.visible import visible

_PROGRAM = Path(__file__).parents[1]
# Metadata of a failure that only repeats findings: each of them is recorded as a check as well.
FINDINGS = "findings"


def stream_failure(result: StreamResult, metadata: dict[str, dg.MetadataValue], settings: Settings) -> dg.Failure:
    """The failure of a stream's sync. ``metadata``: the counts of what it read and loaded before."""
    what = str(result.error)
    if result.error is None:
        what = (
            f"{result.stream}: none of its {result.counts.scopes:,} scopes is complete: "
            f"{str(result.reason).rstrip('.')}. What came is loaded, the rest is as old as before. "
            "Sync again; if it stays, run `ideas-pipeline check`."
        )
    return _failure(settings.worded(what), metadata, allow_retries=bool(result.retryable))


def checks_failed(errors: Sequence[Finding], settings: Settings) -> dg.Failure:
    """The failure of a step whose checks found errors. The step is not retried: it would find the same again."""
    what = "\n".join(settings.worded(visible(e.text)) for e in errors)
    return dg.Failure(what, {FINDINGS: len(errors)}, allow_retries=False)


def days_not_marked(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """The failure of a backfill with an incomplete scope: none of its days may count as materialized."""
    what = (
        f"{result.stream}: {result.counts.scopes_complete:,} of {result.counts.scopes:,} scopes are complete, "
        f"so none of the days is marked. {result.reason}. What was read is loaded. Launch the same days again."
    )
    return _failure(what, metadata, allow_retries=False)


def report_not_written(path: Path, error: OSError, settings: Settings) -> dg.Failure:
    """The failure to write the report's file: a full disk or a missing permission, which no sync can correct."""
    what = (
        f"The report {path} cannot be written: {error.strerror}. Check the folder of IDEAS_STATE_DIR (its permissions, "
        "the free space), then materialize the report alone, or run `ideas-pipeline report`: no sync is needed."
    )
    return _failure(settings.worded(what), allow_retries=False)


@contextmanager
def errors_as_failures(settings: Settings) -> Iterator[None]:
    """Turn every error in the block into a dg.Failure with a sentence, without the traceback.

    The words of an unexpected error can quote a row, and Dagster keeps them where no erasure reaches: its type and the
    place in our code are enough to find it.

    ``settings``: those of the community.
    """
    try:
        with as_warehouse_errors():
            yield
    except (IdeasApiError, SettingsError, WarehouseError) as error:
        raise _failure(settings.worded(str(error)), allow_retries=is_retryable(error)) from None
    except NotDelivered as error:
        raise _failure(settings.worded(str(error)), allow_retries=True) from None
    except Exception as error:
        if isinstance(error, dg.Failure | dg.DagsterError):
            raise
        raise _failure(_unexpected(error), allow_retries=True) from None


def _unexpected(error: Exception) -> str:
    """An error that is a fault of the program: its type, and where in the program it was raised."""
    calls = [(Path(call.filename), call.lineno) for call in traceback.extract_tb(error.__traceback__)]
    ours = [f"{file.relative_to(_PROGRAM)}:{line}" for file, line in calls if file.is_relative_to(_PROGRAM)]
    return f"An unexpected {type(error).__name__} at {' < '.join(reversed(ours))}. Report this sentence."


def _failure(what: str, metadata: dict[str, dg.MetadataValue] | None = None, *, allow_retries: bool) -> dg.Failure:
    """A failure whose description is one line, whatever texts of the API are in it."""
    return dg.Failure(visible(what), metadata, allow_retries=allow_retries)
