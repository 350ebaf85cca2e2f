"""The real command in a real process, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ideas_pipeline.simulator.simulator import Simulator

COMMAND = (sys.executable, "-c", "from ideas_pipeline.cli.main import main; main(prog_name='ideas-pipeline')")
QUICK = "limits: {requests_per_second: null}\n"
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
