"""A community as a component, for a Dagster project that exists already (``dg scaffold defs``)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ideas_pipeline.defs.community import community_defs
from ideas_pipeline.defs.configuration import Community, community_of
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import Settings, contradictions, invalid_values

# Every community of the project, for the one resource that they share: Dagster allows one of each name.
_COMMUNITIES: list[Community] = []
_OPENED = resources(_COMMUNITIES)


# A value that is a variable of the environment: {{ env.ACME_CLIENT_SECRET }}.
_VARIABLE = re.compile(r"\s*\{\{\s*env\.(\w+)\s*\}\}\s*")


class IdeasCommunity(dg.Component):
    """A community of Medallia Ideas: tables, marts and report, with checks, jobs, schedules and alerts.

    Its attributes are the settings of ``ideas_pipeline.yaml``, and ``community``, its name. Write a secret as
    ``"{{ env.NAME }}"``. Relative paths are relative to the working folder.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @classmethod
    @cache
    def get_model_cls(cls) -> type[BaseModel]:
        fields: dict[str, Any] = {
            name: (Any, Field(None, description=f"Must be {known.description}."))
            for name, known in Settings.model_fields.items()
        }
        return create_model("IdeasCommunityAttributes", __config__=ConfigDict(extra="forbid"), **fields)

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        given = context.resolution_context.resolve_value(
            attributes.model_dump(exclude_unset=True) if attributes else {}
        )
        name = given.get("community", Settings.model_fields["community"].default)
        file = _file(context)
        try:  # two communities in one state folder would overwrite each other's tokens
            settings = Settings.model_validate({"state_dir": f".ideas/{name}", **given})
        except ValidationError as error:
            wrong = {key: rest for key, _, rest in invalid_values(error)}
            raise SettingsError(*(f"{key} of {name} in {file} {rest}." for key, rest in wrong.items())) from None
        settings = settings.read_from(file, _variables(attributes))
        if problems := list(contradictions(settings, settings.named)):
            raise SettingsError(*problems)
        return cls(settings)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        community = community_of(self.settings)
        _COMMUNITIES.append(community)
        own = community_defs(community, None, {"resources": _OPENED, "executor": dg.in_process_executor})
        return dg.Definitions.merge(own, dg.Definitions(resources=_OPENED))


def _file(context: dg.ComponentLoadContext) -> Path:
    """The component's file, relative to the working folder if it is in there."""
    file = context.path / "defs.yaml" if context.path.is_dir() else context.path
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


def _variables(attributes: BaseModel | None) -> dict[str, str]:
    """The attributes that are variables of the environment, each with the variable's name."""
    written = attributes.model_dump(exclude_unset=True) if attributes else {}
    found = {name: _VARIABLE.fullmatch(value) for name, value in written.items() if isinstance(value, str)}
    return {name: match[1] for name, match in found.items() if match}
