"""Lists filtered by time, if the contract has parameters for ``since`` and ``until``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Bound, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.responses import RequestRefused
from ideas_pipeline.simulator.truth import Row


@dataclass(frozen=True)
class Span:
    """The half-open interval [``since``, ``until``); None means unbounded."""

    since: datetime | None = None
    until: datetime | None = None


def requested_span(stream: Stream, sent: dict[str, Json], zone: ZoneInfo) -> tuple[Span, dict[str, Json]]:
    """Take the span out of the parameters of a request.

    Args:
        stream: The stream of the requested list.
        sent: The parameters of the request by name.
        zone: The zone of timestamps that have none.

    Returns:
        The span, in UTC, and the other parameters.

    Raises:
        RequestRefused: 400; a time is not in the contract's format.
    """
    left = dict(sent)

    def take(bound: Bound | None) -> datetime | None:
        return _parse(bound, left.pop(bound.parameter), zone) if bound and bound.parameter in left else None

    return Span(take(stream.since), take(stream.until)), left


def in_span(row: Row, stream: Stream, span: Span, zone: ZoneInfo) -> bool:
    """Whether the row's time lies in ``span``; ``zone`` is that of timestamps that have none.

    A row without a time lies in no bounded span.
    """

    def at(bound: Bound | None) -> datetime | None:
        value = row.get(bound.column) if bound else None
        return _in_utc(datetime.fromisoformat(str(value)), zone) if value else None

    since, until = at(stream.since), at(stream.until)
    return (span.since is None or bool(since and since >= span.since)) and (
        span.until is None or bool(until and until < span.until)
    )


def _parse(bound: Bound, value: Json, zone: ZoneInfo) -> datetime:
    try:
        match bound.format:
            case "epoch":
                return datetime.fromtimestamp(float(value), UTC)
            case "date":
                return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=zone)
            case "iso":
                return _in_utc(datetime.fromisoformat(str(value)), zone)
    except (ValueError, OverflowError):
        raise RequestRefused(
            400, f"the parameter {bound.parameter} must be a time in the format {bound.format}"
        ) from None


def _in_utc(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
