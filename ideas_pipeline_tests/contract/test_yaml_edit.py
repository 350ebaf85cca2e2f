from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.contract.yaml_edit import edited
from ideas_pipeline.contract.yaml_file import parse

OURS = """\
# Our contract.
streams:
  # Ideas are called initiatives here.
  ideas: {path: "initiatives/{challenge_id}", fields: {title: headline}}
  votes:
    paging:
      style: page   # since March
      page_parameter: p
    # Nothing else differs.

# Be gentle.
limits:
  concurrency: 2  # they asked us
"""


def test_comments_order_and_quotes_stay_and_each_new_value_has_its_comment():
    after = edited(
        OURS,
        [
            (("streams", "ideas", "fields", "title"), "subject", "in 9 of 9 records"),
            (("streams", "ideas", "each"), None, "one list for all"),
            (("streams", "votes", "records"), ["data"], "in 1 of 1 responses"),
            (("auth", "header", "format"), "Bearer {access_token}", "accepted"),
        ],
    )
    assert after == (
        "# Our contract.\n"
        "streams:\n"
        "  # Ideas are called initiatives here.\n"
        "  ideas:\n"
        '    path: "initiatives/{challenge_id}"\n'
        "    fields:\n"
        "      title: subject  # in 9 of 9 records\n"
        "    each: null  # one list for all\n"
        "  votes:\n"
        "    paging:\n"
        "      style: page   # since March\n"
        "      page_parameter: p\n"
        "    records: [data]  # in 1 of 1 responses\n"
        "    # Nothing else differs.\n"
        "\n"
        "# Be gentle.\n"
        "limits:\n"
        "  concurrency: 2  # they asked us\n"
        "auth:\n"
        "  header:\n"
        '    format: "Bearer {access_token}"  # accepted\n'
    )


def test_a_new_paging_style_removes_the_settings_of_the_old_one():
    after = edited(OURS, [(("streams", "votes", "paging", "style"), "offset", "seen")])
    assert "page_parameter" not in after
    assert "style: offset  # seen; before: since March\n" in after
    assert "# Nothing else differs." in after


def test_the_same_change_twice_changes_nothing():
    changes = [(("limits", "concurrency"), 3, "seen"), (("streams", "votes", "path"), "votes", "seen")]
    once = edited(OURS, changes)
    assert edited(once, changes) == once


def test_an_empty_file_and_a_file_of_comments_become_maps():
    assert edited("", [(("a", "b"), ["@body"], "seen")]) == 'a:\n  b: ["@body"]  # seen\n'
    assert edited("# Nothing yet.\n", [(("a",), 1, "seen")]) == "# Nothing yet.\na: 1  # seen\n"


SHARED = """\
streams:
  ideas: &i
    path: ideas
    paging: &p {style: page, page_parameter: p}
  comments:
    <<: *i
    path: comments
  votes:
    paging: *p
"""


@pytest.mark.parametrize("stream", ["ideas", "comments", "votes"])
def test_a_change_to_an_anchored_value_leaves_its_other_places_as_they_are(stream):
    before = parse(SHARED, Path("contract.yaml")).data["streams"]
    after = parse(
        edited(SHARED, [(("streams", stream, "paging", "page_parameter"), "q", "seen")]), Path("contract.yaml")
    ).data["streams"]
    assert after[stream] == before[stream] | {"paging": {"style": "page", "page_parameter": "q"}}
    assert {name: value for name, value in after.items() if name != stream} == {
        name: value for name, value in before.items() if name != stream
    }


def test_a_comment_of_a_changed_line_stays_after_the_new_one():
    ours = "streams:\n  ideas:\n    path: ideas  # Maria, 3 May\n    fields: {}\n"
    once = edited(ours, [(("streams", "ideas", "path"), "posts", "seen")])
    assert "    path: posts  # seen; before: Maria, 3 May\n" in once
    twice = edited(once, [(("streams", "ideas", "path"), "sparks", "in a HAR")])
    assert "    path: sparks  # in a HAR; before: Maria, 3 May\n" in twice
    assert edited(twice, [(("streams", "ideas", "path"), "sparks", "in a HAR")]) == twice


def test_a_comment_of_a_value_that_becomes_a_map_stays():
    ours = "streams:\n  ideas:\n    fields:\n      created_at: when  # Maria, 3 May\n"
    after = edited(ours, [(("streams", "ideas", "fields", "created_at", "epoch"), "seconds", "seen")])
    assert after.endswith("      created_at:\n        epoch: seconds  # seen; before: Maria, 3 May\n")


def test_comments_below_the_first_value_of_a_map_stay_if_it_is_removed():
    ours = "streams:\n  votes:\n    paging:\n      page_parameter: p\n      # Ask Maria.\n      style: page\n"
    after = edited(ours, [(("streams", "votes", "paging", "style"), "none", "seen")])
    assert after == "streams:\n  votes:\n    paging:\n      # Ask Maria.\n      style: none  # seen\n"
