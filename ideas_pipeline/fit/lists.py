"""Find the live API's lists: header, path, records, paging, then their fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import Exchange, leaves, names_a_record
from ideas_pipeline.fit.fields import Known, fit_fields
from ideas_pipeline.fit.login import Tokens
from ideas_pipeline.fit.login_answers import challenge_scheme, token_type
from ideas_pipeline.fit.paging import Found, List, fit_paging, is_in_force, key_of, page_of, parameters, total_in
from ideas_pipeline.fit.session import Session
from ideas_pipeline.ideas_api.field_map import field_map, records_in
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.guess import likely_records
from ideas_pipeline.probe.probe import Seen, remember, scopes_of

# How many requests the search for one list's path may take, and how many parents are tried until one has children.
_MOST_PATHS = 22
_MOST_PARENTS = 3
_REFUSED = (401, 403)
_PARENTS = {"ideas": "challenges", "comments": "ideas", "votes": "ideas"}
# Page sizes to try if the API refuses the one of the contract.
_SIZES = (50, 25, 20, 10)
_PROFILES_OF = ("ideas.author_id", "comments.author_id", "votes.user_id", "idea_coauthors.user_id")


@dataclass
class Explorer:
    """What is known of the API's lists.

    Attributes:
        session: the live API.
        draft: gets what is found.
        tokens: what the login gave.
        header_known: whether the API accepted the header; None if it refuses every known one.
        paging: the paging of another list of this API.
        seen: rows by table, as the draft maps them.
        lists: the list of each stream that was found.
        scopes: the parent of that list.
        sizes: the parameters that set the page size of other lists.
        size: the largest page that another list gave.
    """

    session: Session
    draft: Draft
    tokens: Tokens
    header_known: bool | None = False
    paging: Found | None = None
    seen: Seen = field(default_factory=dict)
    lists: dict[str, List] = field(default_factory=dict)
    scopes: dict[str, str] = field(default_factory=dict)
    sizes: list[str] = field(default_factory=list)
    size: int | None = None


def explore(explorer: Explorer) -> None:
    """Find and read a list of every stream.

    Raises:
        Stopped: what was found until then stays.
    """
    draft, say = explorer.draft, explorer.session.say
    for stream in draft.contract.order():
        say(f"{stream}: looking for the list")
        if _find(explorer, stream):
            _fit_records(explorer, stream, explorer.lists[stream].first.answer)
        elif explorer.header_known is None:
            return
    if "users" in draft.contract.streams and "users" not in explorer.lists:
        _find_profiles(explorer)
    # The longest list shows its paging best; the others are then compared with it.
    for stream in sorted(explorer.lists, key=lambda name: -len(explorer.lists[name].first.keys)):
        say(f"{stream}: paging")
        _fit_paging(explorer, stream)
        _read_full_page(explorer, stream)


def known_ids(seen: Seen) -> Known:
    """The ids that were seen of each table."""
    return {table: {str(row["id"]) for row in rows if row.get("id") is not None} for table, rows in seen.items()}


def _find(explorer: Explorer, stream: str) -> bool:
    """Find the path of a stream's list, and propose it with the place of its records."""
    parent = _PARENTS.get(stream)
    if parent and parent not in explorer.lists and "{" in explorer.draft.contract.streams[stream].path:
        explorer.draft.notes.append(
            f"{stream}: the list is below {parent}, which was not found yet: run fit again then"
        )
        return False
    tried: list[str] = []
    denied: list[str] = []
    for template in _templates(explorer, stream):
        if template in tried or len(tried) >= _MOST_PATHS:
            continue
        tried.append(template)
        for scope in _scopes(explorer, stream, template):
            answer = _get(explorer, _filled(template, scope))
            if explorer.header_known is None:
                return False
            if not answer.ok and not answer.is_missing and answer.status:
                denied.append(f"{template} (HTTP {answer.status})")
            records = likely_records(answer.body, stream, explorer.draft.contract.streams[stream])
            if not answer.ok or records is None or not _take(explorer, stream, template, scope, answer):
                break
            if explorer.lists[stream].first.keys:
                return True
        if stream in explorer.lists:
            return True
    explorer.draft.ask(
        ("streams", stream, "path"),
        f"None of {len(tried)} known paths has a list of {stream}"
        + (f" (tried: {', '.join(tried[:12])})" if tried else "")
        + (f"; the API refuses {', '.join(denied[:3])}" if denied else "")
        + ". Which path does the API's reference, or the browser, show?",
        urgency=95 if stream in ("challenges", "ideas") else 80,
    )
    return False


