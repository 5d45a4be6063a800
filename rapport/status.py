"""What `rapport status` shows: per stream, how far it is and what is wrong with it.

Belongs here: putting together what landing, quarantine and the declarations say. Does not
belong here: printing (`rapport.cli`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connectors.landing import Landing
from connectors.quarantine import Quarantine
from rapport.config import Config, declared_streams


def stream_lines(config: Config) -> list[dict[str, Any]]:
    """Return one dict per stream, in the order of the configuration.

    Keys: `place`, `type`, `last_sync` (ISO 8601, UTC), `finished` (whether that sync reached
    the end), `cursor`, `rows` (landed versions), `held` (records now, or None where it was not
    counted), `source_count` (what the source counts), `lag_s` (seconds since the last sync),
    `changes` (rows and deletions), `calls`, `calls_per_change` (None: nothing changed), `deletes`,
    `late`, `missing` and `extra` (of the last sync; None: not compared), `spans_left` (parts of the
    history that a backfill has not read yet), `reconciles` and `unreconciled` (how the stream is
    compared with its source, or why not), `backfill`, `difference` and `quarantine` (words),
    `quarantined` (reason -> count), `coverage`.
    """
    landing = Landing(config.home)
    lines = []
    for name in config.sources:
        for stream in declared_streams(config, name):
            summary = landing.stream(name, stream.name).summary()
            sync = summary["sync"]
            last = sync.get("finished_at") or sync.get("started_at")
            reasons = Quarantine(config.home, name, stream.name).reasons()
            lines.append(
                {
                    "place": f"{name}.{stream.name}",
                    "type": config.source(name).type,
                    "last_sync": last,
                    "finished": bool(sync.get("done")),
                    "cursor": _text(summary["cursor"]),
                    "rows": summary["rows"],
                    "held": sync.get("held_count"),
                    "lag_s": _age_s(last),
                    "source_count": sync.get("source_count"),
                    "changes": sync.get("rows", 0) + sync.get("deletes", 0),
                    "calls": sync.get("requests", 0),
                    "calls_per_change": sync.get("calls_per_change"),
                    "spans_left": sync.get("spans_left", 0),
                    "missing": sync.get("missing"),
                    "extra": sync.get("extra"),
                    "backfill": _left(sync.get("spans_left", 0)),
                    "difference": _difference(sync),
                    "reconciles": stream.reconciles,
                    "unreconciled": stream.unreconciled,
                    "deletes": sync.get("deletes", 0),
                    "late": sync.get("late", 0),
                    "quarantine": ", ".join(f"{n} {why}" for why, n in sorted(reasons.items())),
                    "quarantined": reasons,
                    "coverage": stream.coverage,
                }
            )
    return lines


def _left(spans: int) -> str:
    return f"{spans} parts of it; the next sync goes on with them" if spans else ""


def _difference(sync: dict[str, Any]) -> str:
    """Say how what is held differs from what the source counted, if it was compared and does."""
    counts = ((sync.get(name) or 0, name) for name in ("missing", "extra"))
    return ", ".join(f"{count:,} {name}" for count, name in counts if count)


def _text(cursor: Any) -> str | None:
    return None if cursor is None else str(cursor)


def _age_s(stamp: str | None) -> float | None:
    if stamp is None:
        return None
    return round((datetime.now(UTC) - datetime.fromisoformat(stamp)).total_seconds(), 1)
