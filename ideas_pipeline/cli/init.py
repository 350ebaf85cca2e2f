"""``ideas-pipeline init``: write a commented ``.env``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

WHERE_FROM = """\
The API client's id and secret come from your community, on its desktop version:
  1. Click your user icon (top right) > Go to profile > API in the profile's menu bar.
  2. Click "Apply for a new API client", say what it is for, click "Apply".
     Leave the endpoint field empty: then the auth code comes back by itself.
  3. A community administrator approves it. Its client id is then in the list.
  4. Click "generate password", then "save". The password is the client secret:
     copy it at once, as it is shown this one time only.
The API sees what your account may see: use one with the rights that the warehouse should have."""

_TEMPLATE = """\
# Configuration of ideas_pipeline. For commands, a variable of the environment wins over the same one here. For Dagster
# this file wins, with an empty value too: set each variable in one of the two places alone.
# This file holds a secret: it is readable by you alone. Never commit it.

# The name of the community in the warehouse and in Dagster: letters, digits, _ and -
{IDEAS_COMMUNITY}

# The API client: your profile > API > Apply for a new API client (leave the endpoint field empty),
# then, once it is approved, "generate password". The password is shown once. Without both: a simulated community.
{IDEAS_CLIENT_ID}
{IDEAS_CLIENT_SECRET}

# The region of the community: {regions}
{IDEAS_API_REGION}
# Or the API's whole address, which wins over the region:
{IDEAS_API_BASE_URL}

# The warehouse. Without it: SQLite in the state folder.
{IDEAS_WAREHOUSE_URL}

# A file of your own that says how your API differs from the default contract (see docs/contract.md).
#IDEAS_CONTRACT=contract.yaml

# Where the pipeline keeps its SQLite warehouse, its tokens and its archive.
#IDEAS_STATE_DIR=.ideas
#IDEAS_TOKEN_STORE=.ideas/tokens.json

# For how many days the pages are kept as they were received (for `ideas-pipeline replay`); 0 keeps none.
#IDEAS_ARCHIVE_DAYS=30

# Only where the API client has an endpoint: listen there for the auth code.
#IDEAS_CALLBACK_PORT=8765
#IDEAS_CALLBACK_HOST=127.0.0.1
#IDEAS_CALLBACK_PATH=/
#IDEAS_CALLBACK_SECONDS=120

# When Dagster syncs every night.
#IDEAS_SCHEDULE_HOUR=2
#IDEAS_TIMEZONE=UTC

# The night on which everything is read, whatever seems unchanged; and within how many nights every list is read anew.
#IDEAS_FULL_WEEKDAY=sunday
#IDEAS_VERIFY_DAYS=14

# The first day that can be backfilled from Dagster.
#IDEAS_START_DATE=2020-01-01

# Who is named in Dagster as the owner of the tables: team:NAME, or an e-mail address.
#IDEAS_OWNER=team:data

# More rows than this share missing at once are not believed to be deleted.
#IDEAS_MASS_ABSENCE_PERCENT=10

# Alerts, sent by Dagster's sensors: to a webhook (Slack and others that take {{"text": …}}), by e-mail, or both.
# A failed run is told at once, and that nothing was proven complete for so many hours once a day.
#IDEAS_ALERT_WEBHOOK=
#IDEAS_SMTP_URL=smtp://user:password@mail.example.com:587
#IDEAS_ALERT_EMAILS=first@example.com, second@example.com
#IDEAS_ALERT_FROM=pipeline@example.com
#IDEAS_STALE_HOURS=36

# What is stored of people, by class: keep, hash (with a key) or drop. A person's id is always kept.
#IDEAS_PII_EMAIL=drop
#IDEAS_PII_NAME=keep
#IDEAS_PII_PROFILE=keep
#IDEAS_PII_FREE_TEXT=keep

# The key to hash with. Without it: pii.key in the state folder, made when first needed. Keep a copy: without it,
# nobody who was erased would be recognised.
#IDEAS_PII_KEY=