def _find_profiles(explorer: Explorer) -> None:
    """Look for single people by the ids that other records name: some APIs have no list of people."""
    draft = explorer.draft
    people = [
        str(row[column])
        for table, column in (name.split(".") for name in _PROFILES_OF)
        for row in explorer.seen.get(table, [])
        if row.get(column) is not None
    ]
    if not people:
        return
    explorer.session.say("users: looking for single profiles")
    prefix = next((lst.path.rpartition("/")[0] for name, lst in explorer.lists.items() if name not in _PARENTS), "")
    place = ("streams", "users")
    for word in vocabulary.LIST_WORDS["users"]:
        template = f"{prefix}/{word}/{{user_id}}".lstrip("/")
        answer = explorer.session.get(_filled(template, people[0]))
        if not answer.ok or not isinstance(answer.body, dict):
            continue
        reason = "the API answers there with one person"
        one = draft.contract.streams["users"].model_copy(update={"reads": "one"})
        records = likely_records(answer.body, "users", one) or "@body"
        found = [
            Inferred((*place, "path"), template, reason),
            Inferred((*place, "reads"), "one", reason),
            Inferred((*place, "records"), [records], reason),
            Inferred((*place, "each"), {"of": list(_PROFILES_OF), "placeholder": "user_id"}, reason),
            Inferred((*place, "paging", "style"), "none", reason),
            Inferred((*place, "paging", "total"), None, reason),
        ]
        if draft.propose(*found):
            people_read = [record for _, record in records_in(answer.body, (records,))]
            fit_fields(draft, "users", people_read, known_ids(explorer.seen))
            return


def _templates(explorer: Explorer, stream: str) -> Iterator[str]:
    """Paths that may be a stream's list, the most probable first. ``{…}`` is the parent's id."""
    spec = explorer.draft.contract.streams[stream]
    parent = _PARENTS.get(stream)
    words = vocabulary.LIST_WORDS[stream]
    place = ("streams", stream, "path")
    root = spec.path.partition("/{")[0].rpartition("/")[2]
    is_likely = parent is None or "/{" not in spec.path or explorer.lists[parent].path.rpartition("/")[2] == root
    if is_likely or explorer.draft.is_settled(place) or place in explorer.draft.stated:
        yield spec.path
    if parent is None:
        known = [explorer.draft.contract.streams[other].path for other in explorer.lists if other not in _PARENTS]
        prefixes = dict.fromkeys([*(path.rpartition("/")[0] for path in known), ""])
        for prefix in prefixes:
            yield from (f"{prefix}/{word}".lstrip("/") for word in words)
        if not known:
            yield from (prefix + word for prefix in vocabulary.PREFIXES[:2] for word in words[:6])
            yield from (prefix + word for prefix in vocabulary.PREFIXES[2:] for word in words[:2])
        return
    placeholder = f"{parent.removesuffix('s')}_id"
    spot = f"{{{placeholder}}}"
    yield from _linked(explorer, parent, stream, spot)
    of = explorer.draft.contract.streams[parent]
    # The parent's own list, without its parent: ideas of challenges/{challenge_id}/ideas are below ideas/{idea_id}.
    base, _, last = of.path.rpartition("}/") if "{" in of.path else ("", "", of.path)
    prefix = base.rpartition("{")[0].rstrip("/").rpartition("/")[0] if base else ""
    roots = dict.fromkeys(f"{prefix}/{root}".lstrip("/") for root in (last, *vocabulary.LIST_WORDS[parent]))
    own, *others = roots
    yield from (f"{own}/{spot}/{word}" for word in words)
    prefix = f"{prefix}/" if prefix else ""
    for word in words[:4]:
        yield f"{prefix}{word}?{placeholder}={spot}"
    for root in others[:2]:
        yield from (f"{root}/{spot}/{word}" for word in words[:2])


