"""Install this project and what it needs, in the pinned versions, into the environment of the Python that runs this.

``.venv/bin/python deploy/install.py '.[dev]'`` is ``pip install -c constraints.txt -e '.[dev]'``, done by uv in a fifth
of the time. uv also compares every file with the hashes in ``constraints-hashed.txt``, which pip cannot do beside a
folder to install. uv comes from the same index as everything else, and pip compares its file. If uv is unavailable or
fails, pip installs; therefore no dependency of the project may name uv.

uv does not read pip's configuration (https://docs.astral.sh/uv/pip/compatibility/), so this passes it on: indexes,
folders of packages, further constraints, certificates, time limits. With an option that uv has no equivalent for, such
as a proxy, pip does the work.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

PINNED = ("--constraint", "constraints.txt")
HASHED = Path("constraints-hashed.txt")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
UV = (sys.executable, "-m", "uv", "--quiet")

# pip's options, with uv's variables (https://docs.astral.sh/uv/reference/environment/) and what separates their values.
_VARIABLES = {
    "cert": ("SSL_CERT_FILE", None),
    "client-cert": ("SSL_CLIENT_CERT", None),
    "default-timeout": ("UV_HTTP_TIMEOUT", None),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", None),
    "no-cache-dir": ("UV_NO_CACHE", None),
    "retries": ("UV_HTTP_RETRIES", None),
    "timeout": ("UV_HTTP_TIMEOUT", None),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}
# pip's options that do not change what is installed here.
_IRRELEVANT = {
    "break-system-packages",
    "cache-dir",
    "compile",
    "config-file",  # PIP_CONFIG_FILE, whose options are in the list
    "constraint",  # an argument, because a variable is ignored beside ours
    "disable-pip-version-check",
    "log",
    "no-color",
    "no-compile",
    "no-input",
    "no-python-version-warning",
    "no-warn-conflicts",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "root-user-action",
    "verbose",
}


class NoUv(Exception):
    """uv cannot do the work. The message says why, as a clause."""


def main(project: str) -> int:
    """Install ``project``, such as ``.[dev]``, as an editable package. Return the exit code."""
    # The build back end is pinned too, so it is installed first.
    editable = ["--no-build-isolation", "--editable", project]
    try:
        install_with_uv(["--constraint", str(HASHED), *editable])
    except NoUv as reason:
        print(f"{reason}: pip installs, which takes a minute longer and compares no hashes.", flush=True)
        return _pip_install([*PINNED, "setuptools"]) or _pip_install([*PINNED, *editable])
    return 0


def install_with_uv(arguments: Sequence[str]) -> None:
    """Install uv and the build back end with pip, then run ``uv pip install``. Raises NoUv."""
    options = pip_options()
    variables = uv_variables(options)
    # Without a wheel of uv for this machine, pip would have to compile it, which needs Rust and takes longer than pip.
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as tools:
        tools.write(hashed("setuptools", "uv"))
        tools.flush()
        if _pip_install(["--require-hashes", "--only-binary", "uv", "--requirement", tools.name], quietly=True):
            raise NoUv("uv cannot be installed")
    for constraints in options.get("constraint", "").split():
        arguments = ["--constraint", constraints, *arguments]
    # uv's own variables take precedence: an operator who sets them means uv.
    environment = {**variables, **os.environ}
    if subprocess.run([*UV, "pip", "install", "--python", sys.executable, *arguments], env=environment).returncode:
        raise NoUv("uv has failed")


def hashed(*names: str) -> str:
    """The lines of these packages in the constraints with hashes."""
    entries = re.split(r"\n(?=\S)", HASHED.read_text())
    return "".join(f"{entry.rstrip()}\n" for entry in entries if entry.partition("==")[0] in names)


def pip_options() -> dict[str, str]:
    """The options that pip's configuration and variables set for ``pip install``.

    Raises:
        NoUv: the configuration cannot be read.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    try:
        listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True)
        for line in listed.stdout.strip().splitlines():
            name, _, value = line.partition("=")
            section, _, option = name.rpartition(".")
            found.setdefault(section, {})[option] = ast.literal_eval(value)
    except (subprocess.CalledProcessError, SyntaxError, ValueError):
        raise NoUv("pip's configuration cannot be read") from None
    # The later ones win (https://pip.pypa.io/en/stable/topics/configuration/).
    return found["global"] | found["install"] | found[":env:"]


def uv_variables(options: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv do as pip does with ``options``. Raises NoUv if it has none for one of them."""
    # pip takes the best version of all indexes.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for option, value in options.items():
        if option in _VARIABLES:
            name, separator = _VARIABLES[option]
            variables[name] = separator.join(value.split()) if separator else value
        elif option not in _IRRELEVANT:
            raise NoUv(f"uv has no equivalent of pip's option {option}")
    return variables


def _pip_install(arguments: Sequence[str], *, quietly: bool = False) -> int:
    return subprocess.run([*PIP, "install", "--quiet", *arguments], capture_output=quietly).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
