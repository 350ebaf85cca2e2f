"""From settings to an API client, a warehouse and a privacy policy; runs one sync.

The command line and Dagster both call it, and nothing else starts a run.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe

from ideas_pipeline import private_file
from ideas_pipeline.archive.reader import ArchiveReader
from ideas_pipeline.archive.retention import prune
from ideas_pipeline.archive.writer import Writer
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import IdeasApiError, SettingsError, WarehouseError
from ideas_pipeline.ideas_api.account_files import FileHome
from ideas_pipeline.ideas_api.account_store import AccountHome
from ideas_pipeline.ideas_api.auth import Credentials
from ideas_pipeline.ideas_api.callback import ListenerSettings
from ideas_pipeline.ideas_api.client import IdeasApi
from ideas_pipeline.logs import logger
from ideas_pipeline.marts.build import refresh
from ideas_pipeline.marts.dialect import DIALECTS
from ideas_pipeline.privacy.privacy import Privacy
from ideas_pipeline.setting_types import Policy
from ideas_pipeline.settings import Settings
from ideas_pipeline.sync.engine import new_run_id, sync_community
from ideas_pipeline.sync.findings import Expectations
from ideas_pipeline.sync.freshness import Nights
from ideas_pipeline.sync.replay import ArchiveRun
from ideas_pipeline.sync.retry import Retried, RetryPlan, finish_retry, retry_archived
from ideas_pipeline.sync.run import Mode, Progress, Retry, RunResult, Silence, SyncOptions
from ideas_pipeline.sync.source import RunArchive, Source
from ideas_pipeline.warehouse.absences import Held, confirm_absences, present_role
from ideas_pipeline.warehouse.embedded import confirm_embedded
from ideas_pipeline.warehouse.merge import Deletion
from ideas_pipeline.warehouse.rejects import StoredReject
from ideas_pipeline.warehouse.runs import RunStart, accept_role, failure_recorded, finish_run, start_run
from ideas_pipeline.warehouse.warehouse import Warehouse

_log = logger(__name__)

# Why a row was deleted that an operator confirmed, in `_deleted_because`.
_CONFIRMED = "gone (confirmed)"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Everything that a sync of one community needs, opened."""

    settings: Settings
    contract: Contract
    client: IdeasApi
    warehouse: Warehouse


@contextmanager
def open_pipeline(settings: Settings, contract: Contract) -> Iterator[Pipeline]:
    """Open client and warehouse for one community. Raises SettingsError, ContractError, WarehouseError."""
    client = open_client(settings, contract)
    with open_warehouse(settings) as warehouse:
        yield Pipeline(settings, contract, client, warehouse)


def open_client(settings: Settings, contract: Contract) -> IdeasApi:
    """The client of the API that the settings name. Sends nothing yet. Raises SettingsError, ContractError."""
    _check_state(settings)
    secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
    listener = None
    if settings.callback_port is not None:
        listener = ListenerSettings(
            host=settings.callback_host,
            public_host=settings.callback_public_host,
            port=settings.callback_port,
            path=_callback_path(settings),
            seconds=settings.callback_seconds,
        )
    return IdeasApi.connect(
        contract,
        settings.base_url(contract),
        Credentials(settings.client_id or "", secret),
        _account_home(settings),
        listener,
    )


def _account_home(settings: Settings) -> AccountHome:
    """Where the settings say that the account's state is kept. Raises SettingsError."""
    if settings.account_database is None:
        return FileHome(settings.token_file, settings.state_dir)
    try:
        from ideas_pipeline.accounts.home import DatabaseHome
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"IDEAS_TOKEN_STORE names a database, and {error.name} is not installed. Install it:"
            " pip install 'ideas_pipeline[postgres]'."
        ) from None
    return DatabaseHome(settings.account_database, settings.token_keys(), settings.token_file)


def _callback_path(settings: Settings) -> str:
    if settings.callback_path is None:
        raise SettingsError(
            "IDEAS_CALLBACK_PORT is set, but IDEAS_CALLBACK_PATH is not. Set it to a path that nobody can guess, such"
            f" as /{token_urlsafe(16)}, and change the path of the API client's endpoint to the same."
        )
    return settings.callback_path