def _linked(explorer: Explorer, parent: str, stream: str, place: str) -> Iterator[str]:
    """Paths to which the parent's records link, such as ``links.comments``, with the id as placeholder.

    The links of all records must be the same but for the id, so that no other value of a record is part of a path.
    """
    words = {word.removesuffix("s") for word in vocabulary.LIST_WORDS[stream]}
    target = explorer.lists[parent]
    links: dict[str, list[str | None]] = {}
    for _, record in records_in(target.first.answer.body, (target.records,)):
        own = str(record.get(target.key)) if isinstance(record, dict) and target.key else None
        for path, value in leaves(record):
            is_link = isinstance(value, str) and value.startswith(("http", "/"))
            if is_link and any(word in path.lower() for word in words):
                links.setdefault(path, []).append(_link_template(explorer.session, str(value), own, place))
    for templates in links.values():
        if len(templates) > 1 and len(set(templates)) == 1 and templates[0] is not None:
            yield templates[0]


def _link_template(session: Session, url: str, own_id: str | None, place: str) -> str | None:
    """The path of a record's link with ``place`` for its one id; None if there is no id, or several."""
    below = session.below_base(url)
    if below is None:
        return None
    segments = below.strip("/").split("/")
    ids = [n for n, segment in enumerate(segments) if unquote(segment) == own_id or names_a_record(segment)]
    if len(ids) != 1:
        return None
    segments[ids[0]] = place
    return "/".join(segments)


def _scopes(explorer: Explorer, stream: str, template: str) -> list[str]:
    """Parents to try: those that declare most children first. A path without a placeholder has one list."""
    if "{" not in template:
        return [""]
    contract = explorer.draft.contract
    return scopes_of(contract, stream, explorer.seen)[:_MOST_PARENTS] if contract.streams[stream].each else []


def _filled(template: str, scope: str) -> str:
    return re.sub(r"\{[^{}]*\}", quote(scope, safe="").replace("\\", ""), template)


def _get(explorer: Explorer, path: str) -> Exchange:
    """Read a path. While the header is not known, a refusal is answered with the other known headers."""
    session = explorer.session
    answer = session.get(path)
    if answer.is_missing or explorer.header_known:
        return answer
    if not _is_refusal(answer):
        if answer.ok and isinstance(answer.body, dict | list):
            _accept_header(explorer, answer)
        return answer
    for name, form in _headers(explorer, answer):
        headers = {name: form.replace("{access_token}", explorer.tokens.access)}
        if headers == session.header:
            continue
        session.say(f"header: trying {name}")
        other = session.get(path, header=headers)
        if not _is_refusal(other):
            session.header = headers
            place = ("auth", "header")
            reason = "the API accepts it, and refused the one before"
            explorer.draft.propose(Inferred((*place, "name"), name, reason), Inferred((*place, "format"), form, reason))
            explorer.header_known = True
            return other
    explorer.header_known = None
    explorer.draft.ask(
        ("auth", "header", "name"),
        "The API refuses the token in every known header. Which header does the API's reference, or the browser, show "
        "for API calls?",
        urgency=98,
    )
    return answer


def _is_refusal(answer: Exchange) -> bool:
    body = answer.body
    is_error = answer.ok and isinstance(body, dict) and bool(body.get("error")) and len(body) <= 4
    return answer.status in _REFUSED or is_error


