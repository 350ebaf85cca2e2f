"""Look at page 0 of lists whose pages the contract numbers from 1.

If the API numbers them from 0, the first page of every list is missing. A total shows that; without one nothing does,
because the pages that are read agree with each other.
"""

from __future__ import annotations

from ideas_pipeline.contract.paging import PagePaging
from ideas_pipeline.errors import IdeasApiError
from ideas_pipeline.sync.completeness import SweptScope
from ideas_pipeline.sync.loading import Tally
from ideas_pipeline.sync.run import Full, Run
from ideas_pipeline.warehouse.batch import Counts
from ideas_pipeline.warehouse.scopes import forget_complete, was_complete


class PageZero:
    """Page 0 of one list of a stream: requested in full runs, and until a list of the stream was complete once.

    Args:
        run: the run.
        stream: the stream.
        tally: what it reads.
    """

    def __init__(self, run: Run, stream: str, tally: Tally) -> None:
        self._run, self._stream, self._tally = run, stream, tally
        self._best: SweptScope | None = None
        spec = run.source.contract.streams[stream]
        is_from_1 = isinstance(spec.paging, PagePaging) and spec.paging.first == 1 and spec.reads == "list"
        self._is_needed = is_from_1 and run.mode.moves_state
        if self._is_needed and not isinstance(run.mode, Full):
            with run.warehouse.reading() as tx:
                self._is_needed = not was_complete(tx, stream)

    def consider(self, swept: SweptScope) -> None:
        """Note a list that has ended. The one that shows most is looked at."""
        if not self._is_needed or swept.verdict != "complete" or (swept.total_last is not None and not swept.reason):
            return
        if self._tally.plan.scopes[swept.scope].bounds.open and _worth(swept) > _worth(self._best):
            self._best = swept

    def look(self) -> None:
        """Request page 0. If most of its records are not in the list, nothing of the stream counts as complete.

        An API without a page 0 refuses it, or sends the first page, the last one or an empty one instead.
        """
        if self._best is None:
            return
        try:
            page = self._run.source.look(self._stream, self._best.scope, 0)
        except IdeasApiError as error:
            self._tally.counts += Counts(requests=error.requests)
            return
        self._tally.counts += Counts(requests=page.requests)
        ids = {str(record.columns.get("id")) for record in page.records}
        # Sweeps with different page sizes reach a little into page 0; and a record can be added while a list is read.
        if len(ids - self._best.ids) * 2 < max(len(ids), 1):
            return
        with self._run.warehouse.writing() as tx:
            forget_complete(tx, self._stream, self._tally.complete)
        self._tally.complete.clear()
        self._tally.doubt(
            "page 0 has records that no other page has, so the API numbers pages from 0. Add to the contract: "
            f"streams: {{{self._stream}: {{paging: {{first: 0}}}}}}"
        )


def _worth(swept: SweptScope | None) -> tuple[bool, int]:
    """How much a list shows: one with records, or else one whose parent declares some."""
    return (bool(swept.ids), swept.declared or 0) if swept else (False, -1)
