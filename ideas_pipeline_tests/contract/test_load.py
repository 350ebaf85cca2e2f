from __future__ import annotations

import os
from pathlib import Path

import pytest

from ideas_pipeline.contract.load import DEFAULT_FILE, annotated, differences, load_contract
from ideas_pipeline.errors import ContractError

# 9^9 values in 400 bytes.
ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture
def override(tmp_path: Path):
    def write(text: str) -> Path:
        file = tmp_path / "mine.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def mistakes(file: Path) -> list[str]:
    with pytest.raises(ContractError) as raised:
        load_contract(file)
    return [line.removeprefix(f"  {file}, ") for line in str(raised.value).splitlines()[1:-1]]


def test_the_default_covers_every_stream_and_every_region_of_the_vendors_page():
    contract = load_contract(None)
    assert contract.order() == ["challenges", "users", "ideas", "comments", "votes"]
    assert {"AU", "EU", "UK", "US"} <= set(contract.hosts)


def test_maps_merge_and_anything_else_replaces(override):
    contract = load_contract(override("streams: {ideas: {path: 'posts/{challenge_id}', records: list}}"))
    assert contract.streams["ideas"].path == "posts/{challenge_id}"
    assert contract.streams["ideas"].records == ("list",)
    assert contract.streams["ideas"].fields == load_contract(None).streams["ideas"].fields


def test_an_empty_override_changes_nothing(override):
    assert load_contract(override("# nothing yet\n")) == load_contract(None)


def test_null_removes_a_stream_a_field_or_a_setting(override):
    contract = load_contract(override("streams: {votes: null, ideas: {fields: {url: null}, each: {declared: null}}}"))
    assert "votes" not in contract.streams
    assert "url" not in contract.streams["ideas"].fields
    assert contract.streams["ideas"].each.declared is None
    assert contract.streams["ideas"].each.placeholder == "challenge_id"


def test_another_style_of_paging_needs_only_what_is_its_own(override):
    paging = (
        load_contract(override("streams: {ideas: {paging: {style: cursor, cursor: meta.next}}}"))
        .streams["ideas"]
        .paging
    )
    assert (paging.style, paging.cursor, paging.size, paging.size_parameter) == (
        "cursor",
        ("meta.next",),
        100,
        "per_page",
    )
    assert paging.total.body == ("total", "meta.total", "pagination.total")


def test_a_total_in_a_header_replaces_one_in_the_body(override):
    total = (
        load_contract(override("streams: {ideas: {paging: {total: {header: X-Total}}}}")).streams["ideas"].paging.total
    )
    assert (total.header, total.body) == ("X-Total", ())


def test_dates_stay_text_quoted_or_not(override):
    assert load_contract(override("none_values: [0000-00-00, 1970-01-01]")).none_values == ("0000-00-00", "1970-01-01")


def test_a_misspelled_name_is_reported_with_its_line_the_nearest_name_and_the_purpose_of_the_map(override):
    [mistake] = mistakes(override("streams:\n  ideas:\n    paging:\n      pgae_parameter: p\n"))
    assert mistake.startswith(
        "line 4: streams.ideas.paging.pgae_parameter is not known here; did you mean page_parameter?"
    )
    assert "Pages are numbered" in mistake