def _accept_header(explorer: Explorer, answer: Exchange) -> None:
    explorer.header_known = True
    for name in ("name", "format"):
        explorer.draft.confirm(("auth", "header", name), f"the API accepts it ({answer.status})")


def _headers(explorer: Explorer, refusal: Exchange) -> Iterator[tuple[str, str]]:
    """Headers that may carry the token: with the scheme that the API itself names, then common ones."""
    for scheme in (challenge_scheme(refusal), token_type(explorer.tokens.answer)):
        if scheme:
            yield "Authorization", f"{scheme} {{access_token}}"
    yield from vocabulary.HEADERS


def _take(explorer: Explorer, stream: str, template: str, scope: str, answer: Exchange) -> bool:
    """Take a list as the stream's. Returns whether the contract can be so."""
    draft = explorer.draft
    spec = draft.contract.streams[stream]
    place = ("streams", stream)
    records = likely_records(answer.body, stream, spec) or "@body"
    if page_of(answer, records) is None:
        return False
    key = key_of(answer, records)
    page = page_of(answer, records, key)
    if page is None:
        return False
    found = [Inferred((*place, "path"), template, f"the API answers there with a list ({len(page.keys)} records)")]
    if "{" not in template and spec.each and spec.reads == "list":
        found += _without_parent(explorer, stream, records, answer)
        if len(found) == 1:
            return False
    in_force = next((p for p in spec.records if page_of(answer, p)), None)
    if in_force == records and page.keys:
        draft.confirm((*place, "records"), "in 1 of 1 responses")
    elif page.keys:
        found.append(Inferred((*place, "records"), records, "in 1 of 1 responses"))
    if not draft.propose(*found):
        return False
    explorer.lists[stream] = List(
        lambda values: explorer.session.get(_filled(template, scope), values), records, page, template, key
    )
    explorer.scopes[stream] = scope
    return True


def _without_parent(explorer: Explorer, stream: str, records: str, answer: Exchange) -> list[Inferred]:
    """What one list for all parents needs: no ``each``, and the field that names the parent. Empty if none does."""
    parent = _PARENTS[stream]
    column = f"{parent.removesuffix('s')}_id"
    ids = known_ids(explorer.seen).get(parent, set())
    items = [record for _, record in records_in(answer.body, (records,)) if isinstance(record, dict)]
    places = [path for path, value in leaves(items[0]) if str(value) in ids] if items and ids else []
    matching = [p for p in places if all(str(dict(leaves(item)).get(p)) in ids for item in items)]
    best = min(matching, key=lambda p: (parent.removesuffix("s") not in p, "id" not in p.lower(), len(p)), default=None)
    if best is None:
        return []
    reason = f"in {len(items)} of {len(items)} records it is the id of one of the {parent}"
    return [
        Inferred(("streams", stream, "each"), None, f"one list has the records of several {parent}"),
        Inferred(("streams", stream, "fields", column), best, reason),
    ]


def _fit_paging(explorer: Explorer, stream: str) -> None:
    """Work out the paging of a stream's list, unless that needs more records than the list has."""
    draft = explorer.draft
    if explorer.paging is None:
        explorer.paging = _settled_paging(draft, stream)
    found = fit_paging(explorer.lists[stream], explorer.paging, explorer.sizes)
    if found is None:
        _ask_for_paging(explorer, stream)
        return
    if found.values["style"] != "none":
        explorer.paging = explorer.paging or found
    place = ("streams", stream, "paging")
    lines = [
        Inferred((*place, name), value, found.reasons.get(name, "seen in the response"))
        for name, value in found.values.items()
    ]
    draft.propose(*lines)


