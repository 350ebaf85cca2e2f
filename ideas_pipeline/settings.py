"""The settings of a community, and how they are read from the environment or ``.env``. Secrets are never printed.

``communities`` chooses between these sources and ``ideas_pipeline.yaml``.

A variable of the environment overrides the same one in ``.env``. An empty value counts as not set. Under Dagster it is
the other way round: Dagster copies ``.env`` into the environment before this code runs, over variables that exist
(https://docs.dagster.io/guides/deploy/using-environment-variables-and-secrets).
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ideas_pipeline import env_file, errors
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.setting_types import (
    WAREHOUSE,
    Address,
    Addresses,
    AnyPath,
    BaseUrl,
    Choice,
    DatabaseUrl,
    FernetKeys,
    FolderUrl,
    MailServer,
    Name,
    Store,
    Webhook,
    Zone,
    split_keys,
)

if TYPE_CHECKING:
    from ideas_pipeline.contract.model import Contract

PREFIX = "IDEAS_"
ENV_FILE = Path(".env")
# A variable, or the beginning of several: IDEAS_PII_….
_VARIABLE = re.compile(rf"\b{PREFIX}([A-Z_]+)")
CONFIG = "IDEAS_CONFIG"
_OTHER_NAMES = {CONFIG, "IDEAS_DEBUG"}  # read by communities.py and by the command line

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_CHOICE = "keep, hash or drop"


class Settings(BaseModel):
    """The configuration of one community. Each field's description completes the sentence "IDEAS_… must be …".

    Only ``from_environment`` reads the environment: an instance that is built directly does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    community: Name = Field("community", description="a name of letters, digits, _ and -")
    client_id: str | None = Field(None, repr=False, description="the API client's id")
    client_secret: SecretStr | None = Field(None, description="the API client's secret")
    api_region: str | None = Field(None, description="a region of the contract, such as EU")
    api_base_url: BaseUrl | None = Field(
        None, repr=False, description="a URL such as https://api.example.com/v2/ (http only on this machine)"
    )
    contract: AnyPath | None = Field(None, description="the path of a contract file")
    state_dir: AnyPath = Field(Path(".ideas"), description="the path of a folder")
    warehouse_url: DatabaseUrl = Field(
        default_factory=lambda data: SecretStr(f"sqlite:///{data['state_dir'] / 'warehouse.db'}"),
        description="a database URL such as sqlite:///path.db or postgresql+psycopg://user:password@host/database",
    )
    token_store: Store = Field(
        default_factory=lambda data: data["state_dir"] / "tokens.json",
        description="the path of a file, warehouse, or a URL such as postgresql+psycopg://user:password@host/database",
    )
    token_key: FernetKeys | None = Field(
        None, description="a Fernet key (32 bytes in URL-safe base64), or several separated by commas, the newest first"
    )
    callback_host: str = Field("127.0.0.1", description="the address on which to listen for the auth code")
    callback_port: int | None = Field(
        None, ge=1, le=65535, description="a port from 1 to 65535 (only if the API client has a callback endpoint)"
    )
    callback_path: str | None = Field(
        None, repr=False, pattern=r"^/[!-~]*$", description="a path that starts with / and has no spaces"
    )
    callback_public_host: str | None = Field(
        None, description="the host in the API client's endpoint, such as ideas.example.com"
    )
    callback_seconds: float = Field(120, gt=0, description="a number of seconds greater than 0")
    schedule_hour: int = Field(2, ge=0, le=23, description="a whole hour from 0 to 23")
    schedule_minute: int = Field(0, ge=0, le=59, description="a whole minute from 0 to 59")
    timezone: Zone = Field("UTC", description="the name of a time zone, such as Europe/Madrid or UTC")
    full_weekday: Weekday = Field("sunday", description=f"one of {', '.join(get_args(Weekday))}")
    verify_days: int = Field(14, ge=1, description="a whole number of days greater than 0")
    start_date: date = Field(date(2020, 1, 1), description="a date such as 2020-01-31")
    # The pattern is Dagster's own: it rejects any other owner of an asset.
    owner: str | None = Field(
        None,
        repr=False,
        pattern=r"^(team:[A-Za-z0-9_.-]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7})$",
        description="team:NAME or an e-mail address",
    )
    report_url: FolderUrl | None = Field(
        None, description="the URL of a folder without a password, such as s3://bucket/reports"
    )
    archive_days: int = Field(30, ge=0, description="a whole number of days, or 0 to archive no pages")
    mass_absence_percent: float = Field(10, ge=0, le=100, description="a percentage from 0 to 100")
    stale_hours: float = Field(36, gt=0, description="a number of hours greater than 0")
    alert_webhook: Webhook | None = Field(
        None, description="a URL such as https://hooks.slack.com/services/… (http only on this machine)"
    )
    smtp_url: MailServer | None = Field(
        None,
        description="a mail server URL such as smtp://user:password@mail.example.com:587 or smtps://… "
        "(in user and password, percent-encode each character that is not a letter or digit)",
    )
    alert_emails: Addresses = Field((), repr=False, description="e-mail addresses in ASCII, separated by commas")
    alert_from: Address | None = Field(None, repr=False, description="an e-mail address in ASCII")
    pii_email: Choice = Field("drop", description=_CHOICE)
    pii_name: Choice = Field("keep", description=_CHOICE)
    pii_profile: Choice = Field("keep", description=_CHOICE)
    pii_free_text: Choice = Field("keep", description=_CHOICE)
    pii_key: SecretStr | None = Field(None, min_length=16, description="a secret of at least 16 characters")
    erase_deleted_accounts: bool = Field(True, description="true or false")

    _file: Path | None = PrivateAttr(None)
    _variables: Mapping[str, str] = PrivateAttr(default_factory=dict)

    def read_from(self, file: Path, variables: Mapping[str, str]) -> Settings:
        """The same settings, whose messages name ``file`` and its keys instead of variables.

        Args:
            file: where they were read from.
            variables: the settings for which the file names a variable, each with its name.
        """
        settings = self.model_copy()
        settings._file = file
        settings._variables = variables
        return settings

    @property
    def file(self) -> Path | None:
        """The file from which they were read; None if that was the environment or ``.env``."""
        return self._file

    def variable_of(self, field: str) -> str | None:
        """The variable that has a setting; None if its value is the default, or is in the file."""
        if self._file is not None:
            return self._variables.get(field)
        return variable(field) if field in self.model_fields_set else None

    def named(self, field: str) -> str:
        """What messages call a setting: its variable, or its key and community if it is read from a file."""
        return variable(field) if self._file is None else f"{field} of {self.community} in {self._file}"

    def worded(self, text: str) -> str:
        """A text that names settings by their variables, with their keys instead if they are read from a file."""
        if self._file is None:
            return text
        place = iter([f" of {self.community} in {self._file}"])  # said once

        def key(found: re.Match[str]) -> str:
            name = found[1].lower()
            is_one = name.endswith("_") or (name in Settings.model_fields and name != "community")
            return f"{name}{next(place, '')}" if is_one else found[0]

        return _VARIABLE.sub(key, text)

    @property
    def simulated(self) -> bool:
        """Whether the simulator takes the place of the API because no API client is configured."""
        return self.client_id is None and self.client_secret is None

    @property
    def account_database(self) -> str | None:
        """The URL of the database that holds the account's state; None if files of this machine hold it."""
        if isinstance(self.token_store, Path):
            return None
        named = self.token_store.get_secret_value()
        return self.warehouse_url.get_secret_value() if named == WAREHOUSE else named

    @property
    def token_file(self) -> Path:
        """The token file of this machine; with a database, the one that it used before."""
        return self.token_store if isinstance(self.token_store, Path) else self.state_dir / "tokens.json"

    def token_keys(self) -> list[str]:
        """The keys that encrypt tokens in a database, the newest first. Raises SettingsError if there is none."""
        if self.token_key is None:
            raise SettingsError(_key_missing(self.named))
        return split_keys(self.token_key)

    @property
    def archive(self) -> Path:
        """The folder of this community's archive: its pages as they were received."""
        return self.state_dir / "archive" / self.community

    @property
    def report(self) -> Path:
        """The path of the community's report."""
        return self.state_dir / f"report-{self.community}.html"

    @property
    def front_page(self) -> Path:
        """The path of the page of the communities of a warehouse, if this is the first of them."""
        return self.state_dir / "communities.html"

    def base_url(self, contract: Contract) -> str:
        """The base URL of the API, ending in ``/``. Raises SettingsError if neither region nor URL tells which."""
        if self.api_base_url:
            return self.api_base_url
        known = ", ".join(contract.hosts)
        if self.api_region is None:
            region = self.named("api_region")
            raise SettingsError(f"{region} is not set. Set it to the region of your community: {known}.")
        for region, url in contract.hosts.items():
            if region.casefold() == self.api_region.casefold():
                return url.rstrip("/") + "/"
        raise SettingsError(
            f"{self.named('api_region')} must be a region of the contract ({known}){_instead(self.api_region)}."
        )


