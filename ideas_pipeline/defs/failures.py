"""What went wrong, as Dagster shows it: the sentence first, and whether trying again can help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ideas_pipeline.errors import IdeasApiError, WarehouseError, is_retryable
from ideas_pipeline.sync.run import StreamResult

SHOWN = 5
WARN = dg.AssetCheckSeverity.WARN


def stream_failure(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """A stream that failed. What it read before is loaded, and ``metadata`` says how much that is."""
    if result.error:
        said = str(result.error)
    else:
        said = (
            f"{result.stream}: none of its {result.counts.scopes:,} lists could be read whole: "
            f"{str(result.reason).rstrip('.')}. What came is loaded, the rest is as old as before. "
            "Sync again; if it stays, run `ideas-pipeline check`."
        )
    return dg.Failure(said, metadata, allow_retries=bool(result.retryable))


def checks_failed(errors: Sequence[dg.AssetCheckResult]) -> dg.Failure:
    """The failure of a step whose checks found errors. The step is not retried: it would find the same again."""
    return dg.Failure("\n".join(str(e.description) for e in errors), allow_retries=False)


def days_not_marked(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """Some days were not read whole: what was read is loaded, and none of them may be called there."""
    return dg.Failure(
        f"{result.stream}: {result.counts.scopes_complete:,} of {result.counts.scopes:,} lists were proven complete, "
        f"so none of the days is marked. {result.reason}. What was read is loaded. Launch the same days again.",
        metadata,
        allow_retries=False,
    )


def report_not_written(path: Path, error: OSError) -> dg.Failure:
    """A full disk, or a right that is missing: for a person to mend, and no sync of everything brings it about."""
    return dg.Failure(
        f"The report {path} cannot be written: {error.strerror}. Check the folder of IDEAS_STATE_DIR (its rights, the "
        "disk's free space), then materialize the report alone, or run `ideas-pipeline report`: no sync is needed.",
        allow_retries=False,
    )


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Raises dg.Failure, with the sentence and no traceback of ours, for every error that was foreseen."""
    try:
        yield
    except (IdeasApiError, WarehouseError) as error:
        raise dg.Failure(str(error), allow_retries=is_retryable(error)) from None


def passed(name: str, description: str, **numbers: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True, check_name=name, description=description, metadata=dict(numbers))


def failed(
    name: str,
    description: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    **numbers: int,
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False, check_name=name, severity=severity, description=description, metadata=dict(numbers)
    )


def listed(counted: dict[str, int]) -> str:
    """The first few with their counts: ``a (3), b (1) …``."""
    shown = [f"{what} ({count:,})" for what, count in list(counted.items())[:SHOWN]]
    return ", ".join(shown) + (" …" if len(counted) > len(shown) else "")
