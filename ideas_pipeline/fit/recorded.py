"""Work out a contract from recorded or described requests: no request is sent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ideas_pipeline.contract.types import Json, Steps
from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange, leaves, names_a_record, path_below
from ideas_pipeline.fit.matching import resemblance
from ideas_pipeline.fit.paging import from_request, is_in_force, page_of, total_in
from ideas_pipeline.fit.recorded_login import fit_recorded_header, fit_recorded_login, placeholder_of
from ideas_pipeline.fit.streams import PARENTS, fit_records, one_list, parent_column
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.guess import likely_records
from ideas_pipeline.probe.probe import Seen

_ORDERING = (
    "sort",
    "order",
    "order_by",
    "sort_by",
    "orderBy",
    "sortBy",
    "direction",
    "include",
    "expand",
    "embed",
    "with",
)
_WORDS = frozenset(word for words in vocabulary.LIST_WORDS.values() for word in words)
# Segments that may follow a list's word when it does not name a list there, as in feedback/api/v2.
_NO_ID = re.compile(r"api|rest|v\d+(\.\d+)?", re.IGNORECASE)
# Segments that may follow a list's word and still name a list. Anything else there may be an id.
_PARTS = frozenset(
    ("all", "list", "search", "find", "query", "index", "active", "open", "current", "published", "recent", "latest")
)
_VERSION = re.compile(r"v\d+(\.\d+)?")
# The least share of a stream's columns that its records have.
_ALIKE = 0.2


@dataclass
class _ListSeen:
    """One list: its path with ``{}`` in place of ids, and the requests for it."""

    template: str
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The word of the path that names the list."""
        above, last = ["", *self.template.partition("?")[0].rstrip("/").split("/")][-2:]
        return above if last in _PARTS and above.lower() in _WORDS else last

    @property
    def root(self) -> str:
        """The path before the parent's id; empty for a list without a parent."""
        path = self.template.partition("?")[0]
        return path.partition("/{}")[0] if "{}" in path else ""

    @property
    def is_one_record(self) -> bool:
        """Whether the path ends with an id of any form, below a list."""
        above, last = ["", *self.template.lower().split("/")][-2:]
        return last == "{}" or (above in _WORDS and last.partition("?")[0] not in _WORDS | _PARTS)

    @property
    def has_parent(self) -> bool:
        return "{}" in self.template

    @property
    def answered(self) -> list[Exchange]:
        return [e for e in self.exchanges if e.ok and isinstance(e.body, dict | list)]


def address_of(exchanges: Sequence[Exchange], default: str | None) -> str | None:
    """The API's address: the most frequent host of recorded requests, and the path that all requests to it share.

    Args:
        exchanges: the recorded requests.
        default: the address in the settings, which takes precedence.
    """
    if default:
        return default
    hosts = Counter(e.base for e in exchanges if e.base)
    if not hosts:
        return None
    host, _ = hosts.most_common(1)[0]
    paths = [e.path.strip("/").split("/")[:-1] for e in exchanges if e.base == host]
    shared = []
    for segments in zip(*paths, strict=False):
        # Below a list there may be an id that does not look like one.
        if len(set(segments)) > 1 or names_a_record(segments[0]) or segments[0].lower() in _WORDS:
            break
        shared.append(segments[0])
    versions = [n for n, segment in enumerate(shared) if _VERSION.fullmatch(segment)]
    if versions:
        shared = shared[: versions[-1] + 1]
    return f"{host}/{'/'.join(shared)}/" if shared else f"{host}/"


def below(exchanges: Iterable[Exchange], address: str | None) -> list[Exchange]:
    """The requests to the API, with paths below its address. Those of files without an address are kept."""
    base = urlsplit(address or "")
    found = []
    for exchange in exchanges:
        if exchange.base and base.netloc and urlsplit(exchange.base).hostname != base.hostname:
            continue
        path = path_below(exchange.path, base.path)
        if path is None and not exchange.base:
            path = exchange.path.lstrip("/")
        if path is not None:
            found.append(replace(exchange, path=path))
    return found


def fit_recorded(exchanges: Sequence[Exchange], draft: Draft, credentials: Credentials | None) -> None:
    """Work out what the exchanges show.

    Args:
        exchanges: the requests, with paths below the API's address.
        draft: gets what is found.
        credentials: client id and secret, to recognise them in requests; None if unknown.
    """
    tokens = fit_recorded_login(exchanges, draft, credentials)
    streams = _streams(exchanges, draft)
    fit_recorded_header([e for seen in streams.values() for e in seen.exchanges], draft, tokens)
    seen: Seen = {}
    for stream in draft.contract.order():
        if stream in streams:
            _fit_stream(draft, stream, streams[stream], seen)


