from __future__ import annotations

from pathlib import Path

import pytest

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.errors import ContractError
from ideas_pipeline.sync.contract_fit import check_fit, load_fitting_contract
from ideas_pipeline.tables.community import TABLES


def test_the_default_contract_fills_every_table():
    contract = load_contract(None)
    check_fit(contract)
    assert set(contract.tables()) == set(TABLES)


def test_the_default_contract_maps_every_column_of_every_table():
    contract = load_contract(None)
    for name, stream in contract.streams.items():
        for table, fields, given in [
            (name, stream.fields, {stream.each.placeholder} if stream.each else set()),
            *((t, e.fields, {e.parent_key}) for t, e in stream.embedded.items()),
        ]:
            columns = {c.name for c in TABLES[table].columns if c.name != "community" and not c.name.startswith("_")}
            assert set(fields) | given == columns, table


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "comments: {fields: {bdoy: text}}",
            "comments.fields.bdoy is wrong: the table comments has no column bdoy; did you mean body?",
        ),
        (
            "comments: {path: 'rooms/{room_id}/comments', each: {placeholder: room_id}}",
            "each.placeholder is wrong: neither comments nor the tables that its rows belong to have a column room_id",
        ),
        ("comments: {each: {declared: comments}}", "each.declared is wrong: the table ideas has no column comments"),
        (
            "comments: {each: {of: [ideas.idd]}}",
            "each.of is wrong: the table ideas has no column idd; did you mean id?",
        ),
        (
            "ideas: {fields: {score: {paths: score, no_times: []}}}",
            "ideas.fields.score.no_times acts on times only, and ideas.score holds none",
        ),
        (
            "ideas: {embedded: {idea_labels: {fields: {name: {paths: name, epoch: seconds}}}}}",
            "idea_labels.fields.name.epoch acts on times only, and idea_labels.name holds none",
        ),
        (
            "users: {fields: {display_name: {paths: name, entities: true}}}",
            "users.fields.display_name.entities is wrong: users.display_name is not a text, or names a row or a person",
        ),
        (
            "users: {fields: {joined_at: {paths: joined, no_times: [never]}}}",
            "'never' is neither a day such as 0001-01-01 nor a time such as 1970-01-01 00:00:00",
        ),
        ("votes: {key: [idea_id, usr_id]}", "votes.key is wrong: usr_id has no value; did you mean user_id?"),
        (
            "ideas: {each: null, path: ideas, fields: {challenge_id: null}}",
            "ideas.fields lacks challenge_id: map it, because it says to which row of challenges",
        ),
        (
            "ideas: {embedded: {idea_tags: {fields: {tag: null}}}}",
            "idea_tags.fields lacks tag: map it, because it is part of the key",
        ),
        (
            "ideas: {embedded: {idea_tags: {parent_key: id}}}",
            "idea_tags.parent_key is wrong: the column that names the record is idea_id",
        ),
        (
            "ideas: {embedded: {labels: {paths: x, parent_key: y, fields: {a: b}}}}",
            "embedded.labels fills no table: no table of this name",
        ),
        (
            "ideas: {embedded: {comments: {paths: x, parent_key: y, fields: {a: b}}}}",
            "embedded.comments fills no table: no table of this",
        ),
        (
            "comments: {each: {changed_when: [comments_count]}}",
            "each.changed_when is wrong: ideas has no value for comments_count; did you mean comment_count?",
        ),
        (
            "ideas: {fields: {updated_at: null}}",
            "votes.each.changed_when is wrong: ideas has no value for updated_at; did you mean created_at?",
        ),
        ("votes: {cursor: voted_at}", "votes.cursor is wrong: votes has no value for voted_at"),
        (
            "votes: {cursor: updated_at, fields: {updated_at: null}}",
            "votes.cursor is wrong: votes has no value for updated_at; did you mean created_at?",
        ),
        (
            "ideas: {since: {parameter: from, column: changed_at}}",
            "ideas.since.column is wrong: ideas has no value for changed_at; did you mean created_at?",
        ),
        (
            "ideas: {until: {parameter: to, column: rank}}",
            "ideas.until.column is wrong: ideas has no value for rank",
        ),
        ("challenges: {key: [type, id]}", "challenges.key cannot contain id: challenges is one list"),
        ("comments: {key: [author_id, id]}", "comments.key cannot make unique ids: with id, it contains idea_id and"),
        ("votes: {key: [idea_id, user_id, id]}", "votes.key cannot make unique ids: with id, it contains idea_id and"),
        ("ideas: {key: [challenge_id, id]}", "ideas.each.moves cannot be true: a record that moves keeps its id"),
        (
            "ideas: {key: [challenge_id, id], each: {moves: false}}",
            "comments.path must contain {challenge_id}, too: ids of ideas are unique only together with it",
        ),
        (
            "ideas: {key: [challenge_id, id]}, comments: {each: null, path: comments, fields: {idea_id: idea}}",
            "comments.fields.idea_id cannot name a row of ideas, whose ids are composite: use each",
        ),
        (
            "ideas: {key: [challenge_id, id]}, votes: {each: {of: [comments.idea_id]}}",
            "votes.each.of is wrong: comments.idea_id holds composite ids. Name ideas.id instead",
        ),
        (
            "ideas: {key: [challenge_id, id]}, votes: {each: {of: [ideas.id, ideas.stage_id]}}",
            "votes.each.of is wrong: ideas.id holds composite ids, so it must be the only source",
        ),
        (
            "votse: {path: v, records: data, fields: {id: id}, paging: {style: none}}",
            "streams.votse fills no table: a stream has the name of its table, and there is none; did you mean votes?",
        ),
    ],
)
def test_names_that_do_not_fit_the_tables_are_refused(tmp_path, override, sentence):
    (tmp_path / "mine.yaml").write_text(f"streams: {{{override}}}")
    with pytest.raises(ContractError) as raised:
        check_fit(load_contract(tmp_path / "mine.yaml"))
    assert sentence in str(raised.value)


