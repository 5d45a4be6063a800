"""What is really so: which record is whom, which traps were laid, what was planted.

Belongs here: the ledger and its Parquet files. Does not belong here: laying the traps.

Files, written by `Truth.write`:
    people: one row per real person.
    organizations: one row per real organization.
    profiles: one row per record of a person or organization ever made, with the person
        or organization it stands for (null: for nobody, such as a bot or a test record)
        and its state now: live, deleted, merged, purged, anonymized. `profile_key` takes
        the sources to be called `crm`, `forum`, `hub`, `social` and `shop`.
    memberships: who worked where from when until when.
    purchases: one row per order of the shop that is paid for and was neither cancelled nor
        wholly refunded, with what was left after refunds; tests by staff are none.
    traps: one row per difficulty laid, with the record it sits on.
    effects: one row per planted effect and subject, with dates and strength.
    meta: seed, size, clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_TEXT, _TIME = pa.string(), pa.timestamp("us", tz="UTC")

SCHEMAS: dict[str, pa.Schema] = {
    "people": pa.schema(
        [
            ("person", _TEXT),
            ("kind", _TEXT),
            ("is_staff", pa.bool_()),
            ("name", _TEXT),
            ("home_name", _TEXT),
            ("organization", _TEXT),
            ("work_email", _TEXT),
            ("private_email", _TEXT),
            ("known_since", _TIME),
            ("forum_until", _TIME),
        ]
    ),
    "organizations": pa.schema(
        [
            ("organization", _TEXT),
            ("kind", _TEXT),
            ("name", _TEXT),
            ("domain", _TEXT),
            ("parent", _TEXT),
            ("n_people", pa.int64()),
        ]
    ),
    "profiles": pa.schema(
        [
            ("profile_key", _TEXT),
            ("source_type", _TEXT),
            ("stream", _TEXT),
            ("native_id", _TEXT),
            ("entity", _TEXT),
            ("person", _TEXT),
            ("organization", _TEXT),
            ("state", _TEXT),
            ("merged_into", _TEXT),
            ("made_at", _TIME),
        ]
    ),
    "memberships": pa.schema(
        [("person", _TEXT), ("organization", _TEXT), ("since", _TIME), ("until", _TIME)]
    ),
    "purchases": pa.schema(
        [
            ("purchase_id", _TEXT),
            ("person", _TEXT),
            ("organization", _TEXT),
            ("occurred_at", _TIME),
            ("amount", pa.decimal128(18, 2)),
            ("currency", _TEXT),
        ]
    ),
    "traps": pa.schema(
        [
            ("trap", _TEXT),
            ("source_type", _TEXT),
            ("stream", _TEXT),
            ("native_id", _TEXT),
            ("true_id", _TEXT),
            ("at", _TIME),
            ("detail", _TEXT),
        ]
    ),
    "effects": pa.schema(
        [
            ("effect", _TEXT),
            ("entity", _TEXT),
            ("true_id", _TEXT),
            ("native_id", _TEXT),
            ("since", _TIME),
            ("until", _TIME),
            ("value", pa.float64()),
            ("detail", _TEXT),
        ]
    ),
    "meta": pa.schema(
        [("seed", pa.int64()), ("people", pa.int64()), ("start", _TIME), ("now", _TIME)]
    ),
}


@dataclass(slots=True)
class Profile:
    """A record somewhere; `true_id` is None when it stands for nobody."""

    source_type: str
    stream: str
    native_id: str
    entity: str
    true_id: str | None
    made_at: datetime


@dataclass
class Truth:
    """The ledger: filled while the world lives, written when asked."""

    profiles: dict[tuple[str, str, str], Profile] = field(default_factory=dict)
    traps: list[tuple[Any, ...]] = field(default_factory=list)
    effects: list[tuple[Any, ...]] = field(default_factory=list)

    def profile(
        self,
        source_type: str,
        stream: str,
        native_id: object,
        true_id: str | None,
        at: datetime,
        *,
        entity: str = "person",
    ) -> None:
        """Note which person or organization a new record stands for."""
        key = (source_type, stream, str(native_id))
        self.profiles[key] = Profile(*key, entity, true_id, at)

    def trap(
        self,
        trap: str,
        source_type: str,
        stream: str,
        native_id: object,
        true_id: str | None,
        at: datetime,
        detail: str = "",
    ) -> None:
        """Note a difficulty and the record it sits on."""
        self.traps.append((trap, source_type, stream, str(native_id), true_id, at, detail))

    def effect(
        self,
        effect: str,
        entity: str,
        true_id: str | None,
        *,
        native_id: object = None,
        since: datetime | None = None,
        until: datetime | None = None,
        value: float | None = None,
        detail: str = "",
    ) -> None:
        """Note something planted that metrics should find."""
        text = None if native_id is None else str(native_id)
        self.effects.append((effect, entity, true_id, text, since, until, value, detail))


def write_table(folder: Path, name: str, rows: Sequence[Sequence[Any]]) -> None:
    """Write one truth table; equal rows make equal bytes."""
    schema = SCHEMAS[name]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [
        pa.array(column, type=kind.type) for column, kind in zip(columns, schema, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