def _streams(exchanges: Sequence[Exchange], draft: Draft) -> dict[str, _ListSeen]:
    """The recorded list of each stream: found by the words of its path, its place below others, or its records."""
    lists: dict[str, _ListSeen] = {}
    bare: list[_ListSeen] = []
    for exchange in exchanges:
        if not _may_be_list(exchange):
            continue
        if not exchange.path:
            bare.append(_ListSeen("", [exchange]))
            continue
        template = _template(exchange)
        lists.setdefault(template, _ListSeen(template)).exchanges.append(exchange)
    found: dict[str, _ListSeen] = {}
    # A list below a person is not a list of the community.
    rest = [
        seen
        for seen in lists.values()
        if not seen.is_one_record and seen.root.rpartition("/")[2].lower() not in vocabulary.LIST_WORDS["users"]
    ]
    for seen in rest:
        for stream, words in vocabulary.LIST_WORDS.items():
            if seen.word.lower() in words and stream not in found and _fits_below(seen, stream):
                found[stream] = seen
                break
    rest = [seen for seen in rest if seen not in found.values()]
    _assign_by_place(draft, found, rest)
    for seen in bare:
        name = seen.exchanges[0].source.lower()
        named = [s for s, words in vocabulary.LIST_WORDS.items() if any(word in name for word in words)]
        options = [s for s in named or draft.contract.streams if s not in found]
        best = options[0] if named and len(options) == 1 else _most_alike(draft, seen, options)
        if best:
            found[best] = seen
        else:
            source = seen.exchanges[0].source
            draft.notes.append(f"the records of {source} resemble no stream: name the file after one, as ideas.json")
    return found


def _may_be_list(exchange: Exchange) -> bool:
    if exchange.method == "GET":
        is_login = "{client_secret}" in {placeholder_of(n, v, {}) for n, v in exchange.values.items()}
        return not is_login and (exchange.status is None or exchange.ok)
    if exchange.method != "POST" or exchange.documented or not exchange.ok:
        return False
    lists = exchange.body.values() if isinstance(exchange.body, dict) else [exchange.body]
    return any(isinstance(found, list) and len(found) > 1 for found in lists)


def _template(exchange: Exchange) -> str:
    """The path with ``{}`` in place of ids. A parameter that names the parent is part of it."""
    segments = exchange.path.strip("/").split("/")
    path = "/".join("{}" if _is_id(segments, n) else segment for n, segment in enumerate(segments))
    if "{}" not in path:
        parents = {
            word.removesuffix("s")
            for words in (vocabulary.LIST_WORDS["challenges"], vocabulary.LIST_WORDS["ideas"])
            for word in words
        }
        for name, value in exchange.values.items():
            stem = re.sub(r"_?[iI]d$", "", name).lower()
            if stem in parents and stem != name.lower() and (names_a_record(str(value)) or exchange.documented):
                return f"{path}?{name}={{}}"
    return path


def _is_id(segments: Sequence[str], position: int) -> bool:
    """Whether a segment is an id: by its form, or because it is between a list's word and another segment."""
    segment = segments[position]
    if names_a_record(segment):
        return True
    is_below_list = 0 < position < len(segments) - 1 and segments[position - 1].lower() in _WORDS
    return is_below_list and segment.lower() not in _WORDS and not _NO_ID.fullmatch(segment)


def _fits_below(seen: _ListSeen, stream: str) -> bool:
    return seen.has_parent or stream not in ("comments", "votes") if stream in PARENTS else not seen.has_parent


def _assign_by_place(draft: Draft, found: dict[str, _ListSeen], rest: list[_ListSeen]) -> None:
    """Assign lists whose words are not known: one below a list, and with lists below it, holds ideas, and so on."""
    every = [*found.values(), *rest]
    roots = Counter(seen.root for seen in every if seen.has_parent and seen.root)
    for seen in list(rest):
        stream = None
        is_root = any(root.rpartition("/")[2] == seen.word for root in roots)
        if seen.has_parent:
            parent = found.get("challenges")
            below_challenges = parent is not None and seen.root == parent.template
            if "ideas" not in found and (is_root or below_challenges):
                stream = "ideas"
        elif "challenges" not in found and is_root:
            stream = "challenges"
        if stream:
            found[stream] = seen
            rest.remove(seen)
    for seen in list(rest):
        options = [s for s in (("comments", "votes") if seen.has_parent else ("users", "challenges")) if s not in found]
        stream = options[0] if len(options) == 1 and not seen.answered else _most_alike(draft, seen, options)
        if stream:
            found[stream] = seen
            rest.remove(seen)


