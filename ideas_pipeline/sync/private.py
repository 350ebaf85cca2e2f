"""Pages as they may be stored: what stands between any source of pages and everything that is done with them."""

from __future__ import annotations

from ideas_pipeline.ideas_api.contract import Contract
from ideas_pipeline.ideas_api.errors import NotFound
from ideas_pipeline.ideas_api.pagination import Bounds, Page, Position
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.sync.run import PageSource


class PrivatePages:
    """A ``PageSource`` that shows of ``source`` what ``privacy`` lets through: below it, nobody who was erased, and
    nothing that is not to be stored, exists."""

    def __init__(self, source: PageSource, privacy: Privacy) -> None:
        self._source = source
        self._privacy = privacy

    @property
    def contract(self) -> Contract:
        return self._source.contract

    @property
    def base_url(self) -> str:
        return self._source.base_url

    @property
    def retries(self) -> int:
        return self._source.retries

    def account_role(self) -> str | None:
        return self._source.account_role()

    def page(self, stream: str, scope: str, position: Position, bounds: Bounds) -> Page:
        """One page. Raises IdeasApiError; NotFound, without a request, for a list of an erased person."""
        if not self._privacy.reads(stream, scope):
            error = NotFound("the person was erased", stream=stream, scope=scope)
            error.requests = 0
            raise error
        return self._privacy.prepared(stream, self._source.page(stream, scope, position, bounds))