def open_warehouse(settings: Settings) -> Warehouse:
    """The community's warehouse, created or migrated if necessary. Raises SettingsError, WarehouseError."""
    _check_state(settings)
    return Warehouse.open(settings.warehouse_url.get_secret_value(), settings.community)


def _check_state(settings: Settings) -> None:
    """Raise SettingsError if others could replace the tokens, the key or the list of erased people with their own."""
    for folder, name in ((settings.state_dir, "state_dir"), (settings.token_file.parent, "token_store")):
        if private_file.is_not_a_folder(folder):
            raise SettingsError(f"{folder} is not a folder. Name one with {settings.named(name)}.")
        if private_file.is_open_to_others(folder):
            inside = f"name a new folder inside it with {settings.named(name)}: it is created for its owner alone."
            close = f"chmod go-w {shlex.quote(str(folder))} (and chown, if it belongs to another user)"
            is_shared_on_purpose = folder.stat().st_mode & stat.S_ISVTX  # as /tmp is
            raise SettingsError(
                f"Other users may write to the folder {folder}, so they could replace the files in it. "
                + (f"So {inside}" if is_shared_on_purpose else f"Correct that: {close}. To keep it shared, {inside}")
            )
    default = settings.state_dir / "warehouse.db"
    if settings.warehouse_url.get_secret_value() == f"sqlite:///{default}" and default.is_symlink():
        raise SettingsError(
            f"{default} is a link, and no link is followed in the state folder. Name the file to which it leads in"
            " IDEAS_WAREHOUSE_URL, such as sqlite:////data/warehouse.db, and remove the link."
        )


def privacy_of(settings: Settings, contract: Contract) -> Privacy:
    """What may be stored of people, and who was erased. Raises PrivacyError if that cannot be known."""
    return Privacy(
        contract,
        settings.community,
        Policy(settings.pii_email, settings.pii_name, settings.pii_profile, settings.pii_free_text),
        folder=settings.state_dir,
        key=settings.pii_key.get_secret_value() if settings.pii_key else None,
        archive=settings.archive,
        erases_deleted=settings.erase_deleted_accounts,
    )


def expectations_of(settings: Settings) -> Expectations:
    """What the settings promise of the tables, for the findings."""
    return Expectations(settings.timezone, settings.verify_days, settings.stale_hours)


def nights_of(settings: Settings) -> Nights:
    """The nights in which the schedules sync the community."""
    return Nights(settings.timezone, settings.schedule_hour, settings.schedule_minute)


def run_sync(
    pipeline: Pipeline,
    mode: Mode,
    *,
    caller: str,
    progress: Progress,
    streams: Sequence[str] | None = None,
    run_id: str | None = None,
) -> RunResult:
    """Run one sync: take the run lock, archive the responses, and bring the warehouse in line with the community.

    Args:
        pipeline: what the sync works with.
        mode: which scopes to read.
        caller: who runs it, such as ``ideas-pipeline sync``: shown to other runs that wait for the account.
        progress: hears what the sync does.
        streams: the streams to sync; None syncs all that the mode covers.
        run_id: several calls with one id are one run, as the assets of a Dagster run are; None makes an id.

    Raises:
        IdeasApiError: nothing could be read; the run is noted as failed.
        WarehouseError: likewise, if the warehouse can still be written to; PrivacyError among others.
    """
    settings, client = pipeline.settings, pipeline.client
    began = datetime.now(UTC)
    run_id = run_id or new_run_id(began)
    start = RunStart(run_id, client.base_url, began, mode=mode.name, window=mode.window)
    options = SyncOptions(streams, run_id, settings.mass_absence_percent, settings.verify_days)
    with failure_recorded(pipeline.warehouse, start, IdeasApiError, WarehouseError, streams=streams or ()):
        privacy = privacy_of(settings, pipeline.contract)
        with (
            client.run_lock(caller, progress.waiting) as number,
            pipeline.warehouse.fenced(client.auth.account, number) as warehouse,
        ):
            if settings.archive_days:
                for sentence in privacy.free_archive(warehouse):
                    progress.noted(sentence)
            with run_archive(settings.archive, run_id, settings.archive_days, pipeline.contract, privacy) as archive:
                source = Source(client, privacy, archive)
                return sync_community(source, warehouse, mode, options=options, progress=progress)


