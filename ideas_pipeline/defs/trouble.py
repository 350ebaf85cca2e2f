"""What a run could not prove or read, as tables to look at, with the queries and commands that show all of it."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import sqlalchemy as sa

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.markdown import as_query, as_table
from ideas_pipeline.tables.columns import pii
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.integrity import incomplete_lists, reject_reasons

_SHOWN = 10
_LIST = ("list", "why", "declared by its parent", "total by the API", "read")


def trouble(
    engine: sa.Engine, community: str, contract: Contract, stream: str, run_id: str
) -> dict[str, dg.MetadataValue]:
    """The run's lists that were not proven complete, and the records that wait; nothing where there are none.

    Raises WarehouseError.
    """
    told: dict[str, dg.MetadataValue] = {}
    lists = incomplete_lists(engine, community, stream, run_id)
    if lists:
        named = [] if scopes_are_people(contract, stream) else lists[:_SHOWN]
        rows = [(one.scope, one.reason, one.declared, one.total, one.seen) for one in named]
        which = f"stream = '{stream}' AND run_id = '{run_id}' AND verdict = 'incomplete'"
        query = _query("scope, reason, declared, total_last, seen", "_sync_scopes", community, which)
        told["incomplete lists"] = _shown(f"{len(lists):,} lists", _LIST, rows, query)
    tables = [stream, *contract.streams[stream].embedded]
    reasons = reject_reasons(engine, community, tables)
    if reasons:
        names = ", ".join(f"'{table}'" for table in tables)
        query = _query("table_name, record_key, reason", "_rejected_records", community, f"table_name IN ({names})")
        told["rejected records"] = _shown(
            f"{sum(reasons.values()):,} records (`ideas-pipeline rejects list` names them, too)",
            ("what is wrong", "records"),
            list(reasons.items())[:_SHOWN],
            query,
        )
    return told


def scopes_are_people(contract: Contract, stream: str) -> bool:
    """Whether each list of the stream is named by a person's id, which is no business of Dagster's log."""
    each = contract.streams[stream].each
    sources = [source.split(".") for source in each.of] if each else []
    return any(pii(TABLES[table].c[column]) == "person_id" for table, column in sources)


def _query(columns: str, table: str, community: str, which: str) -> str:
    """For a person to run. It is made of our own names and ids: nothing that the API sent is in it."""
    where = f"community = '{community}' AND {which}"
    return f"SELECT {columns} FROM {table}\nWHERE {where};"  # noqa: S608  # a text to be shown: we never run it


def _shown(what: str, head: Sequence[str], rows: Sequence[Sequence[object]], query: str) -> dg.MetadataValue:
    some = [as_table(head, rows)] if rows else []
    return dg.MetadataValue.md("\n\n".join([f"{what}. All of them:", as_query(query), *some]))
