from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where the tokens are kept; it is not there yet."""
    return tmp_path / "state" / "tokens.json"
