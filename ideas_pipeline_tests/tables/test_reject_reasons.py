from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_pipeline.records.typed import SourceFormat, typed
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.tables.reject_reasons import Reason, RecordReason, sentence

NEEDLE = "quirina-7391"
SCALARS: st.SearchStrategy[Any] = (
    st.sampled_from(
        [
            NEEDLE,
            f"{NEEDLE}@people.example",
            10**5000,
            10**30,
            1e308,
            float("nan"),
            True,
            f"2026-99-99 {NEEDLE}",
            "9" * 5000,
        ]
    )
    | st.integers()
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.just(NEEDLE), SCALARS, max_size=1)


@pytest.mark.parametrize("reason", [*Reason, RecordReason.OLDER, RecordReason.UNDATED])
def test_a_sentence_is_made_of_its_code(reason: Reason | RecordReason) -> None:
    assert sentence(reason.code, None) == str(reason)


def test_the_sentence_of_a_record_names_the_columns_of_its_key() -> None:
    made = sentence("no_key", {"idea_id": "missing", "label_id": "not_an_id"})
    assert made == "idea_id is missing, and is part of the key; label_id is not an id: an id is text or a whole number"


@pytest.mark.parametrize(
    "codes", [(None, None), ("of_a_later_version", None), ("no_key", None), ("no_key", {"id": "x"})]
)
def test_codes_that_are_not_known_make_no_sentence(codes: tuple[str | None, dict[str, str] | None]) -> None:
    assert sentence(*codes) is None


@given(st.lists(st.fixed_dictionaries({c.name: VALUES for c in TABLES["ideas"].columns}), min_size=1, max_size=3))
def test_every_reject_has_a_code_and_its_sentence_quotes_no_value(rows: list[dict[str, Any]]) -> None:
    result = typed(TABLES["ideas"], rows, [{}] * len(rows), ["c1"] * len(rows), SourceFormat())
    for reject in result.rejects:
        assert sentence(reject.code, reject.key_codes) == reject.reason
        assert NEEDLE not in reject.reason
        assert (reject.code == "no_key") == bool(reject.key_codes)
        assert reject.column is None or reject.code in {reason.code for reason in Reason}