def test_a_flat_list_of_ideas_fits_once_the_challenge_is_mapped(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "streams: {ideas: {each: null, path: ideas, fields: {challenge_id: challenge.id}}}"
    )
    check_fit(load_contract(tmp_path / "mine.yaml"))


def lines_of_mistakes(file: Path) -> list[str]:
    with pytest.raises(ContractError) as raised:
        load_fitting_contract(file)
    lines = [line.removeprefix(f"  {file}, ") for line in str(raised.value).splitlines()[1:-1]]
    return sorted(" ".join(line.split()[:3]) for line in lines)


def test_wrong_values_are_listed_together_and_then_everything_that_does_not_fit(tmp_path):
    file = tmp_path / "mine.yaml"
    text = """\
streams:
  ideas:
    timezone: Nowhere
    fields:
      titel: headline
      tittle: null
  comments:
    each: {of: [idaes.id]}
  idea: null
  votes: [1]
limits: {concurrency: .inf}
"""
    file.write_text(text)
    assert lines_of_mistakes(file) == [
        "line 10: streams.votes",
        "line 11: limits.concurrency",
        "line 3: streams.ideas.timezone",
        "line 6: streams.ideas.fields.tittle",
        "line 9: streams.idea",
    ]
    for wrong in ("    timezone: Nowhere\n", "      tittle: null\n", "  idea: null\n", "  votes: [1]\n", ".inf"):
        text = text.replace(wrong, "8" if wrong == ".inf" else "#\n")
    file.write_text(text)
    assert lines_of_mistakes(file) == ["line 5: streams.ideas.fields.titel", "line 8: streams.comments.each.of"]


def test_a_mistake_that_models_and_tables_both_find_is_listed_once(tmp_path):
    (tmp_path / "mine.yaml").write_text("streams: {comments: {each: {of: [idaes.id]}}}")
    with pytest.raises(ContractError) as raised:
        load_fitting_contract(tmp_path / "mine.yaml")
    assert str(raised.value).count("streams.comments.each.of") == 1


def test_a_list_without_times_needs_no_cursor(tmp_path):
    (tmp_path / "mine.yaml").write_text("streams: {votes: {fields: {created_at: null}}}")
    check_fit(load_contract(tmp_path / "mine.yaml"))
