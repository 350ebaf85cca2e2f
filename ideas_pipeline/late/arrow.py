"""Arrow, imported at its first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ideas_pipeline.late import Late

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pa_csv
else:
    pa, pc, pa_csv = Late("pyarrow"), Late("pyarrow.compute"), Late("pyarrow.csv")

__all__ = ["pa", "pa_csv", "pc"]