def test_all_mistakes_are_listed_together(override):
    found = mistakes(
        override(
            """\
hosts: {XX: "http://example.org"}
auth: {header: {format: Bearer}}
limits: {concurrency: many}
timezone: Europe/Madird
streams:
  challenges: {path: "challenges/{year}"}
  users: {records: 3}
  ideas: {fields: {title: {path: x}}, timezone: Nowhere}
  votes: {paging: {style: pages}, embedded: [1]}
"""
        )
    )
    assert sorted(mistake.split(" is ")[0].split(" should ")[0] for mistake in found) == [
        "line 1: hosts.XX",
        "line 2: auth.header.format",
        "line 3: limits.concurrency",
        "line 4: timezone",
        "line 6: streams.challenges",
        "line 7: streams.users.records",
        "line 8: streams.ideas.fields.title.path",
        "line 8: streams.ideas.fields.title.paths",
        "line 8: streams.ideas.timezone",
        "line 9: streams.votes.embedded",
        "line 9: streams.votes.paging.style",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "streams: {idea: null}",
            "streams.idea is null, which removes a value, but the default has none of this name; did",
        ),
        ("streams: {ideas: {fields: {tittle: null}}}", "streams.ideas.fields.tittle is null, which removes a value"),
        ("streams: {ideas: {pagin: null}}", "streams.ideas.pagin is null, which removes a value"),
        (
            "streams: {ideas: {parameters: {sort: null}}}",
            "streams.ideas.parameters.sort is null, which removes a value",
        ),
        (
            "streams: {ideas: {fields: {url: {paths: u, nones: null}}}}",
            "fields.url.nones is null, which removes a value",
        ),
        (
            "auth: {code: {fields: {client_id: '{clientid}'}}}",
            "client_id: nothing fills {clientid}. Known are: {client_",
        ),
        ("auth: {token: {fields: {a: '{refresh_token}'}}}", "a: nothing fills {refresh_token}. Known are: {auth_code}"),
        ("auth: {refresh: {fields: {a: '{auth_code}'}}}", "a: nothing fills {auth_code}. Known are: {refresh_token}"),
        ("auth: {code: {fields: {a: '{client_id:d}'}}}", "a: nothing fills {client_id:d}"),
        ("auth: {code: {fields: {a: '{client_id.x}'}}}", "a: nothing fills {client_id.x}"),
        ("auth: {code: {fields: {a: '{}'}}}", "a: nothing fills {}"),
        ("auth: {code: {fields: {a: '{'}}}", "a: a { or } has no counterpart"),
        ('auth: {header: {name: "X-A\\r\\nX-B"}}', "auth.header.name is wrong: a header's name has only letters"),
        ('auth: {header: {format: "{access_token}\\nX-B: 1"}}', "auth.header.format is wrong: a header's value has no"),
        ("auth: {header: {format: '{access_token} {x}'}}", "auth.header.format is wrong: nothing fills {x}"),
        (
            "streams: {users: {paging: {total: {header: 'X Y'}}}}",
            "paging.total.header is wrong: a header's name has only",
        ),
        ("limits: {deadline: .inf}", "limits.deadline should be a finite number"),
        ("limits: {read_timeout: .nan}", "limits.read_timeout should be a finite number"),
        (
            "streams: {users: {path: 'https://me:canary@host/x'}}",
            "streams.users.path is wrong: it must be a path below",
        ),
        ("streams: {users: {path: '//host/x'}}", "streams.users.path is wrong: it must be a path below"),
        (
            "streams: {users: {path: 'a/../../x'}}",
            "streams.users.path is wrong: it must not contain the segments . or ..",
        ),
        (
            "streams: {users: {path: 'a/%2E%2e/x'}}",
            "streams.users.path is wrong: it must not contain the segments . or ..",
        ),
        (
            "auth: {code: {path: 'https://host/x'}}",
            "auth.code.path is wrong: it must be a path below the API's address",
        ),
        ("account: {path: ../me}", "account.path is wrong: it must not contain the segments . or .."),
        (
            "hosts: {EU: 'https://me:canary@host/'}",
            "hosts.EU is wrong: it must start with https:// and a host, without",
        ),
        ("hosts: {EU: 'http://host/'}", "hosts.EU is wrong: it must start with https://"),
    ],
)
def test_values_that_could_only_fail_later_are_refused_with_their_line(override, text, sentence):
    [mistake] = mistakes(override(text))
    assert mistake.startswith("line 1: ")
    assert sentence in mistake
    assert "canary" not in mistake


