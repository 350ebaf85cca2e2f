"""Keep a SQL warehouse true to a Medallia Ideas community."""

from __future__ import annotations


def __getattr__(name: str) -> object:
    """Import ``IdeasCommunity`` at its first use: Dagster takes a second, and commands do not need it."""
    if name == "IdeasCommunity":
        from ideas_pipeline.defs.component import IdeasCommunity

        return IdeasCommunity
    raise AttributeError(name)


def __dir__() -> list[str]:
    """The names, by which ``dg`` finds the component."""
    return [*globals(), "IdeasCommunity"]
