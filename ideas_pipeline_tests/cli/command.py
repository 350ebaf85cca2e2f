"""The real command in a real process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-c", "from ideas_pipeline.cli.main import main; main(prog_name='ideas-pipeline')")
_ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without our own settings, with the package to be found, and with ``variables``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IDEAS_")}
    return inherited | {"PYTHONPATH": str(_ROOT)} | variables


def ideas_pipeline(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs ``ideas-pipeline ARGUMENTS`` in ``folder`` with these variables and no other of ours."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