class _Environment(BaseSettings, Settings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the arguments, which come from ``.env``."""
        return env_settings, init_settings


SAFE_TO_SHOW = set(Settings.model_fields) - {
    "client_id",
    "client_secret",
    "token_store",
    "token_key",
    "warehouse_url",
    "api_base_url",
    "callback_path",
    "owner",
    "pii_key",
    "alert_webhook",
    "smtp_url",
    "alert_emails",
    "alert_from",
}


# Words and numbers. A secret is longer, or mixes letters and digits.
_PLAIN_VALUE = re.compile(r"[A-Za-z _~./-]{1,16}|[0-9:.,+-]{1,12}")


def variable(field: str) -> str:
    """The environment variable of a field, such as ``IDEAS_SCHEDULE_HOUR`` for ``schedule_hour``."""
    return PREFIX + field.upper()


def read_env_file(*others: str) -> dict[str, str]:
    """The variables in ``.env``, by name. ``others``: names that are ours beside those that begin with IDEAS_.

    Raises:
        SettingsError: with one sentence per line that is wrong.
    """
    try:
        return env_file.read(ENV_FILE, (PREFIX, *others))
    except errors.EnvFileError as error:
        raise SettingsError(*error.problems) from None


def from_environment(written: Mapping[str, str]) -> Settings:
    """The settings in the environment, then in ``written``, which is what ``.env`` says, then the defaults.

    Raises SettingsError with every problem that was found. No message contains the value of a secret.
    """
    problems = _misspelt(written)
    try:
        settings = _Environment(**_by_field(written))
    except ValidationError as error:
        for field, _, rest in invalid_values(error):
            name = variable(field)
            problems.append(f"{name} {rest}. Correct it in {_place(name, written)}.")
        raise SettingsError(*problems) from None
    problems += contradictions(settings, variable)
    if problems:
        raise SettingsError(*problems)
    return settings


def contradictions(settings: Settings, name: Callable[[str], str]) -> Iterator[str]:
    """Problems with values that are valid, but not together. ``name``: what messages call a setting."""
    if (settings.client_id is None) != (settings.client_secret is None):
        missing = name("client_id" if settings.client_id is None else "client_secret")
        yield f"{missing} is not set, but its counterpart is. Set both, or neither to use the simulator."
    yield from _misplaced_secrets(settings, name)
    yield from _missing_of_account_database(settings, name)
    if (settings.smtp_url is None) != (not settings.alert_emails):
        missing = name("smtp_url" if settings.smtp_url is None else "alert_emails")
        yield f"{missing} is not set, but its counterpart is. Set both to receive e-mail, or neither."


def check_values(values: Mapping[str, str]) -> None:
    """Check values by their variable. Raises SettingsError with one sentence per value that is not valid."""
    try:
        Settings.model_validate(_by_field(values))
    except ValidationError as error:
        raise SettingsError(*(f"{variable(field)} {rest}." for field, _, rest in invalid_values(error))) from None


def _by_field(values: Mapping[str, str]) -> dict[str, Any]:
    """The values of settings that are not empty, by field."""
    names = {name.upper(): value for name, value in values.items()}
    return {field: names[variable(field)] for field in Settings.model_fields if names.get(variable(field))}


def _misspelt(written: Mapping[str, str]) -> list[str]:
    """Problems with unknown names. In the environment, only those that are similar to ours: others are not for us."""
    known = {variable(field) for field in Settings.model_fields} | _OTHER_NAMES
    problems = []
    for name in sorted({*written, *os.environ}):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
        if close:
            problems.append(f"{name} is not a setting. Did you mean {close[0]}?")
        elif name in written:
            problems.append(
                f"{name} in {ENV_FILE} is not a setting. Remove it, or use one of {', '.join(sorted(known))}."
            )
    return problems


def _misplaced_secrets(settings: Settings, name: Callable[[str], str]) -> Iterator[str]:
    """Problems with values that are the client secret, and would appear in tables, logs or names of files."""
    secret = settings.client_secret.get_secret_value() if settings.client_secret else None
    for field, value in settings:
        if isinstance(value, str | Path) and str(value) == secret:
            yield f"{name(field)} has the value of {name('client_secret')}. Correct it."


def _missing_of_account_database(settings: Settings, name: Callable[[str], str]) -> Iterator[str]:
    """Problems with a database of account states, which several machines share."""
    url = settings.account_database
    if url is None:
        return
    if not url.startswith("postgres"):
        yield (
            f"{name('token_store')} is warehouse, but the warehouse is not a PostgreSQL database. Correct"
            f" {name('warehouse_url')}, or let {name('token_store')} name a PostgreSQL database of its own, or a file."
        )
    if settings.token_key is None:
        yield _key_missing(name)
    if settings.pii_key is None:
        yield (
            f"{name('token_store')} names a database that several machines share, but {name('pii_key')} is not set, so"
            f" each machine would make a key of its own. Set it: to the content of {settings.state_dir / 'pii.key'} if"
            " that file exists, else to a new secret of at least 16 characters."
        )


def _key_missing(name: Callable[[str], str]) -> str:
    return (
        f"{name('token_store')} names a database, but {name('token_key')}, which encrypts the tokens in it, is not set."
        ' Make a key with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
    )


def invalid_values(error: ValidationError) -> Iterator[tuple[str, str, str]]:
    """For each invalid value its field, pydantic's type of the error, and the rest of a sentence: "must be …"."""
    for problem in error.errors(include_url=False, include_context=False):
        # The default of a field depends on a field that is invalid itself: that one is reported.
        if problem["type"] != "default_factory_not_called":
            field = str(problem["loc"][0])
            shown = _instead(problem["input"]) if field in SAFE_TO_SHOW else ""
            yield field, problem["type"], f"must be {Settings.model_fields[field].description}{shown}"


def _instead(value: object) -> str:
    """The end of a sentence that refuses a value: with the value, unless it could be a secret in the wrong place."""
    return f", not {value!r}" if _PLAIN_VALUE.fullmatch(str(value)) else ""


def _place(name: str, written: Mapping[str, str]) -> str:
    in_environment = any(key.upper() == name and value for key, value in os.environ.items())
    return "the environment" if in_environment or name not in {key.upper() for key in written} else str(ENV_FILE)