@pytest.mark.parametrize(
    "text",
    [
        "streams: {challenges: {each: null, timezone: null}}",
        "streams: {ideas: {fields: {title: {paths: x, none: null}}}}",
        "streams: {ideas: {paging: {style: none, page_parameter: null}}}",
        "streams: {ideas: {paging: {total: {header: X-Total, body: null}}}}",
        "auth: {code: {fields: {id: '{client_id}', client_id: null}}}",
    ],
)
def test_null_for_a_known_name_is_not_a_mistake(override, text):
    load_contract(override(text))


def test_a_mistake_between_streams_names_its_line_too(override):
    assert mistakes(override("streams:\n  comments:\n    each: {of: [idaes.id]}\n")) == [
        "line 3: streams.comments.each.of is wrong: no stream fills the table of 'idaes.id'"
    ]


def test_streams_that_wait_for_each_other_are_refused(override):
    circle = "streams: {challenges: {path: 'of/{i}', each: {of: ideas.id, placeholder: i}}}"
    assert "wait for each other" in mistakes(override(circle))[0]


def test_values_of_the_file_are_not_repeated_in_the_error(override):
    file = override("limits: {concurrency: hunter2-secret}\nauth: {header: {name: [hunter2-secret]}}")
    with pytest.raises(ContractError) as raised:
        load_contract(file)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "root:$6$hunter2$x:19000:0:99999:7:::\nhunter2:!:19000::::::\n",
        "root:$6$hunter2$x:19000::\n" * 2,
        '{"hunter2": "hunter2", "more": {"hunter2": 1}}',
        "hunter2: null\n",
        "hunter2\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
        "limits: *hunter2\n",
        "limits: !hunter2 x\n",
        "limits: 'hunter2\n",
        "limits: {'hunter2:$1$': 1}\n",
        "PASSWORD=hunter2\nTOKEN=hunter2\n",
        "hunter2\0",
    ],
)
def test_of_another_file_than_a_contract_nothing_is_quoted(override, text):
    with pytest.raises(ContractError) as raised:
        load_contract(override(text))
    assert "mine.yaml" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "19000" not in str(raised.value)


def test_a_file_that_has_no_name_of_a_contract_is_not_one_and_a_misspelt_name_is_shown(override):
    with pytest.raises(ContractError, match=r"mine\.yaml is not a contract.* Known are: account, auth, "):
        load_contract(override("services: {}\nvolumes: {}\n"))
    assert mistakes(override("strems: {}\nservices: {}\n"))[0].startswith(
        "line 1: strems is not known here; did you mean"
    )


@pytest.mark.parametrize("name", ["canary/9x==", "c4nary" * 60, "canary"])
def test_a_secret_in_the_place_of_the_files_name_is_not_shown(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ContractError, match="contract file") as raised:
        load_contract(Path(name))
    assert "nary" not in str(raised.value)


def test_a_pipe_a_device_and_a_huge_file_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "huge.yaml").touch()
    os.truncate(tmp_path / "huge.yaml", 2**40)
    with pytest.raises(ContractError, match=r"huge\.yaml cannot be read as text: it has more than 0\.25 MB"):
        load_contract(tmp_path / "huge.yaml")
    for file in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(ContractError, match=f"{file} cannot be read as text: it is not a regular file"):
            load_contract(file)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n", "the top level of a contract is a map of names and values"),
        ("text", "this file is a single value"),
        ("a:\n\tb: 1\n", "line 2: this is not YAML"),
        ("a: [1\nb: 2\n", "line 2: this is not YAML"),
        ("a: !!python/name:os.system x\n", "line 1: this is not YAML"),
        ("a: *nobody\n", "line 1: this is not YAML"),
        ("limits:\n  attempts: 1\n  attempts: 2\n", "line 3: attempts is set twice in the same map (first on line 2)"),
        ("a: 1\n---\na: 2\n", "line 2: this is not YAML"),
        ("a: \x00", "is not YAML: special characters are not allowed"),
        ("a: &a {b: *a}", "an alias (*name) refers to the value that it is in"),
        ("[" * 200_000, "is nested too deeply"),
        ("a: " + "{a: " * 200 + "1" + "}" * 200, "is nested too deeply"),
        ("- " * 100_000, "is nested too deeply"),
        ("".join(" " * n + "a:\n" for n in range(600)), "is nested too deeply"),
        ("a: [" + "1," * 20_000 + "]", "is far too large for a contract"),
        (ALIAS_BOMB, "the aliases (*name) in"),
    ],
)
def test_a_file_that_is_not_a_yaml_map_is_an_error_with_its_line(override, text, sentence):
    with pytest.raises(ContractError, match=r"mine\.yaml") as raised:
        load_contract(override(text))
    assert sentence in str(raised.value)


