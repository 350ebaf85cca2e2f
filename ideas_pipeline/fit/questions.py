"""Open questions: what a person answers becomes a value of the contract."""

from __future__ import annotations

import json

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ideas_pipeline.contract.types import Json
from ideas_pipeline.contract.yaml_file import to_yaml
from ideas_pipeline.fit.draft import Draft, Inferred, Question, override

ANSWERED = "your answer to ideas-pipeline fit"


def answer(draft: Draft, question: Question, text: str) -> bool:
    """Take a person's answer, in YAML, as the value of the question's place.

    Returns:
        Whether it makes a valid contract.
    """
    try:
        value: Json = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        return False
    if value is None and text.strip() not in ("null", "~"):
        return False
    if not draft.propose(Inferred(question.place, value, ANSWERED), is_answer=True):
        return False
    draft.questions = [q for q in draft.questions if q is not question]
    return True


def as_line(question: Question) -> str:
    """The contract's line that would answer a question, with a gap for the value."""
    shown = question.proposal if question.proposal is not None else "…"
    return to_yaml(override([Inferred(question.place, shown, "")]), flow=True).strip()


def shown(proposal: Json) -> str:
    """A proposal as a person would type it."""
    return proposal if isinstance(proposal, str) else json.dumps(proposal)
