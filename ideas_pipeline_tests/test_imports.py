"""Which libraries a command imports, and when. Seconds are not measured: they depend on the machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ideas_pipeline.contract.load import load_contract
from ideas_pipeline.simulator.community import generate
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.cli.command import environment, ideas_pipeline, lead_to
from ideas_pipeline_tests.processes import run

# Reports which thread imports which library first. The last line of the output is a JSON object.
_WATCHED = """
import atexit, importlib.abc, json, sys, threading

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {libraries}:
            seen.setdefault(name, threading.current_thread().name)

seen = {{}}
sys.meta_path.insert(0, Watch())
atexit.register(lambda: print(json.dumps(seen)))
{code}
"""
_COMMAND = "from ideas_pipeline.cli.main import main; main({arguments}, prog_name='ideas-pipeline')"
TYPING = {"numpy", "pandas", "pyarrow"}
SERVING = {"aiohttp", "altair", "dagster", "jinja2", "vl_convert"}


def imports(code: str, libraries: set[str], folder: Path) -> dict[str, str]:
    """Those of ``libraries`` that ``code`` imports in a process of its own, each with the thread that did so."""
    done = run([sys.executable, "-c", _WATCHED.format(libraries=libraries, code=code)], cwd=folder, env=environment())
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def command(*arguments: str) -> str:
    return _COMMAND.format(arguments=list(arguments))


def test_the_help_is_shown_without_what_only_the_work_needs(tmp_path):
    heavy = TYPING | SERVING | {"pydantic", "requests", "rich", "ruamel", "sqlalchemy"}
    assert imports(command("--help"), heavy, tmp_path) == {}


def test_status_and_a_night_type_nothing_before_there_are_records(tmp_path):
    with Simulator(load_contract(None), generate("small", seed=1)) as simulator:
        lead_to(simulator, tmp_path)
        first = ideas_pipeline("sync", folder=tmp_path)
        assert first.returncode == 0, first.stderr
        assert imports(command("status"), TYPING | SERVING, tmp_path) == {}
        night = imports(command("sync"), TYPING | SERVING, tmp_path)
    # The threads that write pages and load records import them while others wait for the API.
    assert night.keys() == TYPING
    assert {name.partition("_")[0] for name in night.values()} <= {"archive", "load"}


def test_definitions_load_without_what_only_their_runs_need(tmp_path):
    code = "from ideas_pipeline.definitions import defs; defs()"
    assert imports(code, TYPING | SERVING - {"dagster"}, tmp_path) == {}
