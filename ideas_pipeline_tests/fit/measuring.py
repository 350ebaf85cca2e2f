"""How much of a random API's contract is right: value by value, in effect rather than in wording."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.contract.merge import merge
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.contract.types import Steps
from ideas_pipeline.fit.draft import Draft
from ideas_pipeline.fit.files import read_file
from ideas_pipeline.fit.fit import infer
from ideas_pipeline.fit.recorded import below
from ideas_pipeline.fit.session import Session
from ideas_pipeline.ideas_api import pagination
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.ideas_api.page_reader import PageReader
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline.sync.contract_fit import misfits
from ideas_pipeline_tests.fit.random_apis import RandomApi


@dataclass(frozen=True)
class Score:
    """The values of an API that the default contract has wrong: what a person has to type without ``fit``.

    Attributes:
        needed: their places.
        wrong: those that another contract has wrong, too.
        spoiled: places that the default has right and the other contract has wrong.
    """

    needed: frozenset[str]
    wrong: frozenset[str]
    spoiled: frozenset[str]


def score(api: RandomApi, contract: Contract) -> Score:
    """Compare ``contract`` with what the API is."""
    right, default, other = (dict(_values(api.contract, c)) for c in (api.contract, load_contract(None), contract))
    if api.quirks.timestamps != "naive":
        other["timezone"] = default["timezone"] = right["timezone"]
    needed = {place for place, value in right.items() if default.get(place) != value}
    wrong = {place for place, value in right.items() if other.get(place) != value}
    return Score(frozenset(needed), frozenset(wrong & needed), frozenset(wrong - needed))


def _values(real: Contract, contract: Contract) -> Iterator[tuple[str, Any]]:
    """The values that ``contract`` has for the API ``real``; of several paths, the one that acts there."""
    for part in ("code", "token", "refresh", "validate"):
        there, own = (c.auth.model_dump(by_alias=True)[part] for c in (real, contract))
        places = {p for name, paths in there.items() if isinstance(paths, tuple) for p in paths}
        for name, value in own.items():
            yield f"auth.{part}.{name}", _acting(value, places) if isinstance(value, tuple) else value
    yield "auth.header.name", contract.auth.header.name
    yield "auth.header.format", contract.auth.header.format
    yield "timezone", contract.timezone
    for stream, there in real.streams.items():
        own = contract.streams[stream]
        at = f"streams.{stream}"
        yield f"{at}.path", re.sub(r"\{\w+\}", "{}", own.path)
        total, place = there.paging.total, own.paging.total
        in_body = {
            *there.records,
            *(total.body if total else ()),
            *getattr(there.paging, "cursor", ()),
            *getattr(there.paging, "next", ()),
        }
        yield f"{at}.records", _acting(own.records, in_body)
        has_total = place is not None and (place.header or _acting(place.body, in_body))
        yield f"{at}.paging.total", has_total or None
        for name, value in own.paging.model_dump().items():
            if name not in ("size", "total"):
                shown = _acting(value, in_body) if isinstance(value, tuple) else value
                if name in there.paging.model_dump():
                    yield f"{at}.paging.{name}", shown
        paths = {f.paths[0] for f in there.fields.values()} | {e.paths[0] for e in there.embedded.values()}
        yield from _fields(f"{at}.fields", paths, there.fields, own.fields)
        for table, each in there.embedded.items():
            mine = own.embedded.get(table)
            yield f"{at}.embedded.{table}.paths", _acting(mine.paths, paths) if mine else None
            inside = {f.paths[0] for f in each.fields.values()}
            yield from _fields(f"{at}.embedded.{table}.fields", inside, each.fields, mine.fields if mine else {})


def _fields(at: str, paths: set[str], there: Any, own: Any) -> Iterator[tuple[str, Any]]:
    for column, source in there.items():
        mine = own.get(column)
        # Without a unit, numbers are read by their magnitude.
        epoch = mine.epoch or source.epoch if mine and column.endswith("_at") else source.epoch
        yield f"{at}.{column}", (_acting(mine.paths, paths), epoch) if mine else None


def _acting(paths: Any, there: set[str]) -> str | None:
    """The first of ``paths`` that the API has."""
    return next((p for p in paths if p in there or (p == "@body" and "@body" in there)), None)


# Values that others depend on: a person types them before anything below can be seen.
_FIRST = (
    ("auth.code.path",),
    ("auth.code.send_as", "auth.code.fields", "auth.code.auth_code"),
    ("auth.token.path",),
    ("auth.token.send_as", "auth.token.fields", "auth.token.access_token", "auth.token.refresh_token"),
    ("auth.header.name", "auth.header.format"),
    *((f"streams.{stream}.path",) for stream in ("challenges", "users", "ideas", "comments", "votes")),
)


@dataclass(frozen=True)
class Dialogue:
    """A person and ``fit`` with one API, until the contract is right.

    Attributes:
        needed: the places that the default contract has wrong.
        typed: those that the person had to type, apart from the unknown ones.
        unknown: paths and headers that no vocabulary has, which the person typed, too.
        spoiled: places that were right by default, and are wrong.
        requests: the requests of each run.
        asked: the places of typed values that a question named.
    """

    needed: frozenset[str]
    typed: frozenset[str]
    unknown: frozenset[str]
    spoiled: frozenset[str]
    requests: list[int]
    asked: frozenset[str]


def dialogue(api: RandomApi, simulator: Simulator, folder: Path, *, visit: bool = False, most: int = 60) -> Dialogue:
    """Run ``fit``, again if its budget was spent; type what others depend on; run it again; type the rest.

    Args:
        api: the API.
        simulator: serves it.
        folder: for the account's state.
        visit: whether there is a HAR of one visit of each list.
        most: the budget of requests per run.
    """
    contract = unlimited()
    recorded = record_visit(simulator, folder) if visit else None
    typed: set[str] = set()
    asked: set[str] = set()
    requests = []
    wrong = len(score(api, contract).wrong)
    for _ in range(2 * len(_FIRST)):
        draft, count = fitted(simulator, contract, folder, recorded=recorded, most=most)
        requests.append(count)
        asked |= {".".join(q.place) for q in draft.questions}
        found = score(api, draft.contract)
        is_cut_short = any(not q.place for q in draft.questions)
        if is_cut_short and len(found.wrong) < wrong:
            # The budget was spent: the next run goes on from there.
            contract, wrong = draft.contract, len(found.wrong)
            continue
        wrong = len(found.wrong)
        first = next((group for group in _FIRST if set(group) & found.wrong), ())
        if not first:
            break
        typed |= set(first) & found.wrong
        contract = _with(draft.contract, api, first)
    typed |= found.wrong
    return Dialogue(
        score(api, unlimited()).needed,
        frozenset(typed - api.unknown),
        frozenset(typed & api.unknown),
        found.spoiled,
        requests,
        frozenset(asked & typed),
    )


def fitted(
    simulator: Simulator,
    contract: Contract,
    folder: Path,
    *,
    recorded: Path | None = None,
    most: int = 60,
    stated: Collection[Steps] = (),
) -> tuple[Draft, int]:
    """What ``fit`` makes of a simulated API whose contract file has ``stated``, and how many requests it sent."""
    credentials = Credentials(simulator.client_id, simulator.client_secret)
    client = IdeasApi.connect(contract, simulator.base_url, credentials, FileHome(folder / "tokens.json", folder))
    draft = Draft(contract.model_dump(by_alias=True), misfits, frozenset(stated))
    exchanges = below(read_file(recorded), simulator.base_url) if recorded else []
    infer(draft, exchanges, Session(client.transport, credentials, most, lambda _: None), credentials)
    return draft, client.transport.requests


def unlimited() -> Contract:
    """The default contract, with no limit of the rate and without retries."""
    contract = load_contract(None)
    limits = contract.limits.model_copy(update={"requests_per_second": None, "attempts": 1})
    return contract.model_copy(update={"limits": limits})


def record_visit(simulator: Simulator, folder: Path) -> Path:
    """A HAR of a login and one visit of each list, as a browser records it."""
    contract = simulator.contract.model_copy(update={"limits": unlimited().limits})
    credentials = Credentials(simulator.client_id, simulator.client_secret)
    client = IdeasApi.connect(contract, simulator.base_url, credentials, FileHome(folder / "visitor.json", folder))
    entries: list[dict[str, Any]] = []
    with recording(entries):
        reader = PageReader(contract)
        scopes: dict[str, str] = {}
        for stream in contract.order():
            each = contract.streams[stream].each
            parent = each.of[0].split(".")[0] if each else ""
            first = pagination.first(contract.streams[stream].paging)
            page = reader.page(
                stream, scopes.get(parent, ""), first, client.request(stream, scopes.get(parent, ""), first)
            )
            declared = {"challenges": "idea_count", "ideas": "vote_count"}.get(stream)
            if page.records:
                most = max(page.records, key=lambda r: int(str(r.columns.get(declared) or 0)) if declared else 0)
                scopes[stream] = str(most.columns["id"])
    file = folder / "visit.har"
    file.write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    return file


@contextmanager
def recording(entries: list[dict[str, Any]]) -> Iterator[None]:
    """Note every request of this process as an entry of a HAR."""
    plain = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, **options: Any) -> Any:
        response = plain(self, request, **(options | {"stream": False}))
        posted = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        mime = request.headers.get("Content-Type", "")
        entries.append(
            {
                "startedDateTime": datetime.now(UTC).isoformat(),
                "time": 1,
                "request": {
                    "method": request.method,
                    "url": request.url,
                    "headers": [{"name": n, "value": v} for n, v in request.headers.items()],
                    **({"postData": {"mimeType": mime, "text": posted}} if posted else {}),
                },
                "response": {
                    "status": response.status_code,
                    "headers": [{"name": n, "value": v} for n, v in response.headers.items()],
                    "content": {"mimeType": response.headers.get("Content-Type", ""), "text": response.text},
                },
            }
        )
        response.raw = HTTPResponse(
            BytesIO(response.content), headers=response.headers, status=response.status_code, preload_content=False
        )
        return response

    with patch.object(HTTPAdapter, "send", send):
        yield


def _with(contract: Contract, api: RandomApi, places: tuple[str, ...]) -> Contract:
    """``contract`` with the API's real values at these places."""
    changes: dict[str, Any] = {}
    real = api.contract.model_dump(by_alias=True)
    mine = contract.model_dump(by_alias=True)
    for place in places:
        at, there, own = changes, real, mine
        *way, last = place.split(".")
        for step in way:
            at, there, own = at.setdefault(step, {}), there[step], own[step]
        at[last] = there[last]
        if last == "fields":
            at[last] = {n: None for n in own[last] if n not in there[last]} | there[last]
    return Contract.model_validate(merge(mine, changes))