def test_a_file_that_is_missing_or_not_text_is_an_error(tmp_path):
    with pytest.raises(ContractError, match=r"the contract file .*nowhere\.yaml does not exist"):
        load_contract(tmp_path / "nowhere.yaml")
    with pytest.raises(ContractError, match="cannot be read as text"):
        load_contract(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe\xfa")
    with pytest.raises(ContractError, match="cannot be read as text"):
        load_contract(tmp_path / "latin.yaml")


def test_anchors_can_save_repetition(override):
    text = "streams:\n  ideas: {paging: &p {style: none, total: null}}\n  votes: {paging: {<<: *p}}\n"
    contract = load_contract(override(text))
    assert contract.streams["votes"].paging == contract.streams["ideas"].paging


def test_differences_name_each_changed_value_and_whether_the_default_was_assumed(override):
    found = differences(
        override(
            "hosts: {EU: 'https://eu.example.org/', XX: 'https://x.example.org/'}\n"
            "timezone: UTC\n"
            "streams: {ideas: {path: p, each: null}, votes: null}\n"
        )
    )
    assert [(d.path, d.assumed) for d in found] == [
        ("hosts.EU", False),
        ("hosts.XX", False),
        ("streams.ideas.path", True),
        ("streams.ideas.each", True),
        ("streams.votes", True),
    ]
    assert (found[1].default, found[1].new) == (None, "https://x.example.org/")
    assert found[2].default == "challenges/{challenge_id}/ideas"
    assert found[3].new is None


def test_a_change_from_a_number_to_true_is_a_difference(override):
    assert [d.path for d in differences(override("streams: {ideas: {paging: {first: true}}}"))] == [
        "streams.ideas.paging.first"
    ]


def test_without_an_override_the_default_is_shown_with_its_comments():
    assert annotated(None) == DEFAULT_FILE.read_text(encoding="utf-8")


def test_with_an_override_each_value_is_marked_with_its_origin(override):
    file = override("limits: {concurrency: 16}\nstreams: {ideas: {fields: {title: headline}}}\n")
    shown = annotated(file)
    lines = {line.strip() for line in shown.splitlines()}
    assert {"concurrency: 16  # yours", "attempts: 6  # assumed", "title: headline  # yours"} <= lines
    assert "EU: https://api.crowdicity-ie1.medallia.com/v2/  # stated" in lines
    assert file.with_name("shown.yaml").write_text(shown)
    assert load_contract(file.with_name("shown.yaml")) == load_contract(file)


def test_every_value_of_the_default_is_either_stated_on_the_vendors_page_or_marked_as_assumed():
    stated = ("version", "hosts", "auth")
    text = DEFAULT_FILE.read_text(encoding="utf-8").splitlines()
    section = ""
    for number, line in enumerate(text, 1):
        if line and not line.startswith((" ", "#")):
            section = line.split(":")[0]
        holds_a_value = ":" in line and not line.rstrip().endswith(":") and not line.lstrip().startswith("#")
        if holds_a_value and section not in stated:
            assert "# assumed" in line, f"line {number}: {line}"
