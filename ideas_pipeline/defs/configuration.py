"""The configuration that the definitions are built from: the settings and the contract of every community.

It is read when Dagster loads the definitions, and goes with each run as a text without secrets. So a run uses what was
loaded, whatever is in the files by then.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from ideas_pipeline.communities import each_community, load_settings
from ideas_pipeline.contract.model import Contract
from ideas_pipeline.errors import ContractError, SettingsError
from ideas_pipeline.settings import SAFE_TO_SHOW, Settings, read_env_file
from ideas_pipeline.sync.contract_fit import load_fitting_contract
from ideas_pipeline.sync.finding import Finding

# What must not get into Dagster's database. Of these, the text has the names of their variables. The URL and the owner
# are in it: errors must not quote what somebody typed there by mistake, but a valid value is not a secret.
_SECRETS = Settings.model_fields.keys() - SAFE_TO_SHOW - {"api_base_url", "owner"}
# The settings of `make demo`, so that the UI shows the same warehouse.
_DEMO: dict[str, Any] = {"community": "demo", "state_dir": Path(".demo")}
_VERSION_LENGTH = 12

CODE = "configuration"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Community:
    """One community that is configured, and how its things are called in Dagster.

    Attributes:
        settings: its settings.
        contract: its contract.
        version: a hash of both, without secrets, that the UI shows.
        is_alone: whether it is the only one. If it is, names are plain; otherwise they begin with the community's.
        shared: what was made of the contract alone, by name. Communities that have the same contract have the same.
    """

    settings: Settings
    contract: Contract
    version: str
    is_alone: bool
    shared: dict[str, Any]

    def once(self, what: str, make: Callable[[], T]) -> T:
        """Something that depends on the contract alone, made once for all communities that have it.

        Args:
            what: its name.
            make: makes it.
        """
        if what not in self.shared:
            self.shared[what] = make()
        made: T = self.shared[what]
        return made

    @property
    def name(self) -> str:
        """The name of the community: the prefix of its assets."""
        return self.settings.community

    def named(self, name: str) -> str:
        """The name of a job, schedule or sensor: ``nightly_sync``, or ``acme__nightly_sync`` if there are several."""
        return thing_name(self.name, name, is_alone=self.is_alone)

    def group(self, name: str) -> str:
        """The group of an asset. The assets of each community are one group if there are several communities."""
        return name if self.is_alone else _without_dashes(self.name)


def thing_name(community: str, name: str, *, is_alone: bool) -> str:
    """The name of a community's job, schedule or sensor. ``is_alone``: whether it is the only community."""
    return name if is_alone else f"{_without_dashes(community)}__{name}"


def load() -> tuple[list[Community], dict[str, str]]:
    """Read the configuration of every community.

    Returns:
        The communities whose configuration is valid, and for each other one why it is not.

    Raises:
        SettingsError: a problem concerns all communities, or none is valid.
        ContractError: the contract of the only community is invalid.
    """
    each = each_community()
    words: dict[str, str] = {}
    for name in each:
        other = words.setdefault(_without_dashes(name).casefold(), name)
        if other != name:
            raise SettingsError(
                f"{other} and {name} would have the same name in Dagster, which has no dashes. Rename one."
            )
    contracts: dict[Path | None, Contract] = {}
    shared: dict[str, dict[str, Any]] = {}
    communities = []
    errors: dict[str, SettingsError | ContractError] = {}
    for name, settings in each.items():
        if isinstance(settings, SettingsError):
            errors[name] = settings
            continue
        try:
            if settings.contract not in contracts:
                contracts[settings.contract] = load_fitting_contract(settings.contract)
        except ContractError as error:
            errors[name] = SettingsError(settings.worded(str(error))) if settings.file else error
            continue
        contract = contracts[settings.contract]
        alike = shared.setdefault(_contract_text(contract), {})
        communities.append(_community(settings, contract, is_alone=len(each) == 1, shared=alike))
    if errors and len(each) == 1:
        raise next(iter(errors.values()))
    if errors and not communities:  # a sentence about two of them is a problem of both
        problems = [e.problems if isinstance(e, SettingsError) else (str(e),) for e in errors.values()]
        raise SettingsError(*dict.fromkeys(chain.from_iterable(problems)))
    return communities, {name: str(error) for name, error in errors.items()}


def community_of(settings: Settings) -> Community:
    """The community of settings that come from elsewhere. Raises SettingsError if its contract is not valid."""
    try:
        contract = load_fitting_contract(settings.contract)
    except ContractError as error:
        raise SettingsError(settings.worded(str(error))) from None
    return _community(settings, contract, is_alone=False, shared={})


def as_text(communities: Sequence[Community]) -> str:
    """The configuration as a text, without secrets. Contracts that are alike are in it once."""
    contracts: dict[str, str] = {}
    described = []
    for one in communities:
        contract = _contract_text(one.contract)
        digest = _digest(contract)
        contracts[digest] = contract
        described.append({**_plain(one.settings), "version": one.version, "contract": digest})
    text = json.dumps({"communities": described, "contracts": contracts, "is_alone": communities[0].is_alone})
    return base64.b64encode(zlib.compress(text.encode())).decode()


