"""Propose the contract's lines for a request of the login, whether it was sent or recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ideas_pipeline.contract.types import Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange
from ideas_pipeline.fit.login_answers import place_in_force


@dataclass(frozen=True, slots=True)
class Reasons:
    """The reasons of the lines.

    Attributes:
        request: what shows the method, the path and the parameters.
        absent: what shows that a parameter in force is not sent.
        places: what shows the places of the values in the response.
    """

    request: str
    absent: str
    places: str


def propose_request(
    draft: Draft,
    route: str,
    exchange: Exchange,
    fields: Mapping[str, str],
    places: Mapping[str, str],
    reasons: Reasons,
) -> None:
    """Propose a request of the login, and the places of the values in its response.

    Args:
        draft: gets what is found.
        route: the request's name in the contract.
        exchange: the request and its response.
        fields: the template of each parameter.
        places: the place of each value, by its name in the contract.
        reasons: what shows them.
    """
    own = draft.contract.auth.model_dump(by_alias=True)[route]
    at: Steps = ("auth", route)
    lines = [
        Inferred((*at, "method"), exchange.method, reasons.request),
        Inferred((*at, "path"), exchange.path, reasons.request),
        Inferred((*at, "send_as"), exchange.send_as, reasons.request),
    ]
    lines += [
        Inferred((*at, "fields", name), fields.get(name), reasons.request if name in fields else reasons.absent)
        for name in {**fields, **own["fields"]}
        if fields.get(name) != own["fields"].get(name)
    ]
    for name, place in places.items():
        if place_in_force(exchange, own.get(name) or ()) == place:
            draft.confirm((*at, name), reasons.places)
        else:
            lines.append(Inferred((*at, name), place, reasons.places))
    draft.propose(*lines)
