from __future__ import annotations

from typing import Any

import pytest

from ideas_pipeline.ideas_api.envelopes import counts_beside


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("labels", {"labels_count": 2}),
        ("labels", {"label_count": 2}),
        ("labels", {"labelCount": 2}),
        ("labels", {"labelsTotal": 2}),
        ("labels", {"total_labels": 2}),
        ("labels", {"totalLabels": 2}),
        ("labels", {"num_labels": 2}),
        ("replies", {"reply_count": 2}),
        ("about.labels", {"about": {"labels_count": 2}}),
    ],
)
def test_a_count_beside_a_list_that_has_fewer_items_says_that_the_list_is_cut(path: str, record: Any) -> None:
    exceeds = counts_beside((path,))
    assert exceeds(record, 1)
    assert not exceeds(record, 2)


@pytest.mark.parametrize(
    "record",
    [{"comment_count": 9}, {"labels_count": None}, {"labels_count": True}, {"about": {"labels_count": 9}}, ["labels"]],
)
def test_other_numbers_say_nothing_of_a_list(record: Any) -> None:
    assert not counts_beside(("labels",))(record, 0)
