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
    """Propose a person's answer as the value of the question's place: the YAML that it is, or else its text.

    Returns:
        Whether the contract is valid with it.
    """
    text = text.strip()
    if not text or text.startswith("#"):
        return False
    try:
        parsed: Json = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError):
        parsed = text
    # Without quotes, {client_id} is a map in YAML.
    for value in (parsed, text):
        if draft.propose(Inferred(question.place, value, ANSWERED), is_answer=True):
            draft.questions = [q for q in draft.questions if q is not question]
            return True
    return False


def as_line(question: Question) -> str:
    """The line of the contract that answers a question: with the proposal, or with … for the value."""
    shown = question.proposal if question.proposal is not None else "…"
    return to_yaml(override([Inferred(question.place, shown, "")]), flow=True).strip()


def shown(proposal: Json) -> str:
    """A proposal as a person would type it."""
    return proposal if isinstance(proposal, str) else json.dumps(proposal)
