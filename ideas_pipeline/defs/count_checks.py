"""Checks that set numbers against each other: what came tonight and before, what is declared and what is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg

from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.failures import WARN, failed, passed
from ideas_pipeline.defs.metadata import as_query
from ideas_pipeline.settings import Settings
from ideas_pipeline.warehouse.counts import arrivals
from ideas_pipeline.warehouse.database import Transaction
from ideas_pipeline.warehouse.quality import Declaration, DeclaredCounts, declared_counts, differing_parents, last_run

# A week has every weekday in it, and a weekend is no alarm.
_FEWEST_NIGHTS = 7
# Unusual is a night with so many times the rows of others, or so small a part of them, and so many rows apart.
_TIMES = 3
_LEAST_ROWS = 30


def count_check_specs(key: dg.AssetKey, contract: Contract, stream: str) -> list[dg.AssetCheckSpec]:
    specs = [dg.AssetCheckSpec("volume", asset=key, description="As many new rows came as in other nights.")]
    if _says_changes(contract, stream):
        specs.append(
            dg.AssetCheckSpec(
                "hidden_changes", asset=key, description="No list had changed without its parent saying so."
            )
        )
    if _declares(contract, stream):
        specs.append(
            dg.AssetCheckSpec(
                "declared_counts", asset=key, description="There are as many rows as their parents declare."
            )
        )
    return specs


def count_results(
    tx: Transaction, settings: Settings, contract: Contract, stream: str
) -> Iterator[dg.AssetCheckResult]:
    """What came of ``count_check_specs``."""
    nights = arrivals(tx, stream, settings.timezone, datetime.now(UTC))
    yield _volume(stream, list(nights.values()))
    if _says_changes(contract, stream):
        yield _hidden_changes(tx, settings, contract, stream)
    if parent := _declares(contract, stream):
        yield _declared_counts(tx, parent, contract.streams[stream].cursor)


def _volume(stream: str, nights: Sequence[float]) -> dg.AssetCheckResult:
    """``nights``: how many new rows a day each night of the last weeks brought, the last one to be judged."""
    past = sorted(nights[:-1])
    if len(past) < _FEWEST_NIGHTS:
        what = f"Too few complete nights to compare with: {len(past)} of {_FEWEST_NIGHTS}."
        return passed("volume", what, nights=len(past))
    tonight = nights[-1]
    # A few odd nights among those before, such as an import, change nothing.
    odd = len(past) // 10
    low, high = past[odd], past[-1 - odd]
    usual = f"{tonight:,.0f} new rows a day; other nights had {low:,.0f} to {high:,.0f}"
    numbers = {"new_rows_a_day": round(tonight), "usual_least": round(low), "usual_most": round(high)}
    if tonight * _TIMES < low and low - tonight >= _LEAST_ROWS:
        said = (
            f"Far less came than usual: {usual}. Every list that was read is proven complete, so either people were "
            "quiet (a holiday, a closed challenge), or the API no longer shows all: look at the community itself and "
            "run `ideas-pipeline check`. If rows are held back by the API, numbers of these days are too low; they "
            "come with a later sync."
        )
    elif tonight > high * _TIMES and tonight - high >= _LEAST_ROWS:
        said = (
            f"Far more came than usual: {usual}. That can be a campaign, an import or spam, and the activity of these "
            f"days will show it. Look at the newest rows of {stream} (`_first_seen_at`). The sync itself is well."
        )
    else:
        return passed("volume", f"As usual: {usual}.", **numbers)
    return failed("volume", f"{said} After a few such nights this is taken for usual.", severity=WARN, **numbers)


def _hidden_changes(tx: Transaction, settings: Settings, contract: Contract, stream: str) -> dg.AssetCheckResult:
    run = last_run(tx, stream)
    if run is None or not run.hidden_changes:
        return passed("hidden_changes", "Every change that was found had been announced.", hidden=0)
    each = contract.streams[stream].each
    columns = ", ".join(each.changed_when if each else ())
    return failed(
        "hidden_changes",
        f"{run.hidden_changes:,} lists of {stream} had changed though their parents said nothing ({columns} stayed as "
        "they were). This run therefore read every list, and the table is right now. But on other nights such changes "
        f"are seen up to {settings.verify_days} nights late. If it goes on: add to streams.{stream}.each.changed_when "
        "in the contract what does change, or set it to [] so that every list is read every night; "
        "IDEAS_VERIFY_DAYS shortens the wait.",
        severity=WARN,
        hidden=run.hidden_changes,
    )


def _declared_counts(tx: Transaction, declaration: Declaration, cursor: str) -> dg.AssetCheckResult:
    found = declared_counts(tx, declaration, cursor)
    parent, stream = declaration.parent, declaration.child
    if not found.differ:
        return dg.AssetCheckResult(
            passed=True,
            check_name="declared_counts",
            description=f"{found.parents:,} {parent} declare {found.declared:,} {stream}, and so many are there.",
            metadata=asdict(found),
        )
    query = as_query(differing_parents(tx.community, declaration))
    return dg.AssetCheckResult(
        passed=False,
        check_name="declared_counts",
        severity=WARN,
        description=_differing(found, stream, parent, declaration.declared),
        metadata={**asdict(found), "which": dg.MetadataValue.md(query)},
    )


def _differing(found: DeclaredCounts, stream: str, parent: str, declared: str) -> str:
    both = [f"{found.missing:,} are declared and not there"] if found.missing else []
    both += [f"{found.surplus:,} are there and not declared"] if found.surplus else []
    return (
        f"{found.differ:,} of {found.parents:,} {parent} declare another number of {stream} than there are rows: "
        f"{found.declared:,} are declared, {found.there:,} are there ({'; '.join(both)}). A query that counts rows and "
        f"one that adds up {parent}.{declared} will differ by that. Where the check `completeness` passes, the rows "
        "are all that the API shows to this account: the source may count what it hides (removed, drafts, replies), or "
        "the account may lack rights. Count rows, and look at some of those that differ (metadata: which)."
    )


def _says_changes(contract: Contract, stream: str) -> bool:
    each = contract.streams[stream].each
    return bool(each and each.changed_when)


def _declares(contract: Contract, stream: str) -> Declaration | None:
    """The column that declares how many rows the stream's lists have; None if there is none."""
    spec = contract.streams[stream]
    each = spec.each
    if not each or not each.declared or len(each.of) != 1 or spec.reads != "list":
        return None
    parent = each.of[0].split(".")[0]
    return Declaration(parent, each.declared, stream, each.placeholder) if parent in contract.streams else None
