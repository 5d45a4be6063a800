"""How a stream of a `rest` source is read, and what its state says.

Belongs here: which part of a list is due, lists per record of another stream, and what says that
a record is gone. Does not belong here: pages (`paging`) and calls (`client`).

State of a list: that of its incremental pattern (see `connectors.incremental`), `cursor` alone for
`forward`, `census_at` and `fields` (see `begun_anew`). Of a list per record of another stream:
`parents` (the state of that stream as far as its records are done), `done` (those done beyond it),
`of` (key above -> state of the list below, if it keeps one), and the last two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec

from connectors.base import Page, State, Stream, Tombstone, Window
from connectors.errors import BadRequest, ServerError
from connectors.incremental import (
    NewestFirstWalk,
    begun_anew,
    change_walks,
    is_due,
    new_fields,
)
from connectors.records import Projected, members, own_stamp, parse_stamp, project, values
from connectors.rest.answers import Answer
from connectors.rest.client import EVERYTHING, GONE, Above, Api, Due
from connectors.rest.declared import DAY, added_name, has_time, references, stream_of
from connectors.rest.gone import page_of
from connectors.rest.paging import Chunk, Pages
from connectors.rest.settings import Archived, Census, RestStream, Settings
from connectors.tables import duration

NOWHERE: Above = {}


class Reader:
    """Reads the streams of one source."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._declared = settings.streams
        self._notes: list[str] = []

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `connectors.base.Source`."""
        self._notes = []
        state = self._api.hooks.call("state", stream.name, state)
        declared = self._declared[stream.name]
        by_hand = window.since is not None or window.until is not None
        is_whole = not by_hand and (
            window.full_refresh or self._census_is_due(declared, state, window)
        )
        asked = dataclasses.replace(window, full_refresh=is_whole)
        now = window.now.isoformat()
        begun = begun_anew(stream.fields, state, window, is_under_way=_is_under_way(state))
        facts: State = {"fields": begun["fields"]}
        if isinstance(declared.deletes, Census):
            # Before the first sync nothing is held that could be gone; before a full refresh, yes.
            at = state.get("census_at", None if state else window.before.get("census_at", now))
            facts |= {"census_at": at} if at else {}
        if (by_hand and declared.incremental in ("full", "forward")) or (
            window.until and declared.incremental == "newest_first"
        ):
            yield Page(notes=[f"incremental: {declared.incremental} knows no --since or --until"])
        last = {name: value for name, value in begun.items() if name not in ("census_at", "fields")}
        for page in self._walk(stream, last, asked):
            last = last if page.state is None else page.state
            yield dataclasses.replace(page, state={**last, **facts})
        if isinstance(declared.deletes, Archived):
            yield from self._archived(stream, declared, declared.deletes, state, asked)
        if "census_at" in facts and is_whole:
            facts["census_at"] = now
        new = new_fields(stream.fields, state)
        again = [f"read again for {', '.join(new)}"] if new and begun.keys() == {"fields"} else []
        yield Page(
            state={**last, **facts},
            census_complete=is_whole,
            source_count=self._count(stream, declared),
            notes=[*self._notes, *again],
        )

    def _census_is_due(self, declared: RestStream, state: State, window: Window) -> bool:
        if not isinstance(declared.deletes, Census) or _is_under_way(state):
            return False
        is_always = declared.incremental == "full" and not references(declared)
        return is_always or is_due(state, "census_at", duration(declared.deletes.every), window)

    # Walks

    def _walk(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield a stream's pages; with `full_refresh` all there is, whatever the state."""
        declared = self._declared[stream.name]
        if references(declared):
            return self._below(stream, declared, state, window)
        return self._list(stream, declared, NOWHERE, state, window)

    def _list(
        self, stream: Stream, declared: RestStream, above: Above, state: State, window: Window
    ) -> Iterator[Page]:
        """Yield the pages of one list."""
        if window.full_refresh:
            state = {}
        match declared.incremental:
            case "updated_since":
                return self._changed(stream, declared, above, state, window)
            case "newest_first":
                return self._newest(stream, declared, above, state, window)
            case "forward":
                return self._forward(stream, declared, above, state)
            case _:
                return self._whole(stream, declared, above, state)

    def _whole(
        self, stream: Stream, declared: RestStream, above: Above, state: State
    ) -> Iterator[Page]:
        """State: `walk` with the position, while there is one."""
        position = state.get("walk", {}).get("position")
        for chunk in self._chunks(stream, declared, above, EVERYTHING, position):
            here = {} if chunk.is_last else {"walk": {"position": chunk.position}}
            yield page_of(stream, declared, chunk.records, here)

    def _changed(
        self, stream: Stream, declared: RestStream, above: Above, state: State, window: Window
    ) -> Iterator[Page]:
        """State: that of `ChangeWalk`, whose position is (beginning of the slice, page)."""
        for walk in change_walks(stream, state, window):
            began, position = walk.position or (None, None)
            # A walk that is to show everything has no end: what is too young is there as well.
            end = None if window.full_refresh else walk.end
            for due in _spans(
                declared, walk.start, end, parse_stamp(began) if began else None, window.now
            ):
                start = due.start.isoformat() if due.start else None
                for chunk in self._chunks(stream, declared, above, due, position):
                    here = walk.at([start, chunk.position]) if not chunk.is_last else None
                    yield page_of(stream, declared, chunk.records, here)
                position = None
                if due.end is not None and due.end < walk.end:
                    yield Page(state=walk.at([due.end.isoformat(), None]))
            yield Page(state=walk.done())

    def _newest(
        self, stream: Stream, declared: RestStream, above: Above, state: State, window: Window
    ) -> Iterator[Page]:
        """State: that of `NewestFirstWalk`."""
        walk = NewestFirstWalk.begin(stream, state, window)
        is_top = walk.position is None
        for chunk in self._chunks(stream, declared, above, EVERYTHING, walk.position):
            stamps = [at for row in chunk.records if (at := own_stamp_text(row, stream))]
            self._check_order(stream, stamps)
            for at in stamps if is_top else ():
                walk.see(at)
            is_top = False
            is_below = bool(stamps) and all(map(walk.is_below_floor, stamps))
            is_last = chunk.is_last or is_below
            here = None if is_last else walk.at(chunk.position)
            yield page_of(stream, declared, chunk.records, here)
            if is_last:
                break
        yield Page(state=walk.done())

    def _forward(
        self, stream: Stream, declared: RestStream, above: Above, state: State
    ) -> Iterator[Page]:
        """State: `cursor`, where paging goes on."""
        for chunk in self._chunks(stream, declared, above, EVERYTHING, state.get("cursor")):
            here = {} if chunk.position is None else {"cursor": chunk.position}
            yield page_of(stream, declared, chunk.records, here)

    def _chunks(
        self, stream: Stream, declared: RestStream, above: Above, due: Due, position: Any
    ) -> Iterator[Chunk]:
        def ask(more: Mapping[str, Any], link: str | None) -> Answer:
            return self._api.page(stream.name, declared, above=above, due=due, more=more, link=link)

        pages = Pages(
            declared,
            ask,
            place=self._api.session.place,
            ends_empty=declared.incremental == "forward",
        )
        for chunk in pages.walk(position):
            yield dataclasses.replace(
                chunk,
                records=[row for raw in chunk.records for row in self._made(stream, raw, above)],
            )
        self._notes = pages.notes or self._notes

    def _made(self, stream: Stream, record: bytes, above: Above) -> list[bytes]:
        """Put what a record was asked for into it, then let the user's hook have it."""
        if above:
            told = {added_name(*reference): text for reference, text in above.items()}
            record = msgspec.json.encode({**told, **members(record)}) if members(record) else record
        return self._api.hooks.record(stream.name, record)

    def _check_order(self, stream: Stream, stamps: Sequence[str]) -> None:
        """Raise if a page runs from old to new; a pinned record or two on top do no harm."""
        moments = [at for text in stamps if (at := parse_stamp(text, stream.zone))]
        rises = sum(b > a for a, b in pairwise(moments))
        falls = sum(b < a for a, b in pairwise(moments))
        if rises > falls + 2:
            raise ServerError(
                f"{self._api.session.place}: the list does not show the newest first by "
                f"`{stream.cursor}`. Ask for that order in `params`, or read it another way: "
                "`incremental`.",
                place=self._api.session.place,
            )

    # Lists per record of another stream

    def _below(
        self, stream: Stream, declared: RestStream, state: State, window: Window
    ) -> Iterator[Page]:
        """Read a list for each record above: for those that changed, where that can be asked."""
        wanted = references(declared)
        parent = stream_of(wanted[0][0], self._declared[wanted[0][0]])
        keeps_state = declared.incremental != "full"
        state = {} if window.full_refresh else state
        of: dict[str, State] = dict(state.get("of", {}))
        done = list(state.get("done", []))
        parents = state.get("parents", {})
        for page in self._walk(parent, parents, window):
            for record in page.records:
                found = project(record, dataclasses.replace(parent, fields=("*",)))
                above = _above(record, wanted)
                if not isinstance(found, Projected) or above is None or found.key in done:
                    continue
                for below in self._of_one(stream, declared, above, of.get(found.key, {}), window):
                    if below.state:
                        of = {**of, found.key: below.state}
                    yield dataclasses.replace(below, state=_kept(parents=parents, done=done, of=of))
                if not keeps_state:
                    of = {key: kept for key, kept in of.items() if key != found.key}
                done = [*done, found.key]
                yield Page(state=_kept(parents=parents, done=done, of=of))
            if page.state is not None:
                parents, done = page.state, []
            yield Page(state=_kept(parents=parents, done=done, of=of))

    def _of_one(
        self, stream: Stream, declared: RestStream, above: Above, state: State, window: Window
    ) -> Iterator[Page]:
        """Yield the pages of the list of one record, none if that is gone meanwhile."""
        try:
            yield from self._list(stream, declared, above, state, window)
        except BadRequest as refusal:
            if refusal.status not in GONE:
                raise

    def sample(self, stream: Stream) -> list[bytes]:
        """Return the first page of a list; below another stream, that of its first record."""
        declared = self._declared[stream.name]
        wanted = references(declared)
        if not wanted:
            return next(self._chunks(stream, declared, NOWHERE, EVERYTHING, None)).records
        name = wanted[0][0]
        records = self.sample(stream_of(name, self._declared[name]))
        for above in filter(None, (_above(record, wanted) for record in records)):
            return next(self._chunks(stream, declared, above, EVERYTHING, None)).records
        return []

    # Deletes and counts

    def _archived(
        self,
        stream: Stream,
        declared: RestStream,
        deletes: Archived,
        state: State,
        window: Window,
    ) -> Iterator[Page]:
        other = msgspec.structs.replace(
            declared,
            path=deletes.path or declared.path,
            params={**declared.params, **deletes.params},
            incremental="full",
            slices=None,
        )
        cursor = parse_stamp(str(state.get("cursor")))
        start = None if window.full_refresh or cursor is None else cursor - stream.lookback
        for chunk in self._chunks(stream, other, NOWHERE, Due(start=start), None):
            found = (project(row, stream) for row in chunk.records)
            gone = [Tombstone(key=one.key) for one in found if isinstance(one, Projected)]
            yield Page(tombstones=gone)

    def _count(self, stream: Stream, declared: RestStream) -> int | None:
        """Return how many records the whole list has, by its first page."""
        if declared.count is None:
            return None
        answer = self._api.page(
            stream.name, declared, above=NOWHERE, due=EVERYTHING, more={}, link=None
        )
        return int(answer.told(declared.count, "count"))


