"""A community as a component, for a Dagster project that exists already (``dg scaffold defs``)."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ideas_pipeline.defs.community import community_defs
from ideas_pipeline.defs.configuration import Community, community_of
from ideas_pipeline.defs.resources import resources
from ideas_pipeline.errors import SettingsError
from ideas_pipeline.settings import Settings, contradictions

# Every community of the project, for the one resource that they share: Dagster allows one of each name.
_COMMUNITIES: list[Community] = []
_OPENED = resources(_COMMUNITIES)


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
        try:  # two communities in one state folder would overwrite each other's tokens
            settings = Settings.model_validate({"state_dir": f".ideas/{name}", **given})
        except ValidationError as error:
            wrong = dict.fromkeys(str(problem["loc"][0]) for problem in error.errors())
            known = Settings.model_fields
            raise SettingsError(*(f"{name} must be {known[name].description}." for name in wrong)) from None
        if problems := list(contradictions(settings, str)):
            raise SettingsError(*problems)
        return cls(settings)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        community = community_of(self.settings)
        _COMMUNITIES.append(community)
        own = community_defs(community, None, {"resources": _OPENED, "executor": dg.in_process_executor})
        return dg.Definitions.merge(own, dg.Definitions(resources=_OPENED))
