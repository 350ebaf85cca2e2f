"""Cost of Dagster's definitions of many communities: in a code server that loads them, and in a run of one of them.

    python -m ideas_pipeline_tests.benchmarks.definitions_cost [COMMUNITIES ...]

By default for 1, 3 and 40 communities, each in a process of its own. Figures are CPU seconds beyond the import of
Dagster's code server and of the pipeline. Loading is all that a code server does until its repository is described to
the daemon. The files of the packages are compiled, as pip leaves them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HEAD = "defaults: {client_id: {env: BENCH_ID}, client_secret: {env: BENCH_SECRET}}\ncommunities:\n"


def measure(communities: int) -> dict[str, float]:
    """Load so many communities in this process, in an empty folder, then one as a run does."""
    started = time.process_time()
    import dagster as dg
    import dagster._grpc.server
    import dagster._utils.test  # what follows imports it
    from dagster._core.code_pointer import ModuleCodePointer
    from dagster._core.definitions.reconstruct import (
        initialize_repository_def_from_pointer,
        reconstruct_repository_def_from_pointer,
    )
    from dagster._core.remote_representation.external_data import RepositorySnap

    dagster = time.process_time()
    import ideas_pipeline.definitions

    lines = [f"  c{n}: {{api_base_url: 'https://c{n}.example/v2/'}}\n" for n in range(communities)]
    Path("ideas_pipeline.yaml").write_text(_HEAD + "".join(lines), encoding="utf-8")
    os.environ |= {"BENCH_ID": "id", "BENCH_SECRET": "secret"}
    pointer = ModuleCodePointer(ideas_pipeline.definitions.__name__, "defs", None)

    imported = time.process_time()
    repository = initialize_repository_def_from_pointer(pointer)
    built = time.process_time()
    repository.load_all_definitions()
    described = RepositorySnap.from_def(repository)
    loaded = time.process_time()
    name = "nightly_sync" if communities == 1 else "c0__nightly_sync"
    reconstruct_repository_def_from_pointer(pointer, repository.repository_load_data).get_job(name)
    nightly = time.process_time()
    first = next(key for key in repository.assets_defs_by_key if key.path == ["c0", "ideas"])
    run = reconstruct_repository_def_from_pointer(pointer, repository.repository_load_data)
    run.get_maybe_subset_job_def("__ASSET_JOB", asset_selection={first})
    backfill = time.process_time()
    return {
        "import of Dagster": dagster - started,
        "import of ours": imported - dagster,
        "definitions": built - imported,
        "whole load": loaded - imported,
        "a night's definitions": nightly - loaded,
        "a backfill's definitions": backfill - nightly,
        "MB described": len(dg.serialize_value(described)) / 1e6,
        "MB of memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(counts: list[str]) -> None:
    """Measure each number of communities in a process of its own, and print a table."""
    # The process that measures has to import the program itself.
    from ideas_pipeline_tests.cli.command import environment

    with tempfile.TemporaryDirectory() as compiled:
        variables = environment(PYTHONPYCACHEPREFIX=compiled)
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        _measured("1", variables)  # compiles
        for count in counts or ["1", "3", "40"]:
            figures = _measured(count, variables)
            print(f"{count} communities: {', '.join(f'{name} {figure:.2f}' for name, figure in figures.items())}")


def _measured(count: str, variables: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", __spec__.name, "measure", count]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, env=variables, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]))))
    else:
        main(sys.argv[1:])