# Whether a full run erases whoever deleted their account at the source.
#IDEAS_ERASE_DELETED_ACCOUNTS=true
"""


@click.command()
@click.option("--community", help="Its name in the warehouse.  [default: community]")
@click.option("--region", help="Region of the community, such as EU.")
@click.option("--base-url", default="", help="The API's address, where it is in no region.")
@click.option("--client-id", help="Id of the API client.")
@click.option("--warehouse-url", default="", help="Database address, such as postgresql+psycopg://user@host/database.")
@click.option("--force", is_flag=True, help="Overwrite an existing .env.")
def init(
    community: str | None,
    region: str | None,
    base_url: str,
    client_id: str | None,
    warehouse_url: str,
    force: bool,
) -> None:
    """Write a commented .env to fill in, or to be asked for on a terminal.

    The client secret is asked for on a terminal only, unseen; elsewhere, write it into the file.

    \b
    Example:  ideas-pipeline init --community acme --region EU
    """
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.settings import ENV_FILE, check_values

    if ENV_FILE.exists() and not force:
        raise SettingsError(f"{ENV_FILE} exists already. Edit it, or write a new one in its place with --force.")
    regions = list(load_contract(None).hosts)

    def region_in(text: str) -> str:
        if text and text.upper() not in regions:
            raise click.BadParameter(f"{text!r} is not one of {', '.join(regions)}", param_hint="--region")
        return text.upper()

    def name_in(text: str) -> str:
        try:
            check_values({"IDEAS_COMMUNITY": text})
        except SettingsError as error:
            raise click.UsageError(str(error)) from None
        return text

    region = region_in(region or "")
    check_values(
        {"IDEAS_COMMUNITY": community or "", "IDEAS_API_BASE_URL": base_url, "IDEAS_WAREHOUSE_URL": warehouse_url}
    )
    click.echo(WHERE_FROM + "\n")
    client_secret = ""
    if sys.stdin.isatty():
        click.echo("Enter leaves a value empty, to be filled in later.\n")
        # What is typed wrong is asked for again.
        community = community or click.prompt("Community's name", default="community", value_proc=name_in)
        if not base_url:
            asked = f"Region ({', '.join(regions)})"
            region = region or click.prompt(asked, default="", show_default=False, value_proc=region_in)
        client_id = client_id or click.prompt("Client id", default="", show_default=False)
        client_secret = click.prompt("Client secret (not shown)", default="", show_default=False, hide_input=True)
    values = {
        "IDEAS_COMMUNITY": community or "community",
        "IDEAS_CLIENT_ID": client_id or "",
        "IDEAS_CLIENT_SECRET": client_secret,
        "IDEAS_API_REGION": region,
        "IDEAS_API_BASE_URL": base_url,
        "IDEAS_WAREHOUSE_URL": warehouse_url,
    }
    _write(ENV_FILE, values, regions)
    missing = [name for name in ("IDEAS_CLIENT_ID", "IDEAS_CLIENT_SECRET") if not values[name]]
    if not (values["IDEAS_API_REGION"] or base_url):
        missing.append("IDEAS_API_REGION")
    todo = f"Fill in {', '.join(missing)} there, without the # in front. Then run" if missing else "Next, run"
    click.echo(f"Wrote {ENV_FILE}, readable by you alone. {todo}: ideas-pipeline check")


def _write(path: Path, values: Mapping[str, str], regions: list[str]) -> None:
    from ideas_pipeline import private_file
    from ideas_pipeline.env_file import parse
    from ideas_pipeline.errors import EnvFileError, SettingsError
    from ideas_pipeline.settings import PREFIX

    text = _TEMPLATE.format(
        **{name: _line(name, value) for name, value in values.items()},
        regions=", ".join(regions),
    )
    try:
        read = parse(text, str(path), PREFIX)
    except EnvFileError as error:
        raise SettingsError(str(error)) from None
    if changed := [name for name, value in values.items() if read.get(name, "") != value]:
        raise SettingsError(
            f"The value of {changed[0]} cannot be written to {path}. Set it in the environment instead."
        )
    # Whole and for its owner alone, or not at all: what is there can hold the only copy of a secret.
    try:
        private_file.replace(path.resolve(), text.encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from None


def _line(name: str, value: str) -> str:
    """An empty value is no line: Dagster would put it in the place of the environment's."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'" if value else f"#{name}="
