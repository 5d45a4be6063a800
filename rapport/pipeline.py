"""Build and publish without Dagster: the road of `rapport build`.

Belongs here: the order of the steps. Does not belong here: any step itself.
"""

from __future__ import annotations

from typing import Any

from rapport import build, publish, report
from rapport.config import Config


def build_and_publish(config: Config, *, accept_merges: bool = False) -> dict[str, Any]:
    """Build what is due, publish it and write the report.

    Args:
        accept_merges: publish it however many people it makes one.

    Returns `built` (False when nothing was due), `message`, and when built `as_of`,
    `tables` (rows per published table), `untyped` (rows brought to quarantine) and `unmet` (lines
    of `identity/` that came to nothing).
    """
    plan = build.plan(config)
    if not plan.needed:
        return {"built": False, "message": f"Nothing to build: {plan.reason}."}
    build.prepare(config, plan)
    build.run_dbt(config, plan)
    result = build.finish(config, plan)
    published = publish.publish(config, plan, accept_merges=accept_merges)
    page = report.render(config)
    return {
        "built": True,
        "message": (
            f"Built because {plan.reason}. Published {len(published.tables)} tables as of "
            f"{plan.as_of} to {published.path}; report: {page}."
        ),
        "as_of": plan.as_of,
        "tables": dict(published.tables),
        "untyped": result.untyped,
        "unmet": list(result.unmet),
    }
