"""The contract file is written completely or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ideas_pipeline.errors import ContractError
from ideas_pipeline.fit.write import save


def test_the_mode_of_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "contract.yaml"
    file.write_text("a: 1\n")
    file.chmod(0o640)
    save(file, "a: 2\n")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("a: 2\n", 0o640)
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="cannot be written: No such file or directory"):
        save(tmp_path / "nowhere" / "contract.yaml", "a: 1\n")
