"""``ideas-pipeline init``: write a commented ``.env``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_urlsafe

import click

WHERE_FROM = """\
The API client's id and secret come from your community, on its desktop version:
  1. Click your user icon (top right) > Go to profile > API in the profile's menu bar.
  2. Click "Apply for a new API client", state its purpose, and click "Apply".
     Leave the endpoint field empty: the auth code is then in the response.
  3. A community administrator approves it. Its client id is then in the list.
  4. Click "generate password", then "save". The password is the client secret:
     copy it at once, because it is shown only once.
The API sees what your account may see: use an account with the rights that the warehouse needs."""

_TEMPLATE = """\
# Configuration of ideas_pipeline. In commands, environment variables override this file. In Dagster this file overrides
# the environment, even with an empty value: set each variable in one of the two places only.
# This file contains a secret and is readable only by you. Never commit it.

# The name of the community in the warehouse and in Dagster: letters, digits, _ and -
{IDEAS_COMMUNITY}

# The API client: your profile > API > Apply for a new API client (leave the endpoint field empty),
# then, when it is approved, "generate password". The password is shown once. Without both: a simulated community.
{IDEAS_CLIENT_ID}
{IDEAS_CLIENT_SECRET}

# The region of the community: {regions}
{IDEAS_API_REGION}
# Or the full address of the API, which overrides the region:
{IDEAS_API_BASE_URL}

# The warehouse. Default: SQLite in the state folder.
{IDEAS_WAREHOUSE_URL}

# Your contract file: how your API differs from the default contract (see docs/contract.md).
#IDEAS_CONTRACT=contract.yaml

# The state folder: the SQLite warehouse, the tokens and the archive.
#IDEAS_STATE_DIR=.ideas
#IDEAS_TOKEN_STORE=.ideas/tokens.json

# Several machines on one API account: its tokens, request budget and run lock in a PostgreSQL database, either that of
# the warehouse (the word warehouse) or another one (its URL). The key encrypts the tokens (see docs/operations.md).
#IDEAS_TOKEN_STORE=warehouse
#IDEAS_TOKEN_KEY=

# How many days to keep pages as received (for `ideas-pipeline replay`); 0 keeps none.
#IDEAS_ARCHIVE_DAYS=30

# Only if the API client has an endpoint: listen there for the auth code. Nobody else must know the path. A host name
# in the endpoint is refused unless it is IDEAS_CALLBACK_PUBLIC_HOST.
#IDEAS_CALLBACK_PORT=8765
#IDEAS_CALLBACK_HOST=127.0.0.1
#IDEAS_CALLBACK_PATH=/{callback_path}
#IDEAS_CALLBACK_PUBLIC_HOST=
#IDEAS_CALLBACK_SECONDS=120

# The hour, minute and time zone of the nightly sync in Dagster.
#IDEAS_SCHEDULE_HOUR=2
#IDEAS_SCHEDULE_MINUTE=0
#IDEAS_TIMEZONE=UTC

# The weekday of the full sync, and the number of days within which every scope is read again.
#IDEAS_FULL_WEEKDAY=sunday
#IDEAS_VERIFY_DAYS=14

# The first day that can be backfilled from Dagster.
#IDEAS_START_DATE=2020-01-01

# The owner of the tables shown in Dagster: team:NAME, or an e-mail address.
#IDEAS_OWNER=team:data

# If a larger share of rows than this is absent at once, the absences are held, and nothing is deleted.
#IDEAS_MASS_ABSENCE_PERCENT=10

# A folder to which the report is copied, too, such as one of an object store (pip install 'ideas_pipeline[s3]').
#IDEAS_REPORT_URL=s3://bucket/reports

# Alerts, sent by Dagster's sensors: to a webhook (Slack and others that accept {{"text": …}}), by e-mail, or both.
# A failed run is reported at once; a stream that was not complete for IDEAS_STALE_HOURS, once a day.
#IDEAS_ALERT_WEBHOOK=
#IDEAS_SMTP_URL=smtp://user:password@mail.example.com:587
#IDEAS_ALERT_EMAILS=first@example.com, second@example.com
#IDEAS_ALERT_FROM=pipeline@example.com
#IDEAS_STALE_HOURS=36