def _is_under_way(state: State) -> bool:
    """Tell whether a sync broke off within a list, or between the lists of records above."""
    return "walk" in state or "done" in state or "walk" in state.get("parents", {})


def own_stamp_text(record: bytes, stream: Stream) -> str | None:
    """Return a record's change stamp as ISO 8601; None: it has none that can be read."""
    if not members(record):
        return None
    at = own_stamp(record, stream)
    return at.isoformat() if at else None


def _spans(
    declared: RestStream,
    start: datetime | None,
    end: datetime | None,
    resumed: datetime | None,
    now: datetime,
) -> Iterator[Due]:
    """Yield the pieces of time that are asked for, from where a walk was interrupted."""
    slices = declared.slices
    if slices is None:
        yield Due(start=start, end=end if has_time(declared, "end") else None)
        return
    first = resumed or start or datetime.fromisoformat(slices.start).replace(tzinfo=UTC)
    until = end or now + DAY
    length = duration(slices.length)
    while first < until:
        yield Due(start=first, end=min(first + length, until))
        first += length


def _above(record: bytes, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str] | None:
    """Return what a record above says for each placeholder; None if it lacks one."""
    found = values(record, *(field for _, field in wanted))
    if any(value is None or isinstance(value, dict | list) for value in found):
        return None
    return {reference: str(value) for reference, value in zip(wanted, found, strict=True)}


def _kept(**facts: Any) -> State:
    """Return a state without what is empty."""
    return {name: value for name, value in facts.items() if value}
