"""docs/contract.md shows only what works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import differences, load_contract
from ideas_pipeline.sync.contract_fit import check_fit

GUIDE = (Path(__file__).parents[2] / "docs" / "contract.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def test_the_guide_has_an_example_for_every_paging_style_and_part():
    for word in ("none", "page", "offset", "cursor", "next_link"):
        assert any(f"style: {word}" in example for example in EXAMPLES), word
    for word in ("auth:", "hosts:", "limits:", "timezone:", "embedded:", "reads: one", "each: null", "method: POST"):
        assert any(word in example for example in EXAMPLES), word


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_in_the_guide_can_be_used_and_changes_something(example, tmp_path):
    file = tmp_path / "contract.yaml"
    file.write_text(example, encoding="utf-8")
    check_fit(load_contract(file))
    assert differences(file)
