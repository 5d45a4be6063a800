"""Ways to ask only for what is new, and the state each of them keeps.

Belongs here: where a walk starts, where it must stop, and what its state says at each
page. Does not belong here: requests.

Every state has at most two names: `cursor`, up to where the stream is read for good,
and `walk`, present while a walk is under way: its bounds and its position, from which
a reader goes on after a crash. A stream's cursor moves only when a walk has ended.

    ChangeWalk       change stamps in a half-open window (updated-since, search)
    NewestFirstWalk  newest first, down to where the last walk began
    cut_walk         one walk over a long history as several that are read side by side

What is done now and then (a census, a second look at a tail) has its time in the state, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from connectors.base import State, Stream, Window
from connectors.records import parse_stamp

PUNCTUAL = timedelta(hours=1)
"""A daily sync that starts a little earlier is still a day later."""
CENSUS_EVERY = timedelta(days=7)
CENSUS_OF_SURPLUS_EVERY = timedelta(days=1)


@dataclass
class ChangeWalk:
    """Reads the changes stamped in [start, end).

    `end` is the server's time minus the stream's lag, since newer changes may still be
    settling; `start` lies `lookback` before the cursor, so that what became visible late
    is found (a sync counts it).

    Attributes:
        start: None: from the beginning.
        end: exclusive.
        position: what the reader passed to `at` last, in a walk that was interrupted; else
            None.
    """

    start: datetime | None
    end: datetime
    position: Any
    _state: State
    _moves_cursor: bool

    @classmethod
    def begin(cls, stream: Stream, state: State, window: Window) -> ChangeWalk:
        """Take up the walk that `state` is in the middle of, or begin the next one.

        `window.since` and `window.until` begin a walk of their own. It moves the cursor only
        if it leaves no gap behind it.
        """
        cursor = _stamp(state.get("cursor"))
        walk = state.get("walk")
        asked = window.since is not None or window.until is not None
        if walk and not asked and not window.full_refresh:
            end = _stamp(walk["end"]) or window.now
            return cls(_stamp(walk["start"]), end, walk["position"], state, True)
        end = window.now - stream.lag
        if window.until is not None:
            end = min(end, window.until)
        if window.since is not None:
            start: datetime | None = window.since
        elif cursor is not None and not window.full_refresh:
            start = min(cursor, end) - stream.lookback
        else:
            start = None
        gapless = cursor is None or start is None or start <= cursor
        forward = cursor is None or end > cursor
        return cls(start, end, None, state, gapless and forward)

    @classmethod
    def of(cls, state: State) -> ChangeWalk:
        """Take up the walk that `state` is in the middle of, for one that is a state's all."""
        walk = state["walk"]
        end = datetime.fromisoformat(walk["end"])
        return cls(_stamp(walk["start"]), end, walk["position"], {}, True)

    def at(self, position: Any) -> State:
        """Return the state in the middle of the walk; `position` is any JSON value."""
        if not self._moves_cursor:  # a window asked for by hand begins anew after a crash
            return self._state
        walk = {"start": _text(self.start), "end": _text(self.end), "position": position}
        return {**self._state, "walk": walk}

    def done(self) -> State:
        """Return the state after the walk."""
        if not self._moves_cursor:
            return self._state
        kept = {name: value for name, value in self._state.items() if name != "walk"}
        return {**kept, "cursor": _text(self.end)}

    def note(self, **facts: Any) -> None:
        """Let the states from here on say this, too."""
        self._state.update(facts)


def cut_walk(walk: ChangeWalk, begin: datetime, parts: int) -> list[State]:
    """Return the states of so many walks that together read what `walk` is to read.

    Args:
        begin: from when on there is something; the walks are equally long from there to its end.
    """
    step = (walk.end - begin) / parts
    edges = [(begin + step * part).replace(microsecond=0) for part in range(1, parts)]
    return [
        {"walk": {"start": _text(start), "end": _text(end), "position": None}}
        for start, end in pairwise((walk.start, *edges, walk.end))
        if start != end
    ]


def change_walks(stream: Stream, state: State, window: Window) -> Iterator[ChangeWalk]:
    """Yield the walk that `state` is in the middle of, if any, then the one up to now.

    What the first one notes, the second one's states say as well. `state` is not changed.
    """
    walk = ChangeWalk.begin(stream, dict(state), window)
    yield walk
    if walk.position is not None:
        yield ChangeWalk.begin(stream, walk.done(), window)


