"""One asset per stream: a vendor's list of records, brought to landing files.

Belongs here: what Dagster shows of a stream (key, pool, retries, freshness, metadata) and the
step that syncs it. Does not belong here: how a stream is read (`connectors`), or anything that
opens the warehouse: syncs write files only, so that they never wait for a build.

Who tries again: the session repeats single requests; this layer repeats a sync that the session
has given up on, and only when the error says that the same call may succeed later.
"""

# Dagster reads the annotations of a step when it is defined: they must not be put off.
import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import dagster as dg

from assets import checks
from assets.resources import Sources
from connectors.base import Source, Stream
from connectors.errors import RapportError, Retriable
from rapport.config import Config, SourceConfig, declared_streams

OWNER = "team:relationship-data"
FIELDS_SENT = "fields_sent"
PROGRESS_EVERY_S = 20.0
WAIT_WORTH_TELLING_S = 5.0

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)

# As written by connectors.landing (a test compares the two).
LANDING_COLUMNS = (
    ("_key", "string", "The record's key; several fields make a JSON array."),
    ("_seq", "int64", "Strictly increasing per stream in the order of commits."),
    ("_op", "string", "`upsert` or `delete`."),
    ("_merged_into", "string", "For a delete by merge: the key of the record that remains."),
    ("_version", "timestamp", "The source's change stamp where it is trusted, else read time."),
    ("_loaded_at", "timestamp", "When it was landed (UTC)."),
    ("_sync_id", "string", "The sync that landed it."),
    ("record", "string", "The allowed fields as the vendor wrote them, as JSON."),
)


class SyncConfig(dg.Config):
    """What a sync may be asked for besides "what is new"; for the launchpad.

    Attributes:
        full_refresh: read everything again; nothing is emptied meanwhile.
        since, until: ISO 8601 stamps (UTC) of a window to read again.
    """

    full_refresh: bool = False
    since: str | None = None
    until: str | None = None


def stream_assets(
    config: Config, retries: dg.RetryPolicy | None = RETRIES
) -> list[dg.AssetsDefinition]:
    """Return one asset per declared stream of every configured source."""
    return [
        _stream_asset(source, stream, retries)
        for source in config.sources.values()
        for stream in declared_streams(config, source.name)
    ]


def stream_key(source: str, stream: str) -> dg.AssetKey:
    """Return the asset key of a stream."""
    return dg.AssetKey([source, stream])


def sync_job_name(source: str) -> str:
    """Return the name of the job that syncs a source."""
    return f"sync_{source}"


def pool_of(source: str) -> str:
    """Return the pool of a source's credential: one sync at a time talks to the vendor with it."""
    return source


