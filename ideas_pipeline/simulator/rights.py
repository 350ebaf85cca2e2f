"""The rights of the API's account: rows that it may not see are left out of every response, without a hint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ideas_pipeline.simulator.truth import Tables

Role = Literal["admin", "user"]


@dataclass(frozen=True)
class Account:
    """The user account that the API client acts as.

    A plain user does not see ideas that were removed or wait for approval; no role sees hidden challenges.
    """

    role: Role = "admin"
    hidden_challenges: frozenset[str] = frozenset()


def visible(tables: Tables, account: Account) -> Tables:
    """The rows of ``tables`` (not copied) that ``account`` may see. Children of hidden rows are hidden, too."""
    if account == Account():
        return tables
    shown = dict(tables)

    def hide(table: str, column: str, parents: set[str]) -> set[str]:
        rows = shown.get(table, {})
        hidden = {key for key, row in rows.items() if str(row.get(column)) in parents}
        shown[table] = {key: row for key, row in rows.items() if key not in hidden}
        return hidden

    hide("challenges", "id", set(account.hidden_challenges))
    hide("challenge_stages", "challenge_id", set(account.hidden_challenges))
    ideas = hide("ideas", "challenge_id", set(account.hidden_challenges))
    if account.role == "user":
        ideas |= hide("ideas", "moderation_status", {"removed"}) | hide("ideas", "approval_status", {"pending"})
    for child in ("idea_labels", "idea_tags", "idea_coauthors", "idea_answers", "idea_attachments", "comments"):
        hide(child, "idea_id", ideas)
    hide("vote_ratings", "vote_id", hide("votes", "idea_id", ideas))
    return shown
