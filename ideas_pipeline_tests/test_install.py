"""Setting up the environment, with doubles of pip and uv that write down how they were called."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ideas_pipeline_tests.processes import ROOT, run

_DOUBLE = """
import json, os, pathlib, sys
folder, name = pathlib.Path(__file__).parent, pathlib.Path(__file__).stem
words = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    variables = {name: value for name, value in os.environ.items() if name.startswith(("SSL_", "UV_"))}
    files = [pathlib.Path(file).read_text() for word, file in zip(words, words[1:]) if word == "--requirement"]
    calls.write(json.dumps([name, words, variables, files]) + "\\n")
if any(set(fails) <= {name, *words} for fails in json.loads((folder / "fails").read_text())):
    sys.exit("ERROR: as the test wants it")
if "config" in words:
    print((folder / "configuration").read_text())
"""
PINNED = ["--constraint", "constraints.txt"]
HASHED = ["--constraint", "constraints-hashed.txt"]
EDITABLE = ["--no-build-isolation", "--editable", ".[dev]"]
TOOLS = ["install", "--quiet", "--require-hashes", "--only-binary", "uv", "--requirement"]
_HASHED = """
setuptools==80.9.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
something==1
uv==0.9.5 \\
    --hash=sha256:cc
uvicorn==0.1 \\
    --hash=sha256:dd
"""
# The calls of pip if uv does not install.
BY_PIP = [["install", "--quiet", *PINNED, "setuptools"], ["install", "--quiet", *PINNED, *EDITABLE]]


@dataclass
class Call:
    tool: str
    words: list[str]
    variables: dict[str, str]
    files: list[str]


def install(
    folder: Path, configuration: str = "", fails: list[list[str]] | None = None, **variables: str
) -> tuple[CompletedProcess[str], list[Call]]:
    """Run ``install.py`` with this configuration of pip. A call that has all words of one of ``fails`` fails."""
    for name in ("pip", "uv"):
        (folder / f"{name}.py").write_text(_DOUBLE)
    (folder / "configuration").write_text(configuration)
    (folder / "constraints-hashed.txt").write_text(_HASHED.lstrip())
    (folder / "fails").write_text(json.dumps(fails or []))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SSL_", "UV_"))}
    command = [sys.executable, ROOT / "deploy" / "install.py", ".[dev]"]
    done = run(command, cwd=folder, env=inherited | {"PYTHONPATH": str(folder)} | variables)
    calls = [Call(*json.loads(line)) for line in (folder / "calls").read_text().splitlines()]
    assert calls[0].words[-2:] == ["config", "list"]
    return done, calls[1:]


def words_of_pip(calls: list[Call]) -> list[list[str]]:
    return [call.words[1:] for call in calls if call.tool == "pip"]


def test_uv_installs_what_pip_would(tmp_path):
    done, calls = install(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [words[:-1] for words in words_of_pip(calls)] == [TOOLS]
    assert calls[0].files == [_HASHED.replace("something==1\n", "").split("uvicorn")[0].lstrip()]
    assert calls[-1].tool == "uv"
    assert calls[-1].words == ["--quiet", "pip", "install", "--python", sys.executable, *HASHED, *EDITABLE]
    assert calls[-1].variables == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


def test_uv_gets_pips_configuration_and_its_own_variables_win(tmp_path):
    configuration = r"""
global.index-url='https://overridden.example/simple'
install.index-url='https://index.example/simple'
global.extra-index-url='https://one.example/simple\nhttps://two.example/simple'
global.constraint='a.txt b.txt'
global.cert='/ca.pem'
download.no-index='true'
:env:.config-file='pip.conf'
:env:.find-links='wheels more'
:env:.default-timeout='180'
:env:.disable-pip-version-check='1'
"""
    _, calls = install(tmp_path, configuration.strip(), UV_HTTP_TIMEOUT="7")
    assert calls[-1].tool == "uv"
    assert calls[-1].words[5:] == ["--constraint", "b.txt", "--constraint", "a.txt", *HASHED, *EDITABLE]
    assert calls[-1].variables == {
        "SSL_CERT_FILE": "/ca.pem",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_FIND_LINKS": "wheels,more",
        "UV_HTTP_TIMEOUT": "7",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


@pytest.mark.parametrize(
    ("configuration", "fails", "reason"),
    [
        ("global.proxy='http://proxy.example:3128'", [], "uv has no equivalent of pip's option proxy"),
        ("something else", [], "pip's configuration cannot be read"),
        ("", [["config"]], "pip's configuration cannot be read"),
        ("", [["pip", "--require-hashes"]], "uv cannot be installed"),
        ("", [["uv", "--editable"]], "uv has failed"),
    ],
)
def test_pip_installs_if_uv_cannot(tmp_path, configuration, fails, reason):
    done, calls = install(tmp_path, configuration, fails)
    assert done.returncode == 0
    assert done.stdout == f"{reason}: pip installs, which takes a minute longer and compares no hashes.\n"
    assert words_of_pip(calls)[-2:] == BY_PIP
    assert calls[-1].tool == "pip"


def test_uv_is_pinned_but_nothing_depends_on_it_because_pip_must_be_able_to_do_without():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    assert [name for name in needed if re.match(r"uv\b", name)] == []
    assert re.search(r"^uv==[0-9.]+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_the_constraints_with_hashes_have_the_same_versions_and_a_hash_of_each_and_name_no_index():
    pinned = re.findall(r"^([\w.-]+==\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    entries = re.split(r"\n(?=\S)", (ROOT / "constraints-hashed.txt").read_text().strip())
    hashed = {entry.split()[0]: entry for entry in entries}
    assert sorted(map(normalized, hashed)) == sorted(map(normalized, pinned))
    assert [name for name, entry in hashed.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []
    assert [name for name, entry in hashed.items() if "://" in entry] == []


def normalized(requirement: str) -> str:
    """A pinned requirement with the name as the Python packaging specification normalizes it."""
    name, _, version = requirement.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower() + f"=={version}"
