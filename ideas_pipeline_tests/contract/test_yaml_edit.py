from __future__ import annotations

from ideas_pipeline.contract.yaml_edit import edited

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
    assert "style: offset  # seen\n" in after
    assert "# Nothing else differs." in after


def test_the_same_change_twice_changes_nothing():
    changes = [(("limits", "concurrency"), 3, "seen"), (("streams", "votes", "path"), "votes", "seen")]
    once = edited(OURS, changes)
    assert edited(once, changes) == once


def test_an_empty_file_and_a_file_of_comments_become_maps():
    assert edited("", [(("a", "b"), ["@body"], "seen")]) == 'a:\n  b: ["@body"]  # seen\n'
    assert edited("# Nothing yet.\n", [(("a",), 1, "seen")]) == "# Nothing yet.\na: 1  # seen\n"
