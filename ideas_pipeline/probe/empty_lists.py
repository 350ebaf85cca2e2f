"""Recognise an API that answers 404 for a list without records."""

from __future__ import annotations

from collections.abc import Collection

from ideas_pipeline.errors import IdeasApiError, NotFound
from ideas_pipeline.probe.step import Step
from ideas_pipeline.probe.target import Target

# How many more lists to request until one of them has no records.
_MOST_LISTS = 3


def check_empty_lists(step: Step, target: Target, missing: Collection[str], uncounted: Collection[str]) -> None:
    """Suggest to read 404 as an empty list, if it is the answer for parents that the API has just listed.

    Lists that their parents count need no such line: a count of 0 says the same.

    Args:
        step: gets what is found.
        target: a list that has records, so the path is right.
        missing: the scopes that were answered 404 or 410.
        uncounted: the scopes whose parents do not say how many records they have.
    """
    place = target.place("not_found_is_empty")
    if target.spec.not_found_is_empty:
        if missing:
            step.confirm(place)
        return
    others = [scope for scope in uncounted if scope != target.scope and scope not in missing]
    if any(scope in uncounted for scope in missing) or _finds_missing(step, target, others):
        step.differ(
            "the API answers 404 for some lists, and their parents, which it has just listed, do not say how many "
            "records these have: they are probably empty",
            place=place,
            to=True,
        )


def _finds_missing(step: Step, target: Target, scopes: list[str]) -> bool:
    """Whether the first list without records is answered 404."""
    for scope in scopes[-_MOST_LISTS:]:
        other = Target(target.api, target.stream, scope)
        try:
            if not other.records(other.request(step, other.first)):
                return False
        except NotFound:
            return True
        except IdeasApiError:
            return False  # it says nothing about empty lists
    return False
