"""``ideas-pipeline report``: write the community report, one HTML page of figures and charts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from ideas_pipeline.cli import options
from ideas_pipeline.cli.lines import say, write
from ideas_pipeline.errors import SettingsError, WarehouseError

if TYPE_CHECKING:
    from ideas_pipeline.settings import Settings


@click.command()
@click.option(
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write it. [default: report-COMMUNITY.html in IDEAS_STATE_DIR, and a copy in IDEAS_REPORT_URL]",
)
@click.option("--all", "every", is_flag=True, help="Write the report of every community of ideas_pipeline.yaml.")
@options.community
def report(file: Path | None, every: bool) -> None:
    """Write the community report: one HTML file that needs no network and names no person, so it can be forwarded.

    The report shows the marts as they were last built. A sync builds them, and so does ideas-pipeline marts. If several
    communities of ideas_pipeline.yaml share a warehouse, a front page with a row and a link for each is written, too.

    \b
    Examples:  ideas-pipeline report
               ideas-pipeline report --output community.html
               ideas-pipeline report --all
    """
    from ideas_pipeline.communities import each_community

    chosen = options.chosen_community()
    if every and (chosen or file):
        raise click.UsageError("--all excludes --community and --output.")
    if not every:
        settings = options.load_settings()
        _write(settings, file or settings.report)
        if file is None and settings.file:
            _write_front_page(settings, _valid(each_community()))
        return
    raise click.exceptions.Exit(_write_all(each_community()))


def _valid(communities: Mapping[str, Settings | SettingsError]) -> list[Settings]:
    return [one for one in communities.values() if not isinstance(one, SettingsError)]


def _write_all(communities: Mapping[str, Settings | SettingsError]) -> int:
    """Write every report, then the front pages. Return 0, or the exit code of one that cannot be written."""
    from ideas_pipeline.cli.failures import secrets_of

    valid = _valid(communities)
    tried = partial(_tried, secrets=secrets_of(valid))
    codes = [tried(name, partial(_write_own, one), settings=one) for name, one in communities.items()]
    warehouses = {one.warehouse_url.get_secret_value(): one for one in valid}.values()
    codes += [tried("front page", partial(_write_front_page, one, valid), settings=one) for one in warehouses]
    return min((code for code in codes if code), default=0)


def _tried(name: str, act: Callable[[], None], secrets: Collection[str], settings: Settings | SettingsError) -> int:
    """Write one of several pages. Return the exit code, after saying what is wrong."""
    from ideas_pipeline.cli.failures import Failed, failure

    try:
        act()
    except (SettingsError, WarehouseError, Failed) as error:
        failed = error if isinstance(error, Failed) else failure(error, secrets, settings)
        say(f"{name}: {failed.message}")
        return failed.exit_code
    return 0


def _write_own(settings: Settings | SettingsError) -> None:
    if isinstance(settings, SettingsError):
        raise settings
    _write(settings, settings.report)


def _write(settings: Settings, file: Path) -> None:
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.report.page import write_report

    with open_warehouse(settings) as warehouse, _written_to(file, "report"):
        write_report(warehouse, file)
    write(f"Wrote the report. Open {file} in a browser.")
    if settings.report_url and file == settings.report:
        write(f"Copied it to {_copied(settings.report, settings.report_url, settings)}.")


def _copied(page: Path, folder: str, settings: Settings) -> str:
    from ideas_pipeline.cli.failures import Failed
    from ideas_pipeline.errors import NotDelivered
    from ideas_pipeline.report.publish import publish

    try:
        return publish(page, folder)
    except NotDelivered as error:
        raise Failed(settings.worded(str(error))) from None


def _write_front_page(settings: Settings, communities: Sequence[Settings]) -> None:
    """Write the front page of the communities that share the warehouse of ``settings``, if there are several."""
    from ideas_pipeline.app import open_warehouse
    from ideas_pipeline.communities import sharing_warehouse
    from ideas_pipeline.report.front_page import write_front_page

    sharing = sharing_warehouse(settings, communities)
    if len(sharing) < 2:
        return
    file = sharing[0].front_page
    with open_warehouse(settings) as warehouse, _written_to(file, "front page"):
        write_front_page(warehouse, {one.community: one.report for one in sharing}, file)
        write(f"Wrote the front page of {len(sharing)} communities. Open {file} in a browser.")
        if folder := sharing[0].report_url:
            copied = {one.community: one.report for one in sharing if one.report_url == folder}
            with TemporaryDirectory() as temporary:
                page = Path(temporary, file.name)
                write_front_page(warehouse, copied, page, side_by_side=True)
                write(f"Copied it to {_copied(page, folder, sharing[0])}.")


@contextmanager
def _written_to(file: Path, what: str) -> Iterator[None]:
    from ideas_pipeline.cli.failures import Failed

    try:
        yield
    except OSError as error:
        raise Failed(f"the {what} cannot be written to {file}: {error.strerror}.") from None
