"""pandas and NumPy, imported at their first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ideas_pipeline.late import Late

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    np, pd = Late("numpy"), Late("pandas")

__all__ = ["np", "pd"]
