"""The real command in a real process, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ideas_pipeline.cli.main import main
from ideas_pipeline.simulator.simulator import Simulator
from ideas_pipeline_tests.processes import ROOT, forked

COMMAND = (sys.executable, "-c", "from ideas_pipeline.cli.main import main; main(prog_name='ideas-pipeline')")
QUICK = "limits: {requests_per_second: null}\n"
_SECONDS = 240


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without our own settings, with the package to be found, and with ``variables``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IDEAS_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | variables


def ideas_pipeline(
    *arguments: str, folder: Path, be: Callable[..., None] | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Runs ``ideas-pipeline ARGUMENTS`` in ``folder`` with these variables and no other of ours.

    The process is forked from one that has imported the program. Tests of how a process starts run ``COMMAND`` instead.
    ``be``: what it is instead of ``command``, with its arguments.
    """
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        files = (Path(os.devnull), out, err)
        with forked(be or command, arguments, folder, files, environment=environment(**variables)) as process:
            process.join(_SECONDS)
        assert process.exitcode is not None, f"{arguments} has not ended after {_SECONDS} seconds"
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def command(arguments: tuple[str, ...], folder: Path, files: tuple[Path, Path, Path]) -> None:
    """Be the process of ``ideas-pipeline ARGUMENTS`` in ``folder``, whose input, output and errors are ``files``."""
    os.chdir(folder)
    for number, file in enumerate(files):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False, buffering=1)
    main(arguments, prog_name="ideas-pipeline")


@contextmanager
def simulate(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """``ideas-pipeline simulate OPTIONS`` in a process; yields what it writes to its ready file in ``folder``."""
    ready, nowhere = folder / "ready.json", Path(os.devnull)
    arguments = ("simulate", "--ready-file", str(ready), *options)
    with forked(command, arguments, folder, (nowhere, nowhere, nowhere), environment=environment()) as process:
        while not ready.exists():
            assert process.is_alive(), "the simulator ended early"
            time.sleep(0.01)
        yield json.loads(ready.read_text())


def settings_of(simulator: Simulator) -> dict[str, str]:
    """The variables that lead to ``simulator``."""
    return {
        "IDEAS_API_BASE_URL": simulator.base_url,
        "IDEAS_CLIENT_ID": simulator.client_id,
        "IDEAS_CLIENT_SECRET": simulator.client_secret,
    }


def lead_to(simulator: Simulator, folder: Path, contract: str = QUICK, **variables: str) -> None:
    """Writes to ``folder`` a .env that leads to ``simulator``, and the ``contract`` that it names, contract.yaml."""
    (folder / "contract.yaml").write_text(contract)
    named = settings_of(simulator) | {"IDEAS_CONTRACT": "contract.yaml"} | variables
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in named.items()))
