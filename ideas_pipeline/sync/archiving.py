"""Keeps every page that a run receives, as it was received."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ideas_pipeline.archive.files import sweep
from ideas_pipeline.archive.writing import Writer
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.privacy.privacy import Privacy

_log = logging.getLogger(__name__)


@contextmanager
def archiving(api: IdeasApi, folder: Path, run_id: str, days: int, privacy: Privacy | None = None) -> Iterator[None]:
    """Within the block, what ``api`` receives is archived in ``folder`` (the community's) as the run ``run_id``.

    ``privacy``: whose pages are not kept, as they were erased.

    First, runs older than ``days`` days are removed; 0 keeps none, and archives nothing. A folder that cannot be
    written to is a warning: the run itself is worth more.
    """
    sweep(folder, days)
    with ExitStack() as stack:
        if days:
            try:
                keep = stack.enter_context(Writer(folder / run_id)).add
                api.keep = privacy.filtering(keep) if privacy else keep
                stack.callback(setattr, api, "keep", None)
            except OSError as error:
                _log.warning("This run is not archived: %s cannot be written to (%s).", folder, error.strerror)
        yield
