"""What went wrong, as Dagster shows it: the sentence first, and whether trying again can help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from ideas_pipeline.errors import IdeasApiError, Unavailable, WarehouseError, WarehouseMisconfigured
from ideas_pipeline.sync.run import StreamResult

SHOWN = 5
WARN = dg.AssetCheckSeverity.WARN

# Of a failure: whether the same run, some time later, can end otherwise. Dagster keeps no other word of it.
RETRY_CAN_HELP = "a retry can help"

_REFUSED = re.compile(r"\(HTTP 4\d\d\)")


def stream_failure(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """A stream that failed. What it read before is loaded, and ``metadata`` says how much that is."""
    said = result.reason
    if result.error is None:
        said = (
            f"{result.stream}: none of its {result.scopes:,} lists could be read whole: {str(said).rstrip('.')}. What "
            "came is loaded, the rest is as old as before. Sync again; if it stays, run `ideas-pipeline check`."
        )
    return _failure(str(said), _can_pass(result), metadata)


def _can_pass(result: StreamResult) -> bool:
    if result.error is not None:
        return isinstance(result.error, Unavailable)
    # Lists fail one by one, and leave only their sentences: see IdeasApiError.
    return not all(_REFUSED.search(reason) for reason in (result.reason or "").split("; "))


def checks_failed(errors: Sequence[dg.AssetCheckResult]) -> dg.Failure:
    """Checks that must turn a run red. Lists that were not read whole may be another time; the others wait for a
    person. What failed is settled, so the step is not tried again by itself.
    """
    failure = _failure(
        "\n".join(str(e.description) for e in errors), {e.check_name for e in errors} == {"completeness"}
    )
    failure.allow_retries = False
    return failure


def days_not_marked(result: StreamResult, metadata: dict[str, dg.MetadataValue]) -> dg.Failure:
    """Some days were not read whole: what was read is loaded, and none of them may be called there."""
    return _failure(
        f"{result.stream}: {result.scopes_complete:,} of {result.scopes:,} lists were proven complete, so none of "
        f"the days is marked. {result.reason}. What was read is loaded. Launch the same days again.",
        False,
        metadata,
    )


def report_not_written(path: Path, error: OSError) -> dg.Failure:
    """A full disk, or a right that is missing: for a person to mend, and no sync of everything brings it about."""
    return _failure(
        f"The report {path} cannot be written: {error.strerror}. Check the folder of IDEAS_STATE_DIR (its rights, the "
        "disk's free space), then materialize the report alone, or run `ideas-pipeline report`: no sync is needed.",
        False,
    )


@contextmanager
def failing_in_words() -> Iterator[None]:
    """Raises dg.Failure, with the sentence and no traceback of ours, for every error that was foreseen."""
    try:
        yield
    except IdeasApiError as error:
        raise _failure(str(error), isinstance(error, Unavailable)) from None
    except WarehouseError as error:
        raise _failure(str(error), not isinstance(error, WarehouseMisconfigured)) from None


def _failure(said: str, again: bool, metadata: Mapping[str, dg.MetadataValue] | None = None) -> dg.Failure:
    told = {**(metadata or {}), RETRY_CAN_HELP: dg.MetadataValue.bool(again)}
    return dg.Failure(description=said, metadata=told, allow_retries=again)


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