def _ask_for_paging(explorer: Explorer, stream: str) -> None:
    """Ask how a list is paged that is certainly longer than its first page."""
    draft, target = explorer.draft, explorer.lists[stream]
    count = len(target.first.keys)
    total = _total(target)
    place = ("streams", stream, "paging", "style")
    if total is not None and total > count and not draft.is_settled(place) and place not in draft.stated:
        draft.ask(
            place,
            f"The first page of {stream} has {count} of {total} records, and no known parameter leads to the others. "
            "How does the API's reference page it (page, offset, cursor, next_link)?",
            urgency=75,
        )


def _settled_paging(draft: Draft, stream: str) -> Found | None:
    """The paging that files showed; None if they did not show all of it."""
    spec = draft.contract.streams[stream].paging.model_dump(exclude={"size", "total"})
    needed = ["style", *(["cursor_parameter"] if spec["style"] == "cursor" else [])]
    if spec["style"] == "none" or not all(draft.is_settled(("streams", stream, "paging", name)) for name in needed):
        return None
    return Found({name: list(value) if isinstance(value, tuple) else value for name, value in spec.items()})


def _fit_records(explorer: Explorer, stream: str, answer: Exchange) -> None:
    """Work out total and fields from a page."""
    draft, target = explorer.draft, explorer.lists[stream]
    found = records_in(answer.body, (target.records,))
    if not found:
        draft.notes.append(f"{stream}: the list that was read has no records, so its fields could not be compared")
        return
    _fit_total(draft, stream, total_in(answer, target.records, len(found)), len(found))
    fit_fields(draft, stream, [record for _, record in found], known_ids(explorer.seen))
    mapper = field_map(draft.contract, stream)
    scope = explorer.scopes[stream]
    remember(explorer.seen, stream, [mapper(record, key, index, scope) for index, (key, record) in enumerate(found)])


def _read_full_page(explorer: Explorer, stream: str) -> None:
    """Read a page of the contract's size, or of the largest one that the API accepts."""
    draft, target = explorer.draft, explorer.lists[stream]
    place = ("streams", stream, "paging", "size")
    count = len(target.first.keys)
    total = _total(target)
    paging = draft.contract.streams[stream].paging
    if explorer.paging is None or not explorer.paging.values["style"] == paging.style != "none" or not count:
        return
    is_likely = explorer.size is not None and (total == count or explorer.size < paging.size)
    if is_likely and place not in draft.stated:
        draft.propose(Inferred(place, explorer.size, "the largest page that another list gave"))
        return
    sizes = [paging.size, *(size for size in _SIZES if size < paging.size)]
    for size in sizes if explorer.paging.values.get("size_parameter") else sizes[:1]:
        page = target.page(parameters(explorer.paging, size))
        if page is None:
            continue
        if size != paging.size:
            draft.propose(Inferred(place, size, f"the API refuses pages of {paging.size}"))
        explorer.size = size
        came = len(page.keys)
        if came == size:
            draft.confirm(place, f"a page had {came} records, as requested")
        elif total is not None and came < min(size, total):
            draft.propose(Inferred(place, came, f"{size} were requested, and {came} of {total} came"))
            explorer.size = came
        if came > count:
            _fit_records(explorer, stream, page.answer)
        return


def _total(target: List) -> int | None:
    """The total that the first page of a list reports."""
    found = total_in(target.first.answer, target.records, len(target.first.keys))
    return found[1] if found else None


def _fit_total(draft: Draft, stream: str, found: tuple[dict[str, str], int] | None, count: int) -> None:
    place = ("streams", stream, "paging", "total")
    in_force = draft.contract.streams[stream].paging.total
    if found is None:
        if in_force is not None and count:
            draft.propose(Inferred(place, None, f"in none of the responses ({count} records came)"))
        return
    where, total = found
    if is_in_force(in_force, where):
        draft.confirm(place, f"it says {'as many' if total == count else 'more'} records as came")
    else:
        draft.propose(
            Inferred(place, dict(where), "a number named like a total, no smaller than the records that came")
        )