def _most_alike(draft: Draft, seen: _ListSeen, options: Sequence[str]) -> str | None:
    """The stream that the records resemble most; None if they resemble none."""
    scored = []
    for stream in options:
        spec = draft.contract.streams.get(stream)
        records = (
            [r for e in seen.answered for _, r in _records(e, likely_records(e.body, stream, spec))] if spec else []
        )
        if records:
            scored.append((resemblance(stream, draft.contract, records), stream))
    score, best = max(scored, default=(0.0, ""))
    return best if score > _ALIKE else None


def _records(exchange: Exchange, path: str | None) -> list[tuple[str | None, Json]]:
    page = page_of(exchange, path) if path is not None else None
    return [(key, record) for key, record in page.records if isinstance(record, dict)] if page else []


def _fit_stream(draft: Draft, stream: str, seen: _ListSeen, rows: Seen) -> None:
    spec = draft.contract.streams[stream]
    place: Steps = ("streams", stream)
    first = seen.exchanges[0]
    count = f"in {len(seen.exchanges)} request{'s' if len(seen.exchanges) > 1 else ''} of {first.source}"
    answers = seen.answered
    records_path = next((p for e in answers if (p := likely_records(e.body, stream, spec)) is not None), None)
    records = [record for e in answers for record in _records(e, records_path)]
    lines: list[Inferred] = []
    if seen.template:
        path = seen.template.replace("{}", f"{{{parent_column(stream)}}}" if stream in PARENTS else "{}")
        if path.count("{") > 1:
            draft.ask(
                (*place, "path"),
                f"The list of {stream} in {first.source} is below more than one id. Set its path and a composite key: "
                "docs/contract.md, Ids.",
                urgency=80,
            )
            return
        lines.append(Inferred((*place, "path"), path, count))
        if first.method != spec.method:
            lines += [
                Inferred((*place, "method"), first.method, count),
                Inferred((*place, "send_as"), first.send_as, count),
            ]
        if "{" not in path and spec.listed_by:
            lines += _without_parent(stream, [record for _, record in records])
        kept = {n: v for n, v in first.values.items() if n in _ORDERING and re.fullmatch(r"[\w.,-]{1,40}", str(v))}
        if kept and not first.documented:
            lines.append(Inferred((*place, "parameters"), kept, count))
    if records_path is not None:
        in_force = next((p for p in spec.records if page_of(answers[0], p)), None)
        if in_force == records_path:
            draft.confirm((*place, "records"), count)
        else:
            lines.append(Inferred((*place, "records"), records_path, count))
    if lines and not draft.propose(*lines):
        return
    _fit_paging(draft, stream, seen, records_path)
    if records:
        fit_records(draft, stream, records, rows)


def _without_parent(stream: str, records: Sequence[Json]) -> list[Inferred]:
    """The lines for one list of all parents. Only its name shows which field of the records names the parent."""
    parent = PARENTS[stream].removesuffix("s")
    names = [p for p, _ in leaves(records[0]) if parent in p.lower() and "id" in p.lower()] if records else []
    best = min(names, key=len, default=parent_column(stream))
    return one_list(stream, best, ("one list, without a parent in its path", "named like the parent's id"))


def _fit_paging(draft: Draft, stream: str, seen: _ListSeen, records: str | None) -> None:
    place: Steps = ("streams", stream, "paging")
    shown = [f for e in seen.exchanges if (f := from_request(e.values, e)) is not None]
    if shown:
        best = max(shown, key=lambda found: len(found.values))
        is_from_0 = any(f.values.get("first") == 0 for f in shown)
        values = best.values | ({"first": 0} if is_from_0 and best.values["style"] == "page" else {})
        draft.propose(
            *(
                Inferred((*place, n), v, best.reasons.get(n, f"in {seen.exchanges[0].source}"))
                for n, v in values.items()
            )
        )
    for exchange in seen.answered if records is not None else []:
        count = len(_records(exchange, records))
        found = total_in(exchange, str(records), 1 if exchange.documented else count)
        if found is None or not count:
            continue
        where, total = found
        if is_in_force(draft.contract.streams[stream].paging.total, where):
            draft.confirm((*place, "total"), f"it says {total} with {count} records" if exchange.documented else "seen")
        else:
            draft.propose(Inferred((*place, "total"), dict(where), f"named like a total, in {exchange.source}"))
        return