@dataclass
class NewestFirstWalk:
    """Reads a list that shows the newest first, down to `floor`.

    The cursor becomes the newest value seen when the walk began, and only after the walk
    reached the floor: a walk that broke off goes on below where it was, and what came on
    top meanwhile is left for the next one. It is never later than that: a value dated ahead
    would put all that is new below the floor.

    Attributes:
        floor: read everything from here up; None: to the end of the list.
        position: as in `ChangeWalk`.
    """

    floor: str | None
    position: Any
    _state: State
    _top: str | None
    _now: datetime

    @classmethod
    def begin(cls, stream: Stream, state: State, window: Window) -> NewestFirstWalk:
        """Take up the walk of `state`, or begin the next one. Values are ISO 8601 stamps."""
        walk = state.get("walk")
        if walk and window.since is None and not window.full_refresh:
            return cls(walk["floor"], walk["position"], state, walk["top"], window.now)
        cursor = _stamp(state.get("cursor"))
        if window.since is not None:
            floor: datetime | None = window.since
        elif cursor is not None and not window.full_refresh:
            floor = min(cursor, window.now) - stream.lookback
        else:
            floor = None
        return cls(_text(floor), None, state, None, window.now)

    def is_below_floor(self, value: str) -> bool:
        """Tell whether a record's value lies below everything this walk is to read."""
        floor, at = _stamp(self.floor), _stamp(value)
        return floor is not None and at is not None and at < floor

    def see(self, value: str) -> None:
        """Note a record's value; the greatest one becomes the cursor when the walk is done.

        Only the first page may call this: later ones can show what came in since.
        """
        at, top = _stamp(value), _stamp(self._top)
        if at is not None and (top is None or at > top):
            self._top = _text(min(at, self._now))

    def at(self, position: Any) -> State:
        """Return the state in the middle of the walk."""
        walk = {"floor": self.floor, "top": self._top, "position": position}
        return {**self._state, "walk": walk}

    def done(self) -> State:
        """Return the state after the walk."""
        kept = {name: value for name, value in self._state.items() if name != "walk"}
        cursor, top = _stamp(kept.get("cursor")), _stamp(self._top)
        if top is None or (cursor is not None and top < cursor <= self._now):
            return kept
        return {**kept, "cursor": _text(top)}


def is_due(state: State, name: str, every: timedelta, window: Window) -> bool:
    """Tell whether what `state` dates under `name` (ISO 8601) was never done, or long ago.

    What is dated ahead was done by a clock that was wrong, and says nothing.
    """
    last = _stamp(state.get(name))
    return last is None or not -PUNCTUAL <= window.now - last < every - PUNCTUAL


def census_is_due(state: State, window: Window) -> bool:
    """Tell whether to look for records that left without a trace.

    Weekly, by `census_at`; daily while we hold more than the source `counted`.
    """
    counted = state.get("counted")
    has_extra = counted is not None and window.held_count and window.held_count() > counted
    return is_due(
        state, "census_at", CENSUS_OF_SURPLUS_EVERY if has_extra else CENSUS_EVERY, window
    )


def new_fields(fields: Sequence[str], state: State) -> tuple[str, ...]:
    """Return those that what is held was not asked for: chosen, or shown to us, since then.

    What `state` lists under `fields` was asked of every record held, or will have been when the
    walk in it is done. One that does not say so says nothing.
    """
    return tuple(name for name in fields if name not in state.get("fields", fields))


def begun_anew(
    fields: Sequence[str], state: State, window: Window, *, is_under_way: bool = False
) -> State:
    """Return the state to go on from, which says under `fields` what will be held of all records.

    It is empty but for that where fields are new: no stamp brings them. In the middle of a walk,
    and in a window asked for by hand, they stay due.
    """
    is_asked = window.since is not None or window.until is not None
    if is_under_way or "walk" in state or is_asked or not new_fields(fields, state):
        kept = [name for name in fields if name in state.get("fields", fields)]
        return {**state, "fields": kept}
    return {"fields": list(fields)}


def _stamp(text: Any) -> datetime | None:
    return parse_stamp(text) if isinstance(text, str) else None


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
