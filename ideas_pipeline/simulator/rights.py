"""What the API's account may see: the API shows a user what that user sees, and says nothing of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ideas_pipeline.simulator.truth import Tables

Role = Literal["admin", "user"]


@dataclass(frozen=True)
class Account:
    """A plain user does not see ideas that were removed or wait for approval; nobody sees hidden challenges."""

    role: Role = "admin"
    hidden_challenges: frozenset[str] = frozenset()


def visible(tables: Tables, account: Account) -> Tables:
    """The rows of ``tables`` (not copied) that ``account`` may see. What hangs on a hidden row is hidden with it."""
    if account == Account():
        return tables
    shown = dict(tables)

    def hide(table: str, column: str, parents: set[str]) -> set[str]:
        rows = shown.get(table, {})
        gone = {key for key, row in rows.items() if str(row.get(column)) in parents}
        shown[table] = {key: row for key, row in rows.items() if key not in gone}
        return gone

    hide("challenges", "id", set(account.hidden_challenges))
    hide("challenge_stages", "challenge_id", set(account.hidden_challenges))
    ideas = hide("ideas", "challenge_id", set(account.hidden_challenges))
    if account.role == "user":
        ideas |= hide("ideas", "moderation_status", {"removed"}) | hide("ideas", "approval_status", {"pending"})
    for part in ("idea_labels", "idea_tags", "idea_coauthors", "idea_answers", "idea_attachments", "comments"):
        hide(part, "idea_id", ideas)
    hide("vote_ratings", "vote_id", hide("votes", "idea_id", ideas))
    return shown
