"""What the steps of a run share: opened sources, and the one plan a build is made by.

Belongs here: state that several assets of one run need. Does not belong here: the work itself,
which `connectors` and `rapport` do. Steps run in one process, so plain objects suffice; nothing
is opened, read or imported before a step asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from connectors.base import Source
from rapport.config import Config

if TYPE_CHECKING:
    from rapport.build import BuildPlan, BuildResult
    from rapport.identity.gate import Merges
    from rapport.publish import Published

PUBLISHED_WAREHOUSE = dg.AssetKey("published_warehouse")

OnEvent = Callable[[str], None]
"""Receives one line of text per thing worth telling a waiting user."""


def silent(text: str) -> None:
    """Tell nobody: the default listener."""


@dataclass
class Sources:
    """Sources by name, each opened once, so that all its streams ride on one login."""

    config: Config
    on_event: OnEvent = silent
    _opened: dict[str, Source] = field(default_factory=dict)

    def open(self, name: str) -> Source:
        """Return the source with its secrets filled in; raise `ConfigError` if one is missing."""
        if name not in self._opened:
            self._opened[name] = self.config.open(name)
        return self._opened[name]


@dataclass
class Warehouse:
    """The steps from landing to report, under the plan that a run decided on once."""

    config: Config
    on_event: OnEvent = silent
    _plans: dict[str, BuildPlan] = field(default_factory=dict)

    def plan(self, run_id: str, as_of: date | None) -> BuildPlan:
        """Decide what this run builds, and keep it for the steps that follow."""
        from rapport import build

        self._plans[run_id] = build.plan(self.config, as_of)
        return self._plans[run_id]

    def plan_part(self, run_id: str, as_of: date | None) -> BuildPlan:
        """Decide the same for a run that builds some of the models."""
        from rapport import build

        self._plans[run_id] = build.plan_part(self.config, as_of)
        return self._plans[run_id]

    def prepare(self, plan: BuildPlan) -> None:
        """Write what dbt reads into the build database."""
        from rapport import build

        build.prepare(self.config, plan)

    def finish(self, plan: BuildPlan) -> BuildResult:
        """Count the built tables and bring rows that could not be typed to quarantine."""
        from rapport import build

        return build.finish(self.config, plan)

    def publish(self, run_id: str) -> Published:
        """Publish what this run has built; a run that built nothing: what the last one did."""
        from rapport import build, publish

        plan = self._plans.get(run_id) or build.plan_part(self.config)
        return publish.publish(self.config, plan)

    def merges(self) -> Merges:
        """Count the people that what is built would make one."""
        from rapport.build import BUILD_NAME
        from rapport.identity import gate

        return gate.merges(self.config.home / BUILD_NAME)

    def render(self) -> Path:
        """Write the report and return its page."""
        from rapport import report

        return report.render(self.config)
