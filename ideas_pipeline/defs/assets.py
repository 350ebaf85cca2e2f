"""One asset per stream of the contract."""

# No `from __future__ import annotations`: Dagster needs the type of `context` itself, not its name as a string.
from datetime import UTC, datetime
from functools import cache

import dagster as dg

from ideas_pipeline.app import Pipeline, nights_of, run_sync
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.defs.configuration import Community
from ideas_pipeline.defs.failures import days_not_marked, errors_as_failures, stream_failure
from ideas_pipeline.defs.lineage import WRITER, column_lineage, history_written, source_key, source_read
from ideas_pipeline.defs.marts import marts_built
from ideas_pipeline.defs.metadata import LoggedProgress, counts, details, loaded
from ideas_pipeline.defs.partitions import ABOUT, day_counts, days, days_to_mark, window_of_run
from ideas_pipeline.defs.resources import Communities
from ideas_pipeline.defs.specs import asset_key, asset_spec, column_schema, step_name
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.planning import dated
from ideas_pipeline.sync.run import Full, Incremental, RunResult
from ideas_pipeline.tables.community import TABLES
from ideas_pipeline.warehouse.runs import full_goal

GROUP = "community"
# Tag of a run that reads every list. A tag because jobs and the launchpad set tags for a whole run.
FULL = {"ideas_pipeline/mode": "full"}


def community_assets(community: Community) -> list[dg.AssetsDefinition]:
    """The assets of the community's streams, each after the streams that name its lists."""
    return [_stream_asset(community, stream) for stream in community.contract.order()]


def _stream_asset(community: Community, stream: str) -> dg.AssetsDefinition:
    """A graph of two steps: the first waits for the streams before this one, the second syncs.

    One step is not enough for assets with daily partitions: if its input is another partitioned asset, Dagster requires
    the input's partitions, and a run without partitions fails. The input of the second step is the first step instead.
    """
    settings, contract = community.settings, community.contract
    has_days = stream in community.once("streams with days", lambda: dated(contract))
    before = {parent: asset_key(settings, parent) for parent in sorted(contract.depends_on(stream))}
    before["api"] = source_key(settings, stream)
    name = step_name(settings, stream)

    wait = _wait_op(tuple(before))
    graph = dg.GraphDefinition(
        name=name,
        node_defs=[wait, _sync_op(f"{name}__sync", settings, contract, stream, has_days=has_days)],
        dependencies={
            dg.NodeInvocation(wait.name, alias="wait"): {},
            dg.NodeInvocation(f"{name}__sync", alias="sync"): {"before": dg.DependencyDefinition("wait")},
        },
        input_mappings=[
            dg.InputMapping(graph_input_name=parent, mapped_node_name="wait", mapped_node_input_name=parent)
            for parent in before
        ],
        output_mappings=[
            dg.OutputMapping(graph_output_name="table", mapped_node_name="sync", mapped_node_output_name="result")
        ],
    )
    definition = dg.AssetsDefinition.from_graph(
        graph,
        keys_by_input_name=before,
        keys_by_output_name={"table": asset_key(settings, stream)},
        partitions_def=days(settings) if has_days else None,
        backfill_policy=dg.BackfillPolicy.single_run() if has_days else None,
    )
    table = _stream_spec(community, stream, has_days=has_days)
    return definition.map_asset_specs(
        lambda bare: bare.replace_attributes(
            group_name=table.group_name,
            description=table.description,
            metadata={**bare.metadata, **table.metadata},
            tags=table.tags,
            owners=table.owners,
        )
    )


def _stream_spec(community: Community, stream: str, *, has_days: bool) -> dg.AssetSpec:
    settings, contract = community.settings, community.contract
    embedded = list(contract.streams[stream].embedded)
    lineage = column_lineage(settings, contract, stream)
    parts = {
        name: {column.name: lineage.get(f"{name}.{column.name}", []) for column in TABLES[name].columns}
        for name in embedded
    }
    return asset_spec(
        community,
        TABLES[stream],
        GROUP,
        about=[
            *([f"With it: {', '.join(f'`{name}`' for name in embedded)}."] if embedded else []),
            *([ABOUT] if has_days else []),
            str(nights_of(settings)),
        ],
        kinds=["api"],
        metadata={
            "dagster/column_lineage": dg.TableColumnLineage(lineage),
            **{f"columns of {name}": column_schema(community, TABLES[name], parts[name]) for name in embedded},
        },
    )