def _stream_asset(
    source: SourceConfig, stream: Stream, retries: dg.RetryPolicy | None
) -> dg.AssetsDefinition:
    key = stream_key(source.name, stream.name)

    @dg.asset(
        key=key,
        description=_description(source, stream),
        group_name=source.name,
        kinds={source.type, "parquet"},
        owners=[OWNER],
        tags={"layer": "landing", "source_type": source.type, "sync_mode": stream.sync_mode},
        metadata={
            "dagster/column_schema": _column_schema(stream),
            "dagster/uri": f"landing/{source.name}/{stream.name}",
            "cursor": stream.cursor or "none",
            "deletes": stream.deletes,
            "coverage": stream.coverage or "complete",
        },
        pool=pool_of(source.name),
        retry_policy=retries,
        check_specs=checks.stream_check_specs(key),
        freshness_policy=_freshness(source.schedule),
    )
    def synced(
        context: dg.AssetExecutionContext, config: SyncConfig, sources: dg.ResourceParam[Sources]
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        return _sync(context, config, sources, source.name, stream)

    return synced


def _sync(
    context: dg.AssetExecutionContext,
    wanted: SyncConfig,
    sources: Sources,
    source: str,
    stream: Stream,
) -> dg.MaterializeResult[Any]:
    from connectors.sync import sync_stream

    key = stream_key(source, stream.name)
    with failing_clearly():
        watched = checks.FieldWatch(sources.open(source))
        result = sync_stream(
            cast(Source, watched),
            stream,
            sources.config.home,
            since=_stamp(wanted.since),
            until=_stamp(wanted.until),
            full_refresh=wanted.full_refresh,
            on_progress=_progress_lines(context.log.info, sources.on_event),
        )
    known = _fields_sent_before(context, key)
    if result.ended_early:
        context.log.warning(
            f"{source}.{stream.name}: the quota is used up; the next sync goes on from here."
        )
    sources.on_event(_summary(result))
    return dg.MaterializeResult(
        asset_key=key,
        metadata=_metadata(result) | {FIELDS_SENT: sorted(known | watched.names)},
        check_results=[
            checks.reconciliation(key, result),
            checks.schema_drift(key, stream, watched.names, known),
        ],
    )


@contextmanager
def failing_clearly() -> Iterator[None]:
    """Turn errors into Dagster's: what may succeed later is tried again, all else is not."""
    try:
        yield
    except Exception as error:
        if isinstance(error, Retriable):
            raise
        known = isinstance(error, RapportError)
        words = str(error) if known else f"{type(error).__name__}: {error}"
        raise dg.Failure(description=words, allow_retries=False) from error


def _metadata(result: Any) -> dict[str, Any]:
    facts: Mapping[str, Any] = {
        "dagster/row_count": result.held_count,
        "rows": result.rows,
        "deletes": result.deletes,
        "quarantined": result.quarantined,
        "late": result.late,
        "pages": result.pages,
        "requests": result.requests,
        "calls_per_change": result.calls_per_change,
        "spans_left": result.spans_left,
        "waits_s": round(result.waits_s, 1),
        "cursor_from": None if result.cursor_from is None else str(result.cursor_from),
        "cursor_to": None if result.cursor_to is None else str(result.cursor_to),
        "landed_files": result.files,
        "ended_early": result.ended_early,
        "source_count": result.source_count,
        "missing": result.missing,
        "extra": result.extra,
        "sync_id": result.sync_id,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _summary(result: Any) -> str:
    words = f"{result.source}.{result.stream}: {result.rows:,} rows"
    for count, what in ((result.deletes, "deleted"), (result.quarantined, "quarantined")):
        if count:
            words += f", {count:,} {what}"
    return words + (", ended early on a quota" if result.ended_early else "")


def _fields_sent_before(context: dg.AssetExecutionContext, key: dg.AssetKey) -> set[str]:
    event = context.instance.get_latest_materialization_event(key)
    found = event.asset_materialization.metadata.get(FIELDS_SENT) if event else None
    return set(found.value) if found else set()


def _progress_lines(*listeners: Callable[[str], Any]) -> Callable[[Any], None]:
    """Return a listener that passes on one line every so often, and every wait worth telling."""
    last = time.monotonic()

    def on_progress(progress: Any) -> None:
        nonlocal last
        recently = time.monotonic() - last < PROGRESS_EVERY_S
        if recently and progress.waiting_s < WAIT_WORTH_TELLING_S:
            return
        last = time.monotonic()
        line = (
            f"{progress.source}.{progress.stream}: {progress.rows:,} rows, "
            f"{progress.pages:,} pages, {progress.rate:,.0f} rows/s"
        )
        if progress.waiting_s:
            line += f", waiting {progress.waiting_s:.0f} s for {progress.waiting_for}"
        for listener in listeners:
            listener(line)

    return on_progress


def _stamp(text: str | None) -> datetime | None:
    if text is None:
        return None
    stamp = datetime.fromisoformat(text)
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def _description(source: SourceConfig, stream: Stream) -> str:
    name = stream.name.replace("_", " ").capitalize()
    what = f"{stream.object_name} records" if stream.object_name else name
    deletes = {
        "tombstones": "Deletes come as the source's own list of deleted records.",
        "archived": "Deletes come from the source's listing of archived records.",
        "census": "A record that a complete walk no longer shows is deleted.",
        "reread": "The newest records are read again to see what changed or went.",
        "none": "The source reports no deletes.",
    }
    parts = [
        f"{what} of {source.label} ({source.type}), as the source returned them.",
        f"One record per {', '.join(stream.key)}.",
        f"Read by `{stream.cursor}`." if stream.cursor else "Read as a whole each time.",
        deletes[stream.deletes],
        f"Limit of the source: {stream.coverage}." if stream.coverage else "",
    ]
    return " ".join(filter(None, parts))


def _column_schema(stream: Stream) -> dg.TableSchema:
    landed = [
        dg.TableColumn(name, kind, description) for name, kind, description in LANDING_COLUMNS
    ]
    inside = [
        dg.TableColumn(
            f"record.{field}",
            stream.types.get(field, "text"),
            tags={"pii": stream.pii.get(field, "none")},
        )
        for field in stream.fields
    ]
    return dg.TableSchema(columns=[*landed, *inside])


def _freshness(schedule: str) -> dg.FreshnessPolicy:
    """Warn when one sync was missed, fail when three were (by the schedule's longest gap)."""
    gap = longest_gap(schedule)
    return dg.FreshnessPolicy.time_window(warn_window=2 * gap, fail_window=4 * gap)


@functools.cache  # streams share their source's line, and a line of every minute has many ticks
def longest_gap(schedule: str) -> timedelta:
    """Return the longest time between two ticks of a cron line, in nine days or, if rare, years."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for days in (9, 900):
        ticks = dg.TimeWindowPartitionsDefinition(
            start=start,
            end=start + timedelta(days=days),
            cron_schedule=schedule,
            fmt="%Y-%m-%dT%H:%M",
        ).get_partition_keys()
        if len(ticks) >= 3:
            break
    stamps = [datetime.fromisoformat(tick) for tick in ticks]
    gaps = (after - before for before, after in itertools.pairwise(stamps))
    return max(gaps, default=timedelta(days=366))
