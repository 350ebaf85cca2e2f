"""Install this project and what it needs, in the pinned versions, into the environment of the Python that runs this.

``.venv/bin/python deploy/install.py '.[dev]'`` is ``pip install -c constraints.txt -e '.[dev]'``, done by uv in a fifth
of the time. uv comes from the same index as all the rest. If uv is unavailable or fails, pip is used: so no dependency
of the project may name uv.

uv does not read pip's configuration (https://docs.astral.sh/uv/pip/compatibility/), so this passes it on: indexes,
folders of packages, further constraints, certificates, time limits. With an option that uv has no equivalent for, such
as a proxy, pip does the work.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

CONSTRAINTS = "constraints.txt"
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
# They change nothing in what is installed here.
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


class NoEquivalent(ValueError):
    """pip has an option for which uv has no variable."""


def main(project: str) -> int:
    """Install ``project``, such as ``.[dev]``, as an editable package. Return the exit code."""
    pinned = ["--constraint", CONSTRAINTS]
    # The build back end is pinned too, so it is installed first.
    editable = [*pinned, "--no-build-isolation", "--editable", project]
    try:
        options = pip_options()
        variables = uv_variables(options)
    except NoEquivalent as option:
        reason = str(option)
    except (subprocess.CalledProcessError, SyntaxError, ValueError):
        reason = "pip's configuration cannot be read"
    else:
        # No wheel of uv for this machine: compiling it would need Rust, and take longer than pip does.
        tools = _pip_install([*pinned, "--only-binary", "uv", "setuptools", "uv"], quietly=True)
        reason = "uv cannot be installed" if tools else _uv_install(editable, options, variables)
    if not reason:
        return 0
    print(f"{reason}: pip installs, which takes a minute longer.", flush=True)
    return _pip_install([*pinned, "setuptools"]) or _pip_install(editable)


def pip_options() -> dict[str, str]:
    """The options that pip's configuration and variables set for `pip install`.

    Raises:
        CalledProcessError: pip cannot read its configuration.
        SyntaxError, ValueError: pip shows it in another form than expected.
    """
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=True)
    found: dict[str, dict[str, str]] = {}
    for line in listed.stdout.strip().splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        found.setdefault(section, {})[option] = ast.literal_eval(value)
    # The later ones win (https://pip.pypa.io/en/stable/topics/configuration/).
    return {name: value for section in ("global", "install", ":env:") for name, value in found.get(section, {}).items()}


def uv_variables(options: Mapping[str, str]) -> dict[str, str]:
    """The variables that make uv do as pip does with ``options``. Raises NoEquivalent."""
    # pip takes the best version of all indexes.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for option, value in options.items():
        if option in _VARIABLES:
            name, separator = _VARIABLES[option]
            variables[name] = separator.join(value.split()) if separator else value
        elif option not in _IRRELEVANT:
            raise NoEquivalent(f"uv has no equivalent of pip's option {option}")
    return variables


def _pip_install(arguments: Sequence[str], *, quietly: bool = False) -> int:
    return subprocess.run([*PIP, "install", "--quiet", *arguments], capture_output=quietly).returncode


def _uv_install(arguments: Sequence[str], options: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """Install with uv. Return why that was not possible, or an empty text."""
    for constraints in options.get("constraint", "").split():
        arguments = ["--constraint", constraints, *arguments]
    # Whoever sets uv's own variables means uv.
    environment = {**variables, **os.environ}
    done = subprocess.run([*UV, "pip", "install", "--python", sys.executable, *arguments], env=environment)
    return "uv has failed" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