@cache
def _wait_op(parents: tuple[str, ...]) -> dg.OpDefinition:
    """One for all communities and streams that wait for the same."""

    @dg.op(
        name="__".join(["wait_for", *parents]),
        ins={parent: dg.In(dg.Nothing) for parent in parents},
        out=dg.Out(dg.Nothing),
    )
    def wait() -> None:
        """Wait for the tables that tell which lists exist."""

    return wait


def _sync_op(name: str, settings: Settings, contract: Contract, stream: str, *, has_days: bool) -> dg.OpDefinition:
    @dg.op(
        name=name,
        ins={"before": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing),
        # One run at a time per account: two would share its rate limit and read each other's half-written lists.
        pool=f"ideas_api_{settings.community}",
    )
    def sync(context: dg.AssetExecutionContext, communities: dg.ResourceParam[Communities]) -> None:
        """Sync the stream."""
        window = window_of_run(context) if has_days else None
        whole = Full() if FULL.items() <= context.run.tags.items() else Incremental()
        began = datetime.now(UTC)
        with errors_as_failures(settings):
            pipeline = communities.of(settings.community).pipeline()
            run = run_sync(
                pipeline,
                window or whole,
                caller=f"Dagster's run {context.run.run_id}",
                progress=LoggedProgress(context.log),
                streams=[stream],
                # A window is a run of its own: streams without partitions may be synced beside it.
                run_id=f"{context.run.run_id}-days" if window else context.run.run_id,
            )
            shown = _shown(context, pipeline, run, stream, has_window=bool(window))
            context.add_asset_metadata(shown)
            if window:
                _count_days(context, pipeline, stream)
            elif has_days and run.verdict == "complete":
                _mark_days(context, pipeline, stream, run.run_id, began, isinstance(whole, Full))

    return sync


def _shown(
    context: dg.AssetExecutionContext, pipeline: Pipeline, run: RunResult, stream: str, *, has_window: bool
) -> dict[str, dg.MetadataValue]:
    """What the UI shows of the stream. Raises dg.Failure if the stream failed, or did not complete its window."""
    settings, contract, warehouse = pipeline.settings, pipeline.contract, pipeline.warehouse
    (result,) = run.streams
    shown = counts(result) | {"run_id": dg.MetadataValue.text(run.run_id)}
    with warehouse.reading() as tx:
        shown |= details(tx, contract, stream, run.run_id)
    if run.changed and (result.verdict == "failed" or (has_window and result.verdict != "complete")):
        # What was read is loaded, but Dagster skips the steps after one that fails: the marts are built here.
        for mart in marts_built(settings, warehouse):
            context.log_event(mart)
    if result.verdict == "failed":
        raise stream_failure(result, shown, settings)
    context.log_event(source_read(settings, result))
    if stream == WRITER:
        with warehouse.reading() as tx:
            context.log_event(history_written(tx, settings))
    if has_window:
        if result.verdict != "complete":
            raise days_not_marked(result, shown)
        return shown
    with warehouse.reading() as tx:
        return shown | loaded(tx, stream, made_id=bool(contract.streams[stream].key))


def _count_days(context: dg.AssetExecutionContext, pipeline: Pipeline, stream: str) -> None:
    """Record the row count of each partition of the run."""
    counted = day_counts(pipeline.warehouse, pipeline.settings, pipeline.contract, stream, context.partition_keys)
    for day, rows in counted.items():
        context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=day)


def _mark_days(
    context: dg.AssetExecutionContext, pipeline: Pipeline, stream: str, run_id: str, began: datetime, is_full: bool
) -> None:
    """Mark the days that a complete run covers as materialized, so that the UI's grid shows them."""
    settings, warehouse = pipeline.settings, pipeline.warehouse
    # A full run that continues an interrupted one may have read some lists as long ago as that one started.
    at = began
    if is_full:
        with warehouse.reading() as tx:
            at = full_goal(tx, run_id, began)
    key = asset_key(settings, stream)
    days_complete = days_to_mark(settings, context.instance.get_materialized_partitions(key), at)
    for day, rows in day_counts(warehouse, settings, pipeline.contract, stream, days_complete).items():
        context.log_event(dg.AssetMaterialization(key, partition=day, metadata={"dagster/partition_row_count": rows}))
