"""What people open: the published warehouse and the report.

Belongs here: the two assets at the end of the road. Does not belong here: the copy, the swap or
the page (`rapport.publish`, `rapport.report`). Both come after the blocking dbt tests: a failed
one ends the run before this step.
"""

# Dagster reads the annotations of a step when it is defined: they must not be put off.
from collections.abc import Iterable, Iterator
from datetime import timedelta

import dagster as dg

from assets import checks
from assets.dbt import WRITER_POOL
from assets.resources import PUBLISHED_WAREHOUSE, Warehouse
from assets.streams import OWNER, failing_clearly
from rapport.config import Config
from rapport.dbt import PUBLISHED_PREFIXES

GROUP = "published"
EVERY_DAY = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=36)
)
REPORT = dg.AssetKey("report")


def published_assets(config: Config, models: Iterable[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """Return the published warehouse, made from those of `models` it copies, and the report."""
    copied = [key for key in models if key.path[-1].startswith(PUBLISHED_PREFIXES)]

    @dg.asset(
        key=PUBLISHED_WAREHOUSE,
        description="Marts and metrics in one read-only DuckDB file and as Parquet, swapped "
        "whole after the blocking checks. Open it with `duckdb -readonly`.",
        deps=copied,
        group_name=GROUP,
        kinds={"duckdb", "parquet"},
        owners=[OWNER],
        tags={"layer": "published"},
        metadata={"dagster/uri": "warehouse.duckdb"},
        # Where time stands still nothing grows stale; else each day has numbers of its own.
        freshness_policy=EVERY_DAY if config.as_of is None else None,
        pool=WRITER_POOL,
        check_specs=[
            checks.merges_spec(PUBLISHED_WAREHOUSE),
            checks.readable_spec(PUBLISHED_WAREHOUSE),
        ],
    )
    def published_warehouse(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:  # type: ignore[type-arg]
        with failing_clearly():
            # before publishing, which ends the step if they are too many
            yield checks.merges(PUBLISHED_WAREHOUSE, warehouse.merges())
            published = warehouse.publish(context.run.run_id)
        rows = "\n".join(f"| {name} | {count:,} |" for name, count in published.tables.items())
        warehouse.on_event(f"Published {len(published.tables)} tables as of {published.as_of}.")
        yield dg.MaterializeResult(
            asset_key=PUBLISHED_WAREHOUSE,
            metadata={
                "as_of": published.as_of.isoformat(),
                "dagster/row_count": sum(published.tables.values()),
                "tables": dg.MetadataValue.md(f"| table | rows |\n| --- | ---: |\n{rows}"),
            },
            check_results=[checks.readable(PUBLISHED_WAREHOUSE, published)],
        )

    @dg.asset(
        key=REPORT,
        description="A site that opens from disk: whom to look after and why, community health, "
        "engagement, cadence, coverage, and a page per organization and per linked person.",
        deps=[PUBLISHED_WAREHOUSE],
        group_name=GROUP,
        kinds={"html"},
        owners=[OWNER],
        tags={"layer": "published"},
        metadata={"dagster/uri": "report/index.html"},
    )
    def report(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:  # type: ignore[type-arg]
        with failing_clearly():
            page = warehouse.render()
        warehouse.on_event("Wrote the report.")
        pages = sum(1 for _ in page.parent.rglob("*.html"))
        return dg.MaterializeResult(metadata={"pages": pages})

    return [published_warehouse, report]
