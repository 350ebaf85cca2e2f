"""dlt's environment: made on first use below ``.bench/``, from pinned versions."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("dlt_requirements.txt")


def existing(folder: Path) -> Path | None:
    """The Python of the environment in ``folder``; None if it is absent, or not made of today's versions."""
    made_of = folder / REQUIREMENTS.name
    is_current = made_of.exists() and made_of.read_text() == REQUIREMENTS.read_text()
    return folder / "bin" / "python" if is_current else None


def dlt_python(folder: Path) -> Path:
    """The Python of the environment in ``folder``, which is made if necessary.

    Raises:
        subprocess.CalledProcessError: pip cannot install dlt.
    """
    found = existing(folder)
    if found is None:
        print(f"Installing dlt into {folder} …", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
        (folder / REQUIREMENTS.name).write_text(REQUIREMENTS.read_text())
        found = folder / "bin" / "python"
    return found
