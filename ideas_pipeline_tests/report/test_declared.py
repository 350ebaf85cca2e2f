"""What the source says of itself, and what it does not, beside the figures."""

from __future__ import annotations

from ideas_pipeline.report import completeness, moderation
from ideas_pipeline_tests.report.marts_with import AS_OF, figures


def plain(table):
    return [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]


def test_what_the_source_does_not_tell_of_moderation_is_not_called_none(sqlite_url):
    rows = [{"challenge_id": "1", "ideas": 30, "pending": 0, "rejected": 0}]
    section = moderation.section(
        figures(sqlite_url, moderation=rows, challenges=[{"challenge_id": "1", "title": "Question 1"}])
    )
    assert [row[0] for row in section.charts[0].table.rows] == ["Waiting for approval", "Not approved"]
    assert "The source does not tell which ideas were removed or closed, who is banned and when" in section.meaning
    assert plain(section.tables[0]) == [["Question 1", "30", "0", "–", "–", "–", "–"]]


def test_which_comments_were_removed_is_only_said_where_the_source_tells(sqlite_url):
    rows = [{"challenge_id": "1", "ideas": 30, "pending": 0, "rejected": 0, "comments": 9}]
    section = moderation.section(figures(sqlite_url, moderation=rows))
    assert "comment" not in section.charts[0].says
    assert "and which comments were removed, so that is not shown" in section.meaning


def test_where_nothing_of_moderation_is_told_nothing_is_drawn(sqlite_url):
    section = moderation.section(figures(sqlite_url, moderation=[{"challenge_id": "1", "ideas": 30}]))
    assert not section.charts


def test_what_the_source_counts_stands_beside_what_it_lists(warehouse_url):
    ideas = [
        {"id": "1", "vote_count": 900, "comment_count": 2},
        {"id": "2", "vote_count": 100},
        {"id": "3", "comment_count": 5, "_deleted_at": AS_OF},
    ]
    comments = [
        {"id": "a", "idea_id": "1"},
        {"id": "b", "idea_id": "1", "_deleted_at": AS_OF},
        {"id": "c", "idea_id": "2"},
        {"id": "d", "idea_id": "3"},
    ]
    found = figures(warehouse_url, tables={"ideas": ideas, "comments": comments})
    (table,) = completeness.section(found).tables
    assert plain(table) == [["Comments", "2", "1"], ["Votes", "1,000", "0"]]
    assert completeness.unlisted(found).replace("\N{NO-BREAK SPACE}", " ") == (
        "The source itself counts 2 comments on these ideas, and lists 1: only those are in this report. "
        "The source itself counts 1,000 votes on these ideas, and lists none: only those are in this report."
    )


def test_a_few_that_a_source_counts_and_hides_are_no_alarm(sqlite_url):
    ideas = [{"id": "1", "vote_count": 10}]
    votes = [{"id": str(n), "idea_id": "1"} for n in range(9)]
    assert completeness.unlisted(figures(sqlite_url, tables={"ideas": ideas, "votes": votes})) == ""