class Snapshot:
    """The configuration that ``as_text`` wrote, for a run."""

    def __init__(self, text: str) -> None:
        self._data = json.loads(zlib.decompress(base64.b64decode(text)))

    @property
    def names(self) -> list[str]:
        """The names of the communities."""
        return [str(one["settings"]["community"]) for one in self._data["communities"]]

    @property
    def is_alone(self) -> bool:
        """Whether only one community is configured, also if others are not valid."""
        return bool(self._data["is_alone"])

    def communities(self, *names: str) -> list[Community]:
        """Some communities, or all, with the secrets that their variables have now.

        Raises:
            SettingsError: a variable is not set any more.
        """
        chosen = [one for one in self._data["communities"] if one["settings"]["community"] in (names or self.names)]
        texts = {digest: self._data["contracts"][digest] for digest in {one["contract"] for one in chosen}}
        contracts = {digest: Contract.model_validate_json(text) for digest, text in texts.items()}
        variables = _variables(name for one in chosen for name in one["variables"].values())
        shared: dict[str, dict[str, Any]] = {digest: {} for digest in contracts}
        return [
            Community(
                _settings(one, variables),
                contracts[one["contract"]],
                one["version"],
                is_alone=self.is_alone,
                shared=shared[one["contract"]],
            )
            for one in chosen
        ]


class Loaded:
    """What the definitions are built from, to compare it with what the files say by now. Raises SettingsError."""

    def __init__(self, communities: Sequence[Community]) -> None:
        self._versions = {one.settings.community: one.version for one in communities}
        self._names = sorted(
            {name for one in communities for field in _SECRETS if (name := one.settings.variable_of(field))}
        )
        self._env = read_env_file(*self._names)

    def finding(self, settings: Settings) -> Finding | None:
        """The finding that the configuration of a community was changed since; None if it was not."""
        version = self._versions[settings.community]
        means = f"Runs use what was loaded (version {version})."
        try:
            written = load_settings(settings.community if settings.file else None)
            now = _community(written, load_fitting_contract(written.contract), is_alone=True, shared={})
            # Dagster copies `.env` into the environment when it starts, and never again.
            is_changed = now.version != version or read_env_file(*self._names) != self._env
        except (SettingsError, ContractError) as error:
            return Finding(
                CODE,
                None,
                "error",
                settings.worded(f"The configuration was changed since Dagster loaded it, and is not valid: {error}"),
                f"{means} After a restart, Dagster could not load it, and no night would run.",
                "Correct it; `ideas-pipeline contract validate` checks it.",
            )
        if not is_changed:
            return None
        return Finding(
            CODE,
            None,
            "warning",
            "The configuration was changed since Dagster loaded it, and is valid.",
            means,
            "To use the new one, restart Dagster's services.",
        )


def left_out(invalid: Mapping[str, str]) -> Finding:
    """The finding about communities that are left out, because their configuration is not valid."""
    return Finding(
        CODE,
        None,
        "error",
        " ".join(f"The configuration of {name} is not valid: {why}" for name, why in invalid.items()),
        f"Dagster has left {', '.join(invalid)} out: none of their nights runs. The other communities are as usual.",
        "Correct it, check it with `ideas-pipeline contract validate`, and restart Dagster's services.",
    )


def _community(settings: Settings, contract: Contract, *, is_alone: bool, shared: dict[str, Any]) -> Community:
    if settings.simulated and settings.file is None:
        own = {*_DEMO, "warehouse_url", "token_store"}
        settings = Settings(**_DEMO, **settings.model_dump(exclude=own))
    version = _digest(json.dumps(_plain(settings), sort_keys=True), _contract_text(contract))
    return Community(settings, contract, version[:_VERSION_LENGTH], is_alone, shared)


def _plain(settings: Settings) -> dict[str, Any]:
    """The settings without secrets, and the names of the variables that have these."""
    values = settings.model_dump(mode="json", include=settings.model_fields_set - _SECRETS)
    variables = {}
    for field in sorted(settings.model_fields_set & _SECRETS):
        value = getattr(settings, field)
        if isinstance(value, Path):  # a token store that is a file
            value = str(value)
        if not value:
            continue
        if name := settings.variable_of(field):
            variables[field] = name
        else:  # the file of communities has no secret in it
            values[field] = value.get_secret_value() if isinstance(value, SecretStr) else value
    return {"settings": values, "variables": variables, "file": settings.file and str(settings.file)}


def _settings(plain: Mapping[str, Any], variables: Mapping[str, str]) -> Settings:
    missing = sorted({name for name in plain["variables"].values() if name not in variables})
    if missing:
        raise SettingsError(
            f"{', '.join(missing)} was set when Dagster loaded the settings of {plain['settings']['community']}, and "
            "is not any more. Set it, or reload the code location."
        )
    secrets = {field: variables[name] for field, name in plain["variables"].items()}
    settings = Settings.model_validate(plain["settings"] | secrets)
    return settings.read_from(Path(plain["file"]), plain["variables"]) if plain["file"] else settings


def _variables(names: Iterable[str]) -> dict[str, str]:
    """Those of the variables that are set, in the environment or in ``.env``."""
    named = set(names)
    found = {name: value for name in named if (value := os.environ.get(name))}
    if found.keys() < named:
        found = {name: value for name, value in read_env_file(*named).items() if name in named and value} | found
    return found


def _without_dashes(community: str) -> str:
    """The name as Dagster allows it for everything but assets."""
    return community.replace("-", "_")


def _contract_text(contract: Contract) -> str:
    return contract.model_dump_json(by_alias=True)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
