"""Compare the lists of two parents: an API can ignore the parent in the path."""

from __future__ import annotations

from collections.abc import Iterable

from ideas_pipeline.contract.types import Json
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.ideas_api.field_map import MISSING, present
from ideas_pipeline.probe.step import Step
from ideas_pipeline.probe.target import Target

# Fewer records can be the same in two lists by chance.
_FEWEST = 2


def check_parents(step: Step, target: Target, records: list[Json], scopes: Iterable[str]) -> None:
    """Compare a list with that of another parent, and suggest one list of all if both hold the same records.

    Args:
        step: gets what is found.
        target: the scope that was read.
        records: the records of its first page.
        scopes: the scopes of the stream.
    """
    spec = target.spec
    other = next((scope for scope in scopes if scope != target.scope), None)
    if spec.each is None or other is None or len(records) < _FEWEST:
        return
    second = Target(target.api, target.stream, other)
    try:
        beside = [record for _, record in second.records(second.request(step, second.first))]
    except IdeasApiError:
        return  # It may be deleted by now, or be hidden from this account.
    if beside != records:
        return
    column = spec.each.placeholder
    sentence = f"the lists of two parents hold the same records: the API ignores {column} in the path"
    paths = spec.fields[column].paths if column in spec.fields else ()
    if paths and all(present(record, paths) not in (MISSING, None) for record in records):
        step.differ(f"{sentence}, but each record names its {column}", place=target.place("each"), to=None)
        step.differ("one list of all records can be read", place=target.place("path"), to=spec.path_of_all())
    else:
        step.differ(f"{sentence}, and no field that the contract reads says to which one they belong")
