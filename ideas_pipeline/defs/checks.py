"""What is checked after each sync. A check says what happened, what it means for the numbers, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.count_checks import count_check_specs, count_results
from ideas_pipeline.defs.drift_checks import drift_check_specs, drift_results
from ideas_pipeline.defs.failures import SHOWN, WARN, checks_failed, failed, failing_in_words, listed, passed
from ideas_pipeline.defs.metadata import scopes_are_people
from ideas_pipeline.defs.resources import WarehouseResource
from ideas_pipeline.defs.specs import asset_key, step_name
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.quality import broken_references, held_absences, last_run, referenced

_ABOUT_COMPLETENESS = (
    "Every list was read and proven complete. Where all checks say *Execution failed*, none of them ran: the sync "
    "before them failed, and its run says why."
)


def community_checks(settings: Settings, contract: Contract) -> list[dg.AssetChecksDefinition]:
    """The checks of every stream: those of its own sync in one step, that of its references in another.

    References are checked once every table that they lead to has been read, too.
    """
    return [
        checks
        for stream in contract.order()
        for checks in (_sync_checks(settings, contract, stream), _reference_check(settings, contract, stream))
    ]


def _sync_checks(settings: Settings, contract: Contract, stream: str) -> dg.AssetChecksDefinition:
    key = asset_key(settings, stream)
    tables = [stream, *contract.streams[stream].embedded]
    personal = scopes_are_people(contract, stream)

    @dg.multi_asset_check(
        name=step_name(settings, stream, "sync_checks"),
        specs=[
            dg.AssetCheckSpec("completeness", asset=key, description=_ABOUT_COMPLETENESS),
            dg.AssetCheckSpec("mass_absence", asset=key, description="No missing rows are held for a decision."),
            *drift_check_specs(key),
            *count_check_specs(key, contract, stream),
        ],
    )
    def sync_checks(warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
        with failing_in_words(), warehouse.warehouse.reading() as tx:
            results = [
                _completeness(tx, stream, personal=personal),
                _mass_absence(tx, tables),
                *drift_results(tx, contract, stream),
                *count_results(tx, settings, contract, stream),
            ]
        yield from results
        # Dagster calls a run a success whatever its checks say: rows that are lost must turn it red.
        errors = [r for r in results if not r.passed and r.severity == dg.AssetCheckSeverity.ERROR]
        if errors:
            raise checks_failed(errors)

    return sync_checks


def _reference_check(settings: Settings, contract: Contract, stream: str) -> dg.AssetChecksDefinition:
    filled = contract.tables()
    tables = [stream, *contract.streams[stream].embedded]
    others = sorted({filled[name] for name in referenced(tables) if name in filled} - {stream})

    @dg.asset_check(
        asset=asset_key(settings, stream),
        name="referential_integrity",
        description="Rows that are part of another, or name another, find it.",
        additional_deps=[asset_key(settings, name) for name in others],
    )
    def referential_integrity(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        with failing_in_words(), warehouse.warehouse.reading() as tx:
            broken = broken_references(tx, tables)
        if not broken:
            return dg.AssetCheckResult(passed=True, description="Every reference leads to a row.")
        found = {f"{b.table}.{b.column} → {b.target}": b.rows for b in broken}
        return dg.AssetCheckResult(
            passed=False,
            severity=WARN,
            description=(
                f"{sum(found.values()):,} references lead nowhere: {listed(found)}. A query that joins these tables "
                "leaves such rows out, so its totals are lower than those of one table. Sync the tables they lead to; "
                "if it stays, the API's account may not see those rows: check its rights."
            ),
            metadata=dict(found),
        )

    return referential_integrity


def _completeness(tx: Transaction, stream: str, *, personal: bool) -> dg.AssetCheckResult:
    run = last_run(tx, stream)
    if run is not None and run.verdict == "complete":
        return passed("completeness", f"Lists read and proven complete: {run.scopes:,}.", lists=run.scopes)
    if run is None:
        return failed(
            "completeness", f"{stream} was never read: the table says nothing yet. Run `ideas-pipeline sync`."
        )
    if run.verdict == "running":
        said = f"The last reading of {stream} did not end: it still runs, or was killed."
    else:
        proven = f"{run.scopes_complete:,} of {run.scopes:,} lists were proven complete"
        said = f"The last reading of {stream} is {run.verdict}: {proven}. {run.reason or ''}".rstrip(". ") + "."
    shown = [] if personal else [scope for scope in run.incomplete if scope][:SHOWN]
    which = f" Lists: {', '.join(shown)}{' …' if len(run.incomplete) > len(shown) else ''}." if shown else ""
    if run.verdict == "incomplete" and run.scopes_complete == run.scopes:
        do = "Where rows are held, the check `mass_absence` says what to do. Otherwise sync again"
    else:
        do = "Sync again (`ideas-pipeline sync`)"
    return failed(
        "completeness",
        f"{said}{which} What was read is loaded. New rows can be missing, and rows that are gone can still count as "
        f"there. {do}; if it stays, run `ideas-pipeline check` and look at _sync_scopes.",
        lists=run.scopes,
        proven=run.scopes_complete,
    )


def _mass_absence(tx: Transaction, tables: list[str]) -> dg.AssetCheckResult:
    held = held_absences(tx, tables)
    if not held:
        return passed("mass_absence", "No missing rows are held.", held=0)
    names = list(dict.fromkeys(table for table, _ in held))
    reasons = list(dict.fromkeys(because for _, because in held))
    more = f"; {len(reasons) - SHOWN:,} more in `ideas-pipeline absences list`" if len(reasons) > SHOWN else ""
    confirm = " and ".join(f"`ideas-pipeline absences confirm --stream {name}`" for name in names)
    return failed(
        "mass_absence",
        f"{sum(held.values()):,} rows of {', '.join(names)} are missing from the source and kept as they were: "
        f"{'; '.join(reasons[:SHOWN])}{more}. Until this is settled they count as there. If the API's account lost "
        "rights, restore them and sync again: the rows are seen again. If the rows are really gone: "
        f"{confirm}.",
        held=sum(held.values()),
    )
