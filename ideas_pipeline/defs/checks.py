"""Asset checks: one per code of ``sync/findings.py``, and `freshness`. A check passes if no finding has its code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from ideas_pipeline.app import expectations_of, nights_of
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.failures import checks_failed, errors_as_failures
from ideas_pipeline.defs.metadata import as_query
from ideas_pipeline.defs.resources import Communities
from ideas_pipeline.defs.specs import asset_key, step_name
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.finding import Finding
from ideas_pipeline.sync.findings import (
    REFERENCES,
    checks,
    reference_findings,
    referenced_streams,
    stream_findings,
)
from ideas_pipeline.sync.freshness import FRESHNESS, not_fresh
from ideas_pipeline.visible import visible
from ideas_pipeline.warehouse.status import last_loaded

_NOT_RUN = "If all checks say *Execution failed*, none of them ran: the sync before them failed, and its run says why."


def community_checks(community: Community) -> list[dg.AssetChecksDefinition]:
    """The checks of every stream: those of its own sync in one step, that of its references in another.

    References are checked once every table that they name has been synced, too.
    """
    settings, contract = community.settings, community.contract
    return [
        definition
        for stream in contract.order()
        for definition in (_sync_checks(settings, contract, stream), _reference_check(community, stream))
    ]


def _sync_checks(settings: Settings, contract: Contract, stream: str) -> dg.AssetChecksDefinition:
    key = asset_key(settings, stream)
    about = {code: text for code, text in checks(contract, stream).items() if code != REFERENCES}
    about["completeness"] += f" {_NOT_RUN}"
    about[FRESHNESS] = f"{nights_of(settings)} A run evaluates it, and the sensor `freshness` if no run does."

    @dg.multi_asset_check(
        name=step_name(settings, stream, "sync_checks"),
        specs=[dg.AssetCheckSpec(code, asset=key, description=text) for code, text in about.items()],
    )
    def sync_checks(communities: dg.ResourceParam[Communities]) -> Iterator[dg.AssetCheckResult]:
        with errors_as_failures(settings), communities.of(settings.community).warehouse.reading() as tx:
            now = datetime.now(UTC)
            found = stream_findings(tx, contract, stream, expectations_of(settings), now)
            late = not_fresh(stream, last_loaded(tx).get(stream), nights_of(settings), now)
        yield from (_result(settings, code, [*found, *([late] if late else [])]) for code in about)
        # Dagster calls a run a success whatever its checks say: an error must turn it red.
        if errors := [finding for finding in found if finding.severity == "error"]:
            raise checks_failed(errors, settings)

    return sync_checks


def _reference_check(community: Community, stream: str) -> dg.AssetChecksDefinition:
    settings, contract = community.settings, community.contract
    named = community.once(f"streams that {stream} names", lambda: sorted(referenced_streams(contract, stream)))

    @dg.asset_check(
        asset=asset_key(settings, stream),
        name=REFERENCES,
        description=checks(contract, stream)[REFERENCES],
        additional_deps=[asset_key(settings, name) for name in named],
    )
    def referential_integrity(communities: dg.ResourceParam[Communities]) -> dg.AssetCheckResult:
        with errors_as_failures(settings), communities.of(settings.community).warehouse.reading() as tx:
            return _result(settings, REFERENCES, reference_findings(tx, contract, stream))

    return referential_integrity


def _result(settings: Settings, code: str, findings: Sequence[Finding]) -> dg.AssetCheckResult:
    finding = next((finding for finding in findings if finding.code == code), None)
    if finding is None:
        return dg.AssetCheckResult(passed=True, check_name=code)
    which = {"which": dg.MetadataValue.md(as_query(finding.query))} if finding.query else {}
    return dg.AssetCheckResult(
        passed=finding.severity == "note",
        check_name=code,
        severity=dg.AssetCheckSeverity.ERROR if finding.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=settings.worded(visible(finding.text)),
        metadata={**finding.numbers, **which},
    )
