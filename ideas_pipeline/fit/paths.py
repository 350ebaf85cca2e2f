"""Paths of the live API that may lead to a stream's list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

from ideas_pipeline.fit.evidence import leaves, names_a_record
from ideas_pipeline.fit.explorer import Explorer
from ideas_pipeline.fit.session import Session
from ideas_pipeline.fit.streams import PARENTS, parent_column
from ideas_pipeline.probe import vocabulary
from ideas_pipeline.probe.probe import scopes_of

# How many parents are tried until one has children.
_MOST_PARENTS = 3


def templates(explorer: Explorer, stream: str) -> Iterator[str]:
    """Paths that may be a stream's list, the most probable first. ``{…}`` is the parent's id."""
    spec = explorer.draft.contract.streams[stream]
    parent = PARENTS.get(stream)
    words = vocabulary.LIST_WORDS[stream]
    place = ("streams", stream, "path")
    root = spec.path.partition("/{")[0].rpartition("/")[2]
    is_likely = parent is None or "/{" not in spec.path or explorer.lists[parent].path.rpartition("/")[2] == root
    if is_likely or explorer.draft.is_settled(place) or place in explorer.draft.stated:
        yield spec.path
    if parent is None:
        known = [explorer.draft.contract.streams[other].path for other in explorer.lists if other not in PARENTS]
        prefixes = dict.fromkeys([*(path.rpartition("/")[0] for path in known), ""])
        for prefix in prefixes:
            yield from (f"{prefix}/{word}".lstrip("/") for word in words)
        if not known:
            yield from (prefix + word for prefix in vocabulary.PREFIXES[:2] for word in words[:6])
            yield from (prefix + word for prefix in vocabulary.PREFIXES[2:] for word in words[:2])
        return
    if parent not in explorer.lists:
        return  # no id is known that could fill the placeholder
    placeholder = parent_column(stream)
    spot = f"{{{placeholder}}}"
    yield from _linked(explorer, parent, stream, spot)
    of = explorer.draft.contract.streams[parent]
    # Without the parent's own parent: below challenges/{challenge_id}/ideas, comments are at ideas/{idea_id}/comments.
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
    """The paths of links in the parent's records, such as the one at ``links.comments``, with ``place`` for the id.

    Only the id may differ between the links of two records, so that no other value of a record is part of a path.
    """
    words = {word.removesuffix("s") for word in vocabulary.LIST_WORDS[stream]}
    target = explorer.lists[parent]
    links: dict[str, list[str | None]] = {}
    for _, record in target.first.records:
        own = str(record.get(target.key)) if isinstance(record, dict) and target.key else None
        for path, value in leaves(record):
            is_link = isinstance(value, str) and value.startswith(("http", "/"))
            if is_link and any(word in path.lower() for word in words):
                links.setdefault(path, []).append(_link_template(explorer.session, str(value), own, place))
    for shown in links.values():
        if len(shown) > 1 and len(set(shown)) == 1 and shown[0] is not None:
            yield shown[0]


def _link_template(session: Session, url: str, own_id: str | None, place: str) -> str | None:
    """The path of a record's link, with ``place`` instead of its id; None if it has no id or more than one."""
    below = session.below_base(url)
    if below is None:
        return None
    segments = below.strip("/").split("/")
    ids = [n for n, segment in enumerate(segments) if unquote(segment) == own_id or names_a_record(segment)]
    if len(ids) != 1:
        return None
    segments[ids[0]] = place
    return "/".join(segments)


def scopes(explorer: Explorer, stream: str, template: str) -> list[str]:
    """The ids of parents to try, those with the most children first; one empty id for a path without a placeholder."""
    if "{" not in template:
        return [""]
    contract = explorer.draft.contract
    return scopes_of(contract, stream, explorer.seen)[:_MOST_PARENTS] if contract.streams[stream].each else []


def filled(template: str, scope: str) -> str:
    """A template with the parent's id in its placeholder."""
    return re.sub(r"\{[^{}]*\}", quote(scope, safe=""), template)
