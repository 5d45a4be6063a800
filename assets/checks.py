"""Checks that SQL cannot make: against the source, against the declaration, against the disk.

Belongs here: reconciliation and schema drift per stream, and whether the published file opens.
Does not belong here: rules about data, which are dbt tests. Each check is evaluated in the step
that has the facts in hand, so that a check costs no step of its own. None holds a value of a
record in its metadata.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec

from connectors.base import Page, Source, State, Stream, Window

if TYPE_CHECKING:
    from connectors.sync import SyncResult
    from rapport.identity.gate import Merges
    from rapport.publish import Published

RECONCILIATION = "reconciliation"
SCHEMA_DRIFT = "schema_drift"
MERGES = "merges"
READABLE = "readable"


def stream_check_specs(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """Return the checks that every stream carries."""
    return [
        dg.AssetCheckSpec(
            RECONCILIATION,
            asset=key,
            description="What the source counts against what is held: missing, extra and late.",
        ),
        dg.AssetCheckSpec(
            SCHEMA_DRIFT,
            asset=key,
            description="Fields that the source has begun to send; they are not landed.",
        ),
    ]


class FieldWatch:
    """A source that notes which fields it sends, by the first record of each page.

    Everything else passes through. What is noted are names of fields, never values.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the source's pages as they are."""
        return self._watched(self._source.read(stream, state, window))

    def read_span(self, stream: Stream, state: State) -> Iterator[Page]:
        """Yield the pages of a part of a long history as they are."""
        source: Any = self._source
        return self._watched(source.read_span(stream, state))

    def _watched(self, pages: Iterator[Page]) -> Iterator[Page]:
        for page in pages:
            if page.records:
                self.names |= _field_names(page.records[0])
            yield page


def schema_drift(
    key: dg.AssetKey, stream: Stream, sent: Collection[str], sent_before: Collection[str]
) -> dg.AssetCheckResult:
    """Warn once about fields that the source has begun to send and that are not allowed."""
    allowed = {field.split(".", 1)[0] for field in stream.fields}
    begun = sorted(set(sent) - set(sent_before) - allowed) if sent_before else []
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=SCHEMA_DRIFT,
        passed=not begun,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"The source now sends {', '.join(begun)}. Fields that are not allowed are "
        "not landed; add what you need under `fields:` in rapport.yml."
        if begun
        else "No field that was not there before.",
        metadata={"new_fields": begun},
    )


def _field_names(record: bytes) -> set[str]:
    try:
        return set(msgspec.json.decode(record, type=dict[str, msgspec.Raw]))
    except msgspec.DecodeError:
        return set()  # a record that cannot be read is the quarantine's business


def reconciliation(key: dg.AssetKey, result: SyncResult) -> dg.AssetCheckResult:
    """Warn when the source counts something else than is held; pass when it does not count."""
    counted = result.source_count is not None
    differs = bool(result.missing or result.extra)
    if not counted:
        words = "The source does not count this stream."
    elif differs:
        words = (
            f"The source counts {result.source_count:,}, held are {result.held_count:,}. "
            "Records changed during the sync settle with the next one; if it stays, "
            "sync with --full-refresh."
        )
    else:
        words = f"The source and the landing files both count {result.held_count:,}."
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=RECONCILIATION,
        passed=not differs,
        severity=dg.AssetCheckSeverity.WARN,
        description=words,
        metadata={
            name: value
            for name, value in {
                "source_count": result.source_count,
                "held_count": result.held_count,
                "missing": result.missing,
                "extra": result.extra,
                "late": result.late,
            }.items()
            if value is not None
        },
    )


def merges_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the check that a build does not make too many people one."""
    return dg.AssetCheckSpec(
        MERGES,
        asset=key,
        description="No more people are merged than a run should; else what was published stays.",
        blocking=True,
    )


def merges(key: dg.AssetKey, found: Merges) -> dg.AssetCheckResult:
    """Tell how many people a build merges; more than it may fail the check."""
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=MERGES,
        passed=not (found.are_too_many or found.are_of_one_value),
        metadata={
            "people_before": found.n_before,
            "merged": found.n_merged,
            "most_over_one_value": found.most_over_one_value,
        },
    )


def readable_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    """Return the check that the published file opens."""
    return dg.AssetCheckSpec(
        READABLE, asset=key, description="The published file opens and holds what was copied."
    )


def readable(key: dg.AssetKey, published: Published) -> dg.AssetCheckResult:
    """Open the published file as an analyst would and compare its tables with what was copied."""
    import duckdb

    try:
        with duckdb.connect(str(published.path), read_only=True) as connection:
            found = connection.execute(
                "select table_name, estimated_size from duckdb_tables() where schema_name = 'main'"
            ).fetchall()
    except duckdb.Error as error:
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=READABLE,
            passed=False,
            description=f"`{Path(published.path).name}` does not open: {error}.",
        )
    held = dict(found)
    wrong = sorted(name for name, rows in published.tables.items() if held.get(name) != rows)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=READABLE,
        passed=not wrong,
        description=f"{len(published.tables)} tables open with the rows that were copied."
        if not wrong
        else f"Missing or of another size than copied: {', '.join(wrong)}.",
        metadata={"tables": len(held)},
    )
