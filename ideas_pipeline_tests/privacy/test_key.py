from __future__ import annotations

import stat
import sys
from contextlib import ExitStack
from subprocess import PIPE

import pytest

from ideas_pipeline.errors import PrivacyError
from ideas_pipeline.privacy.key import Key, is_surrogate
from ideas_pipeline_tests.processes import started


def test_a_key_file_is_made_for_its_owner_alone_and_used_ever_after(tmp_path):
    file = tmp_path / "state" / "pii.key"
    first = Key(None, file).surrogate("c", "42")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Key(None, file).surrogate("c", "42") == first
    assert [p.name for p in file.parent.iterdir()] == ["pii.key"]


def test_a_key_file_is_not_made_before_it_is_needed(tmp_path):
    Key(None, tmp_path / "pii.key")
    assert list(tmp_path.iterdir()) == []


def test_processes_that_make_the_key_at_the_same_moment_use_the_same_one(tmp_path):
    code = (
        "import sys, pathlib; from ideas_pipeline.privacy.key import Key; "
        "print(Key(None, pathlib.Path(sys.argv[1])).fingerprint)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "pii.key")]
    with ExitStack() as processes:
        running = [processes.enter_context(started(command, stdout=PIPE)) for _ in range(4)]
        assert len({process.communicate()[0] for process in running}) == 1


def test_a_surrogate_is_its_own_and_depends_on_the_community():
    key = Key("a key for tests alone", None)
    one = key.surrogate("c", "42")
    assert is_surrogate(one)
    assert key.surrogate("c", one) == one
    assert key.surrogate("d", "42") != one
    assert not is_surrogate("erased-by-hand")


@pytest.mark.parametrize(
    ("content", "state"), [("", "empty"), (" \n", "empty"), ("c5463ac79fa0928", "too short for a key")]
)
def test_a_damaged_key_file_is_refused_with_a_sentence_and_kept(tmp_path, content, state):
    file = tmp_path / "pii.key"
    file.write_text(content)
    with pytest.raises(PrivacyError, match=f"is {state}: it is damaged. Restore it from a backup") as refused:
        Key(None, file).word("x")
    assert "c5463" not in str(refused.value)
    assert file.read_text() == content


def test_a_link_to_a_key_is_refused_and_nothing_is_created_behind_it(tmp_path):
    (tmp_path / "pii.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PrivacyError, match="it is a link"):
        Key(None, tmp_path / "pii.key").word("x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_is_never_shown(tmp_path):
    assert "canary" not in repr(Key("canary-canary-canary", tmp_path))
