"""Find the live API's lists: header, path, records, paging, then their fields."""

from __future__ import annotations

from functools import partial

from ideas_pipeline.fit.draft import Draft, Inferred
from ideas_pipeline.fit.evidence import leaves
from ideas_pipeline.fit.explorer import Explorer
from ideas_pipeline.fit.header import get
from ideas_pipeline.fit.paging import (
    Found,
    List,
    Page,
    fit_paging,
    is_in_force,
    key_of,
    page_of,
    parameters,
    total_in,
)
from ideas_pipeline.fit.paths import filled, scopes, templates
from ideas_pipeline.fit.streams import PARENTS, fit_fields, fit_records, known_ids, one_list
from ideas_pipeline.ideas_api.field_map import records_in
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.guess import likely_records

# How many requests the search for one list's path may take.
_MOST_PATHS = 22
# Page sizes to try if the API refuses that of the contract.
_SIZES = (50, 25, 20, 10)
_PROFILES_OF = ("ideas.author_id", "comments.author_id", "votes.user_id", "idea_coauthors.user_id")


def explore(explorer: Explorer) -> None:
    """Find and read a list of every stream.

    Raises:
        Stopped: no more requests can be sent. What was found stays.
    """
    draft, say = explorer.draft, explorer.session.say
    for stream in draft.contract.order():
        say(f"{stream}: looking for the list")
        if _find(explorer, stream):
            _fit_page(explorer, stream, explorer.lists[stream].first)
        elif explorer.header_known is None:
            return
    if "users" in draft.contract.streams and "users" not in explorer.lists:
        _find_profiles(explorer)
    # The longest list shows its paging best; the others are then compared with it.
    for stream in sorted(explorer.lists, key=lambda name: -len(explorer.lists[name].first.keys)):
        say(f"{stream}: paging")
        _fit_paging(explorer, stream)
        _read_full_page(explorer, stream)


def _find(explorer: Explorer, stream: str) -> bool:
    """Find the path of a stream's list, and propose it with the place of its records."""
    parent = PARENTS.get(stream)
    if parent and parent not in explorer.lists and "{" in explorer.draft.contract.streams[stream].path:
        explorer.draft.notes.append(
            f"{stream}: the list is below {parent}, which was not found: run fit again once its path is known"
        )
        return False
    tried: list[str] = []
    denied: list[str] = []
    for template in templates(explorer, stream):
        if template in tried or len(tried) >= _MOST_PATHS:
            continue
        tried.append(template)
        for scope in scopes(explorer, stream, template):
            path = filled(template, scope)
            answer = get(explorer, path)
            if explorer.header_known is None:
                return False
            if not answer.ok and not answer.is_missing and answer.status:
                denied.append(f"{template} (HTTP {answer.status})")
            records = likely_records(answer.body, stream, explorer.draft.contract.streams[stream])
            if not answer.ok or records is None:
                break
            key = key_of(answer, records)
            page = page_of(answer, records, key)
            if page is None:
                break
            found = List(partial(explorer.session.get, path), records, page, template, key, scope)
            if not _take(explorer, stream, found):
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
    """Look for a path that returns one person, with an id that other records name: some APIs have no list of people."""
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
    prefix = next((lst.path.rpartition("/")[0] for name, lst in explorer.lists.items() if name not in PARENTS), "")
    place = ("streams", "users")
    for word in vocabulary.LIST_WORDS["users"]:
        template = f"{prefix}/{word}/{{user_id}}".lstrip("/")
        answer = explorer.session.get(filled(template, people[0]))
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


def _take(explorer: Explorer, stream: str, target: List) -> bool:
    """Propose a list as that of the stream. Returns whether the contract is valid with it."""
    draft, records, count = explorer.draft, target.records, len(target.first.keys)
    spec = draft.contract.streams[stream]
    place = ("streams", stream)
    found = [Inferred((*place, "path"), target.path, f"the API answers there with a list ({count} records)")]
    if "{" not in target.path and spec.listed_by:
        without = _without_parent(explorer, stream, target.first)
        if not without:
            return False
        found += without
    in_force = next((p for p in spec.records if page_of(target.first.answer, p)), None)
    if in_force == records and count:
        draft.confirm((*place, "records"), "in 1 of 1 responses")
    elif count:
        found.append(Inferred((*place, "records"), records, "in 1 of 1 responses"))
    if not draft.propose(*found):
        return False
    explorer.lists[stream] = target
    return True


def _without_parent(explorer: Explorer, stream: str, page: Page) -> list[Inferred]:
    """The lines for one list of all parents; empty if no field of its records names the parent."""
    parent = PARENTS[stream]
    ids = known_ids(explorer.seen).get(parent, set())
    items = [dict(leaves(record)) for _, record in page.records if isinstance(record, dict)]
    matching = [p for p in (items[0] if items and ids else ()) if all(str(item.get(p)) in ids for item in items)]
    best = min(matching, key=lambda p: (parent.removesuffix("s") not in p, "id" not in p.lower(), len(p)), default=None)
    if best is None:
        return []
    shown = f"in {len(items)} of {len(items)} records it is the id of one of the {parent}"
    return one_list(stream, best, (f"one list has the records of several {parent}", shown))


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
    is_guess = len(explorer.lists[stream].first.keys) < 2
    if not (is_guess and any(line.place in draft.stated for line in lines)):
        draft.propose(*lines)


def _ask_for_paging(explorer: Explorer, stream: str) -> None:
    """Ask how a list is paged, if its total shows that it is longer than its first page."""
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
    """The paging that files showed; None if they showed only a part of it."""
    spec = draft.contract.streams[stream].paging.model_dump(exclude={"size", "total"})
    needed = ["style", *(["cursor_parameter"] if spec["style"] == "cursor" else [])]
    if spec["style"] == "none" or not all(draft.is_settled(("streams", stream, "paging", name)) for name in needed):
        return None
    return Found({name: list(value) if isinstance(value, tuple) else value for name, value in spec.items()})


def _fit_page(explorer: Explorer, stream: str, page: Page) -> None:
    """Work out total and fields from a page."""
    draft, target = explorer.draft, explorer.lists[stream]
    count = len(page.records)
    if not count:
        draft.notes.append(f"{stream}: the list that was read has no records, so its fields could not be compared")
        return
    _fit_total(draft, stream, total_in(page.answer, target.records, count), count)
    fit_records(draft, stream, page.records, explorer.seen, target.scope)


def _read_full_page(explorer: Explorer, stream: str) -> None:
    """Read a page of the contract's size, or of the largest size that the API accepts."""
    draft, target = explorer.draft, explorer.lists[stream]
    place = ("streams", stream, "paging", "size")
    count = len(target.first.keys)
    total = _total(target)
    paging = draft.contract.streams[stream].paging
    if explorer.paging is None or paging.style == "none" or not count:
        return
    if paging.style != explorer.paging.values["style"]:
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
            _fit_page(explorer, stream, page)
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
            Inferred(place, dict(where), "a number named like a total, and not smaller than the number of records")
        )
