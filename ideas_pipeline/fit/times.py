"""Work out the time zone of times without one: compare them with the Date header and with times that have a zone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Json
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange, leaves
from ideas_pipeline.ideas_api.responses import http_date
from ideas_pipeline.probe.field_names import snake
from ideas_pipeline.probe.shapes import kind, kinds_of
from ideas_pipeline.records.time_format import TimeFormat
from ideas_pipeline.records.timestamps import timestamps

_PLACE = ("timezone",)
# Names of the API's current time in a response.
_NOW = {"server_time", "now", "current_time", "server_date", "generated_at", "generated", "as_of", "issued_at", "time"}
_LAST_SEEN = {"last_seen_at", "last_seen", "last_login", "last_login_at", "last_active", "last_active_at", "last_visit"}
_UNITS = {
    "utc",
    "gmt",
    "iso",
    "iso8601",
    "epoch",
    "unix",
    "ts",
    "timestamp",
    "local",
    "ms",
    "at",
    "on",
    "date",
    "time",
    "z",
}
_QUARTER = timedelta(minutes=15)
_FARTHEST = timedelta(hours=14)
_EXACT = timedelta(seconds=90)
_RECENT = timedelta(minutes=3)
# Of the zones that agree with all offsets, the first in this order is proposed.
_USUAL = (
    "UTC",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Berlin",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Australia/Brisbane",
    "Pacific/Auckland",
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """An offset from UTC that was seen, and the moment at which it held. ``certain``: it is not a guess."""

    moment: datetime
    offset: timedelta
    why: str
    certain: bool = True


def fit_timezone(draft: Draft, exchanges: Sequence[Exchange]) -> None:
    """Propose the zone of times without one, or ask for it. Nothing is asked if all times have a zone.

    Args:
        draft: gets what is found.
        exchanges: the live and recorded responses.
    """
    if _PLACE in draft.stated:
        return
    real = [e for e in exchanges if e.ok and not e.documented and isinstance(e.body, dict | list)]
    read = _times_read(draft.contract)
    times = ((path, value) for e in real for record in _records(e.body) for path, value in leaves(record))
    fields = sorted({path for path, value in times if path in read and kind(value) == "time without zone"})
    if not fields:
        return
    shown = [item for e in real for item in _seen(e)]
    certain = [item for item in shown if item.certain]
    zones = _zones(certain or shown)
    names = ", ".join(fields[:5])
    if not shown or not zones:
        draft.ask(
            _PLACE,
            f"The times of {names} have no zone, and nothing shows which one is meant. In which time zone are they "
            "(a name such as Europe/Madrid)?",
            proposal=draft.contract.timezone,
            urgency=70,
        )
        return
    in_force = draft.contract.timezone
    best = in_force if in_force in zones else next((zone for zone in _USUAL if zone in zones), zones[0])
    if certain and _are_alike(zones):
        draft.propose(Inferred(_PLACE, best, f"{certain[0].why}, {len(certain)} seen"))
        return
    latest = max(shown, key=lambda item: item.moment)
    draft.ask(
        _PLACE,
        f"The times of {names} have no zone. They were {_as_text(latest.offset)} from UTC ({latest.why}), as in "
        f"{best}. In which time zone are they?",
        proposal=best,
        urgency=70,
    )


def _times_read(contract: Contract) -> set[str]:
    """The paths that time columns read."""
    return {
        path
        for stream in contract.streams.values()
        for column, source in stream.fields.items()
        if column.endswith("_at")
        for path in source.paths
    }


def _seen(exchange: Exchange) -> Iterator[_Shown]:
    """The offsets that a response shows."""
    now = _date(exchange)
    if now is not None:
        for path, value in leaves(exchange.body):
            if snake(_last(path)) in _NOW and (item := _offset(value, now, _EXACT)) is not None:
                yield _Shown(now, item, f"{_last(path)} compared with the Date header")
    newest: dict[str, datetime] = {}
    records = list(_records(exchange.body))
    # Without names that may be values, such as those of people.
    named = kinds_of(records)
    for record in records:
        fields = [(path, value) for path, value in leaves(record) if path in named]
        naive = {path: moment for path, value in fields if (moment := _local(value)) is not None}
        absolute = {path: moment for path, value in fields if (moment := _absolute(value)) is not None}
        for path, local in naive.items():
            if snake(_last(path)) in _LAST_SEEN:
                newest[path] = max(newest.get(path, local), local)
            for other, moment in absolute.items():
                if _are_of_one(path, other) and (item := _offset_of(local, moment, timedelta(seconds=1))) is not None:
                    yield _Shown(moment, item, f"{path} compared with {other} of the same record")
    if now is not None:
        for path, local in newest.items():
            if (item := _offset_of(local, now, _RECENT)) is not None:
                yield _Shown(now, item, f"the newest {_last(path)} compared with the Date header", certain=False)


def _last(path: str) -> str:
    """The last name of a path. Those before it may be values."""
    return path.rsplit(".", 1)[-1]


def _records(body: Json) -> Iterator[dict[str, Json]]:
    """The maps in the lists of a response."""
    if isinstance(body, list):
        yield from (item for item in body if isinstance(item, dict))
    elif isinstance(body, dict):
        for value in body.values():
            yield from _records(value)


def _date(exchange: Exchange) -> datetime | None:
    seconds = http_date(exchange.answer_headers.get("Date")) or exchange.received_at
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _local(value: Json) -> datetime | None:
    """The local time in a text or map without a zone."""
    return _moment(value) if kind(value) == "time without zone" else None


def _absolute(value: Json) -> datetime | None:
    """The moment of a text or map with a zone, or of a number of seconds or milliseconds since 1970."""
    if kind(value) == "time as text" and len(value) != len("2026-01-31"):
        return _moment(value)
    if isinstance(value, bool) or not re.fullmatch(r"\d{9,13}(\.\d+)?", str(value)):
        return None
    number = float(value)
    return datetime.fromtimestamp(number / 1000 if number > 10**11 else number, UTC)


def _moment(value: Json) -> datetime | None:
    moments, reasons = timestamps([value], TimeFormat())
    if reasons or moments[0] is None:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=moments[0])


def _offset(value: Json, moment: datetime, most: timedelta) -> timedelta | None:
    local = _local(value)
    return None if local is None else _offset_of(local, moment, most)


def _offset_of(local: datetime, moment: datetime, most: timedelta) -> timedelta | None:
    """The offset by which a local time is ahead of a moment, a multiple of 15 minutes.

    None if the difference is not such a multiple.
    """
    difference = local - moment
    offset = round(difference / _QUARTER) * _QUARTER
    return offset if abs(difference - offset) <= most and abs(offset) <= _FARTHEST else None


def _are_of_one(path: str, other: str) -> bool:
    """Whether two fields are times of the same event, as ``created_at`` and ``createdAtUtc`` are."""
    one, two = ({word for word in snake(name).split("_") if word not in _UNITS} for name in (path, other))
    return one == two


def _zones(shown: Sequence[_Shown]) -> list[str]:
    """The zones that have all these offsets, in alphabetical order."""
    distinct = {(item.moment.replace(minute=0, second=0, microsecond=0), item.offset) for item in shown}
    names = sorted(name for name in available_timezones() if name == "UTC" or ("/" in name and "Etc/" not in name))
    return [name for name in names if all(moment.astimezone(ZoneInfo(name)).utcoffset() == o for moment, o in distinct)]


def _are_alike(zones: Iterable[str]) -> bool:
    """Whether zones have the same offsets on a sample of days of the last three years.

    They may change their clocks at different hours of one day, as Havana and New York do.
    """
    now = datetime.now(UTC)
    days = [now - timedelta(days=days) for days in range(1, 3 * 365, 13)]
    first, *others = ([_offsets(zone, (day, day + timedelta(days=1))) for day in days] for zone in zones)
    return all(a == b or a2 == b2 for other in others for (a, a2), (b, b2) in zip(first, other, strict=True))


def _offsets(zone: str, moments: Iterable[datetime]) -> tuple[timedelta | None, ...]:
    return tuple(moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments)


def _as_text(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'+' if minutes >= 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
