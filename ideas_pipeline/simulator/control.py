"""Control routes beside the API: faults on demand, and the clock of a living community."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ideas_pipeline.contract.types import Json
from ideas_pipeline.simulator.faults import Fault, Faults
from ideas_pipeline.simulator.living import LivingCommunity
from ideas_pipeline.simulator.responses import Response, error_response, json_bytes

FAULTS_PATH = "/_control/faults"
CLOCK_PATH = "/_control/clock"
_RULES: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])


class _Move(BaseModel):
    """How far to move the clock."""

    model_config = ConfigDict(extra="forbid", strict=True)

    days: int = Field(ge=1, le=366)


async def control_faults(request: web.BaseRequest, faults: Faults) -> Response:
    """Add the rule, or the list of rules, of a POST; remove all rules on DELETE."""
    if request.method == "DELETE":
        faults.clear()
        return Response(200, json_bytes({"rules": 0}))
    if request.method != "POST":
        return error_response(405, "POST a rule or a list of rules, or DELETE all rules")
    try:
        rules = read_faults(await request.read())
    except ValueError as error:
        return error_response(400, str(error))
    for rule in rules:
        faults.add(rule)
    return Response(200, json_bytes({"rules": len(rules)}))


def control_clock(method: str, body: bytes, living: LivingCommunity | None) -> Response:
    """Move the clock by the days of a POST; GET shows it.

    Args:
        method: The request's method.
        body: The request's body, such as ``{"days": 1}``.
        living: The community to advance; the caller holds the lock of its tables. None: it does not live.

    Returns:
        The clock after the move (``now``, UTC), and how often each event happened (``events``, by name).
    """
    if living is None:
        return error_response(409, "this community has no clock: start the simulator with --living")
    if method == "GET":
        return _clock(living, [])
    if method != "POST":
        return error_response(405, 'POST {"days": 1} to move the clock, or GET the clock')
    try:
        move = _Move.model_validate_json(body)
    except ValidationError as error:
        return error_response(400, f'POST a body such as {{"days": 1}}, from 1 to 366 days: {_problems(error)}')
    return _clock(living, living.advance(living.now + timedelta(days=move.days)))


def read_faults(text: str | bytes) -> list[Fault]:
    """Read a rule, or a list of rules, from JSON.

    Raises:
        ValueError: The rules are not valid; the message names each problem.
    """
    raw = text.strip()
    if raw[:1] in ("{", b"{"):
        raw = f"[{raw}]" if isinstance(raw, str) else b"[" + raw + b"]"
    try:
        return _RULES.validate_json(raw)
    except ValidationError as error:
        raise ValueError(_problems(error, skip=1)) from None


def _clock(living: LivingCommunity, happened: list[str]) -> Response:
    events: dict[str, Json] = dict(Counter(happened).most_common())
    return Response(200, json_bytes({"now": f"{living.now:%Y-%m-%dT%H:%M:%SZ}", "events": events}))


def _problems(error: ValidationError, skip: int = 0) -> str:
    """One clause per problem; the first ``skip`` parts of each location are left out."""
    return "; ".join(f"{'.'.join(map(str, e['loc'][skip:])) or 'body'}: {e['msg']}" for e in error.errors())
