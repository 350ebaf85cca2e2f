"""What every stream of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.ideas_api.pagination import ALL, Bounds, Page, Position
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.modes import Mode
from ideas_pipeline.sync.results import Progress
from ideas_pipeline.warehouse.warehouse import Warehouse


class PageSource(Protocol):
    """Where pages come from: the API (``IdeasApi``), or an archive of what it once said."""

    @property
    def contract(self) -> Contract: ...

    @property
    def base_url(self) -> str: ...

    @property
    def retries(self) -> int:
        """How many requests so far were repeats of a failed one."""
        ...

    def page(self, stream: str, scope: str, position: Position, bounds: Bounds) -> Page:
        """One page of a list. Called from many threads. Raises IdeasApiError."""
        ...

    def account_role(self) -> str | None:
        """The role of the account that reads; None where that is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """``goal_since``: of a full run, since when a proven list counts as read. Times know their zone.

    ``distrust``: why an absence that nothing explains may not be believed in this run, if so.
    ``privacy``: what may be stored of people; None stores what the API sends.
    """

    api: PageSource
    warehouse: Warehouse
    community: str
    run_id: str
    mode: Mode
    goal_since: datetime
    verify_days: int
    mass_absence_percent: float
    distrust: str | None
    progress: Progress
    privacy: Privacy | None = None

    def page(self, stream: str, scope: str, position: Position, bounds: Bounds = ALL) -> Page:
        """One page of a list, as it may be stored. Called from many threads. Raises IdeasApiError."""
        page = self.api.page(stream, scope, position, bounds)
        return self.privacy.prepared(stream, page) if self.privacy else page
