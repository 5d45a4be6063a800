"""Syncing a selection of streams without Dagster: the road of `rapport sync`.

Belongs here: choosing streams, sources side by side, streams of one source one after the
other. Does not belong here: how a stream is synced (`connectors.sync`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.base import Stream
from connectors.errors import ConfigError, RapportError, suggestion
from connectors.sync import Progress, SyncResult, sync_stream
from rapport.config import Config, declared_streams


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one stream (or of a source that could not be opened)."""

    place: str
    result: SyncResult | None = None
    error: RapportError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        facts = dataclasses.asdict(self.result) if self.result else {}
        return {"place": self.place, "error": str(self.error) if self.error else None, **facts}


def sync_selected(
    config: Config,
    selection: Sequence[str],
    *,
    full_refresh: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Sync `SOURCE` or `SOURCE.STREAM` names (none: everything), sources in parallel.

    One failing stream stops neither its source nor the others; its error is in its outcome.

    Raises:
        ConfigError: a name does not exist.
    """
    chosen = chosen_streams(config, selection)

    def sync_source(name: str) -> list[Outcome]:
        try:
            source = config.open(name)
        except RapportError as error:
            return [Outcome(place=name, error=error)]
        outcomes = []
        for stream in chosen[name]:
            place = f"{name}.{stream.name}"
            try:
                result = sync_stream(
                    source,
                    stream,
                    config.home,
                    since=since,
                    until=until,
                    full_refresh=full_refresh,
                    on_progress=on_progress,
                )
                outcomes.append(Outcome(place=place, result=result))
            except RapportError as error:
                outcomes.append(Outcome(place=place, error=error))
        return outcomes

    with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
        return [outcome for part in pool.map(sync_source, chosen) for outcome in part]


def chosen_streams(config: Config, selection: Sequence[str]) -> dict[str, list[Stream]]:
    """Return source -> streams of `SOURCE` or `SOURCE.STREAM` names (none: everything).

    Raises:
        ConfigError: a name does not exist.
    """
    if not selection:
        return {name: list(declared_streams(config, name)) for name in config.sources}
    chosen: dict[str, list[Stream]] = {}
    for item in selection:
        name, _, stream_name = item.partition(".")
        config.source(name)
        streams = {stream.name: stream for stream in declared_streams(config, name)}
        if stream_name and stream_name not in streams:
            raise ConfigError(
                f"no stream `{stream_name}` in source `{name}`."
                f"{suggestion(stream_name, streams)} Streams: {', '.join(streams)}."
            )
        wanted = [streams[stream_name]] if stream_name else list(streams.values())
        known = chosen.setdefault(name, [])
        known.extend(stream for stream in wanted if stream not in known)
    return chosen