def confirm_held(warehouse: Warehouse, contract: Contract, rows: Sequence[Held]) -> int:
    """Mark held rows as deleted, as a run of its own, and accept the account's current role.

    Args:
        warehouse: the warehouse to change.
        contract: the contract, which says what is a stream; rows of any other table are embedded rows.
        rows: the rows that an operator confirms.

    Returns:
        How many rows were marked. A row that is no longer held is left alone.
    """
    now = datetime.now(UTC)
    run_id = new_run_id(now)
    deletion = Deletion(run_id, now, _CONFIRMED)
    marked = 0
    with warehouse.writing() as tx:
        start_run(tx, RunStart(run_id, "(an operator)", now, mode="confirm"))
        for name in dict.fromkeys(row.stream for row in rows):
            ids = [row.id for row in rows if row.stream == name]
            if name in contract.streams:
                embedded = list(contract.streams[name].embedded)
                marked += sum(confirm_absences(tx, name, ids, embedded, deletion).values())
            else:
                marked += confirm_embedded(tx, name, ids, deletion)
        accept_role(tx, present_role(tx), now)
        finish_run(tx, run_id, "complete", None, now)
    return marked


def retry_rejects(
    settings: Settings, contract: Contract, warehouse: Warehouse, rejects: Sequence[StoredReject], progress: Progress
) -> list[Retried]:
    """Load rejected records again, from their archived pages; a scope that is not archived is read from the API.

    Args:
        settings: the settings of the community.
        contract: how the pages are read.
        warehouse: where the rejects are, and where the records go.
        rejects: what to retry.
        progress: hears what is read from the API.

    Returns:
        The result of each table.

    Raises:
        IdeasApiError: the archive or the API could not be read; the run is noted as failed.
        SettingsError: a scope must be read from the API, and the settings do not say where it is.
        WarehouseError: the records could not be written; PrivacyError among others.
    """
    plan = RetryPlan.of(contract, rejects)
    if not plan.rejects:
        return []
    began = datetime.now(UTC)
    run_id = new_run_id(began)
    start = RunStart(run_id, "archive", began, mode="retry")
    with failure_recorded(warehouse, start, IdeasApiError, SettingsError, WarehouseError):
        run = ArchiveRun(contract, warehouse, run_id, privacy_of(settings, contract), Silence())
        with ArchiveReader(settings.archive) as archive:
            missing = retry_archived(run, archive, plan)
        errors: list[IdeasApiError] = []
        if missing:
            pipeline = Pipeline(settings, contract, open_client(settings, contract), warehouse)
            caller = "ideas-pipeline rejects retry"
            mode = Retry(missing)
            read = run_sync(pipeline, mode, caller=caller, progress=progress, streams=list(missing), run_id=run_id)
            errors = [result.error for result in read.streams if result.error]
        results = finish_retry(warehouse, contract, run_id, plan)
        if errors:
            raise errors[0]
        return results


def rebuild_marts(settings: Settings, warehouse: Warehouse) -> None:
    """Rebuild the marts whose sources have changed, if the engine supports them. Raises WarehouseError."""
    if warehouse.dialect.name in DIALECTS:
        refresh(warehouse, settings.timezone)


@contextmanager
def run_archive(
    folder: Path, run_id: str, days: int, contract: Contract, privacy: Privacy | None = None
) -> Iterator[RunArchive | None]:
    """The archive of one run; None if none is kept. First, remove the runs that are older than ``days`` days.

    A folder that cannot be written to is a warning: the run itself is worth more.

    Args:
        folder: the archive of the community.
        run_id: the run.
        days: how long pages are kept; 0 keeps none.
        contract: which headers of a response are needed to read it again.
        privacy: keeps erased people out.
    """
    prune(folder, days)
    archive = None
    with ExitStack() as stack:
        if days:
            try:
                archive = RunArchive(
                    stack.enter_context(Writer(folder, run_id, privacy.mark if privacy else 0)), contract, privacy
                )
            except OSError as error:
                _log.warning("This run is not archived: %s cannot be written to (%s).", folder, error.strerror)
        yield archive
