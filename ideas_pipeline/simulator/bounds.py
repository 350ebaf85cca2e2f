"""``since`` and ``until``: lists filtered by time, where the contract has parameters for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ideas_pipeline.contract.model import Bound, Stream
from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.answer import Refused
from ideas_pipeline.simulator.truth import Row


@dataclass(frozen=True)
class Span:
    """From ``since``, included, to ``until``, not included; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


def asked(stream: Stream, sent: dict[str, Json], zone: ZoneInfo) -> tuple[Span, dict[str, Json]]:
    """The span that the request asks for, and its other parameters. Raises Refused for a time in another format."""
    left = dict(sent)

    def take(bound: Bound | None) -> datetime | None:
        return _moment(bound, left.pop(bound.parameter), zone) if bound and bound.parameter in left else None

    return Span(take(stream.since), take(stream.until)), left


def within(row: Row, stream: Stream, span: Span, zone: ZoneInfo) -> bool:
    """Whether the row's time lies in ``span``. A row without that time lies in none."""

    def at(bound: Bound | None) -> datetime | None:
        value = row.get(bound.column) if bound else None
        return _known(datetime.fromisoformat(str(value)), zone) if value else None

    since, until = at(stream.since), at(stream.until)
    return (span.since is None or bool(since and since >= span.since)) and (
        span.until is None or bool(until and until < span.until)
    )


def _moment(bound: Bound, value: Json, zone: ZoneInfo) -> datetime:
    try:
        match bound.format:
            case "epoch":
                return datetime.fromtimestamp(float(value), UTC)
            case "date":
                return datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=zone)
            case "iso":
                return _known(datetime.fromisoformat(str(value)), zone)
    except (ValueError, OverflowError):
        raise Refused(400, f"the parameter {bound.parameter} must be a time as {bound.format}") from None


def _known(moment: datetime, zone: ZoneInfo) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
