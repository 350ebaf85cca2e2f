"""The definitions as Dagster's processes load them: a code server first, then each run with what that one loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
from dagster._core.definitions.reconstruct import (
    initialize_repository_def_from_pointer,
    reconstruct_repository_def_from_pointer,
)
from dagster._core.definitions.repository_definition import RepositoryDefinition

_POINTER = ModuleCodePointer("ideas_pipeline.definitions", "defs", None)


@contextmanager
def code_server() -> Iterator[RepositoryDefinition]:
    """The definitions of a code server. A run loads its own before this ends."""
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)):
        yield initialize_repository_def_from_pointer(_POINTER)


def in_run(loaded: RepositoryDefinition) -> RepositoryDefinition:
    """The definitions of a run. ``loaded``: those of its code server."""
    return reconstruct_repository_def_from_pointer(_POINTER, loaded.repository_load_data)