# What is stored about people, by class: keep, hash (with a key) or drop. A person's id is always kept.
# A stricter choice is applied at the next sync to what is stored already.
#IDEAS_PII_EMAIL=drop
#IDEAS_PII_NAME=keep
#IDEAS_PII_PROFILE=keep
#IDEAS_PII_FREE_TEXT=keep

# The key for hashing. Default: pii.key in the state folder, created when first needed. Keep a copy: without the key,
# erased people would not be recognised.
#IDEAS_PII_KEY=

# Whether a full sync erases people who deleted their account at the source (missed by two runs a day apart).
#IDEAS_ERASE_DELETED_ACCOUNTS=true
"""


@click.command()
@click.option("--community", help="Name of the community in the warehouse.  [default: community]")
@click.option("--region", help="Region of the community, such as EU.")
@click.option("--base-url", default="", help="Address of the API, if it is not in a region.")
@click.option("--client-id", help="Id of the API client.")
@click.option("--warehouse-url", default="", help="Database address, such as postgresql+psycopg://user@host/database.")
@click.option("--force", is_flag=True, help="Overwrite an existing .env.")
@click.option("--add", is_flag=True, help="Keep .env: write its community and this one to ideas_pipeline.yaml.")
def init(
    community: str | None,
    region: str | None,
    base_url: str,
    client_id: str | None,
    warehouse_url: str,
    force: bool,
    add: bool,
) -> None:
    """Write a commented .env to fill in. On a terminal, ask for the values.

    The client secret is asked for only on a terminal, without echo; otherwise write it into the file. If there is
    ideas_pipeline.yaml, the community is added there, and comments and order stay.

    \b
    Examples:  ideas-pipeline init --community acme --region EU
               ideas-pipeline init --community globex --region US --add
    """
    from ideas_pipeline.communities import config_file
    from ideas_pipeline.contract.load import load_contract
    from ideas_pipeline.errors import SettingsError
    from ideas_pipeline.settings import ENV_FILE, check_values, read_env_file

    several = None if force and not add else config_file(read_env_file())
    if several is None and not add and ENV_FILE.exists() and not force:
        raise SettingsError(
            f"{ENV_FILE} exists already. Edit it, or replace it with --force."
            " To keep it and configure another community: ideas-pipeline init --community NAME --add"
        )
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
    if several or add:
        from ideas_pipeline.cli.init_community import add_community

        if not community:
            raise click.UsageError("name the community to add: --community NAME.")
        given = {"api_region": region, "api_base_url": base_url, "warehouse_url": warehouse_url}
        add_community(several, community, given | {"client_id": client_id or ""}, read_env_file())
        return
    click.echo(WHERE_FROM + "\n")
    client_secret = ""
    if sys.stdin.isatty():
        click.echo("Press Enter to leave a value empty and fill it in later.\n")
        # Click asks again if a value is invalid.
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
    todo = f"Fill in {', '.join(missing)} there, without the leading #. Then run" if missing else "Next, run"
    click.echo(f"Wrote {ENV_FILE}, readable only by you. {todo}: ideas-pipeline fit")


def _write(path: Path, values: Mapping[str, str], regions: list[str]) -> None:
    from ideas_pipeline import private_file
    from ideas_pipeline.env_file import parse
    from ideas_pipeline.errors import EnvFileError, SettingsError
    from ideas_pipeline.settings import PREFIX

    text = _TEMPLATE.format(
        **{name: _line(name, value) for name, value in values.items()},
        regions=", ".join(regions),
        callback_path=token_urlsafe(16),
    )
    try:
        read = parse(text, str(path), PREFIX)
    except EnvFileError as error:
        raise SettingsError(*error.problems) from None
    if changed := [name for name, value in values.items() if read.get(name, "") != value]:
        raise SettingsError(
            f"The value of {changed[0]} cannot be written to {path}. Set it in the environment instead."
        )
    # Completely or not at all: the existing file can hold the only copy of a secret.
    try:
        private_file.replace(path.resolve(), text.encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from None


def _line(name: str, value: str) -> str:
    """Comment out an empty value: in Dagster it would override the environment."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'" if value else f"#{name}="
