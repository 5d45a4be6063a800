"""State machines: a source lives, is harmed and is synced in any order, and still comes out true.

Belongs here: the rules by which hypothesis makes schedules, for every stage alike; a small model
source for each incremental pattern of the framework. Does not belong here: how many schedules are
run (`reliability`, and `tests/connectors/test_machines.py`).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors import redaction
from connectors.base import Backfill, Check, Page, Source, State, Stream, Tombstone, Window
from connectors.errors import ServerError
from connectors.incremental import ChangeWalk, NewestFirstWalk, change_walks, cut_walk
from connectors.landing import StreamLanding
from rapport.conformance.killing import Helper
from rapport.conformance.laws import look
from rapport.conformance.play import Ended, Play
from rapport.conformance.stage import SOURCE, Emulated, Stage, Truth, stage_for

MEMORY = Path("/dev/shm")
"""Where landing files cost least to flush; schedules are about order, not about disks."""

FAULTS = ("429", "500", "502", "503_html", "not_json", "empty", "cut_json", "401")
FIRST_RECORDS = 12


class Dead(Exception):
    """What a sync is ended with in place of `kill -9`: nothing more is landed after it."""


@contextlib.contextmanager
def dying(at: int, *, is_landed: bool) -> Iterator[None]:
    """Let a sync die at a checkpoint, just before or just behind it."""
    real, count = StreamLanding.commit, 0

    def commit(self: StreamLanding, *args: Any, **kwargs: Any) -> Path:
        nonlocal count
        count += 1
        if count > at or (count == at and not is_landed):
            raise Dead
        path = real(self, *args, **kwargs)
        if count == at:
            raise Dead
        return path

    with mock.patch.object(StreamLanding, "commit", commit):
        yield


# The model: one source that can be read in each of the framework's ways

THINGS: dict[str, Stream] = {
    "updated_since": Stream(
        name="updated_since", key=("id",), fields=("id", "at", "text"), cursor="at",
        lag=timedelta(seconds=60), lookback=timedelta(seconds=300), deletes="tombstones",
    ),
    "newest_first": Stream(
        name="newest_first", key=("id",), fields=("id", "at", "text"), cursor="at",
        lookback=timedelta(seconds=300), deletes="none",
    ),
    "change_feed": Stream(
        name="change_feed", key=("id",), fields=("id", "at", "text"), deletes="tombstones",
    ),
    "full_with_census": Stream(
        name="full_with_census", key=("id",), fields=("id", "at", "text"), sync_mode="full",
        deletes="census",
    ),
    "time_slices": Stream(
        name="time_slices", key=("id",), fields=("id", "at", "text"), cursor="at",
        cursor_trusted=False, lag=timedelta(seconds=60), lookback=timedelta(seconds=300),
        deletes="tombstones",
    ),
    "in_spans": Stream(
        name="in_spans", key=("id",), fields=("id", "at", "text"), cursor="at", spans=True,
        lag=timedelta(seconds=60), lookback=timedelta(seconds=300), deletes="tombstones",
    ),
}  # fmt: skip
"""Pattern -> a stream that is read in that way."""

ROWS = 4
SPANS = 3
SLICE = timedelta(minutes=10)


class Model(Stage):
    """Records with a stamp, in memory, that become visible when they like.

    Attributes:
        events: (number, key) of every change, in the order they became visible.
        breaks_at: the page that fails, counted from here; None: none.
        before: done before a page is given: page number -> what.
    """

    type: ClassVar = "model"
    streams: ClassVar = tuple(THINGS)
    settling: ClassVar = (timedelta(hours=1), timedelta(hours=1))
    lacks: ClassVar = {"restores": "", "merges": ""}

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}
        self.events: list[str] = []
        self.visible_at: dict[str, Any] = {}
        self.pages = 0
        self.place = ""
        self.breaks_at: int | None = None
        self.before: dict[int, Callable[[], None]] = {}
        self.late_s = 0.0
        self.one_at_a_time = threading.Lock()

    def open(self, home: Path) -> Source:
        return ModelSource(self)

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        made = [f"{len(self.records) + number:06d}" for number in range(count)]
        for name in made:
            self._write(name, tied, text="new")
        return made

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        for name in names:
            self._write(name, tied, text=f"changed {len(self.events)}")

    def delete(self, names: Collection[str]) -> None:
        for name in names:
            self._write(name, False, gone=True)

    def _write(self, name: str, tied: bool, *, text: str = "", gone: bool = False) -> None:
        at = self.clock.now() if tied else self.clock.advance(seconds=1)
        self.records[name] = {"id": name, "at": at.isoformat(), "text": text, "gone": gone}
        self.visible_at[name] = at + timedelta(seconds=self.late_s)
        self.events.append(name)

    def living(self) -> list[str]:
        return [name for name, record in self.records.items() if not record["gone"]]

    def truth(self, stream: str) -> Truth:
        return {name: self.records[name] for name in self.living()}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        return bool(record["text"] == true["text"])

    # What its vendor answers

    def ask(self, rows: Callable[[], Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Give a page, or fail."""
        with self.one_at_a_time:
            self.pages += 1
            if act := self.before.pop(self.pages, None):
                act()
            if self.breaks_at is not None and self.pages >= self.breaks_at:
                raise ServerError(f"{self.place}: HTTP 500. Try again later.", place=self.place)
            return list(rows())[:ROWS]

    def events_after(self, number: int) -> list[dict[str, Any]]:
        """Return what changed after so many changes."""
        return [{"id": name} for name in self.events[number:]]

    def living_after(self, name: str) -> list[dict[str, Any]]:
        """Return the live records behind one, by id."""
        return [self.records[one] for one in sorted(self.living()) if one > name]

    def shown(self) -> list[dict[str, Any]]:
        """Return what a reader can see now, by (stamp, id)."""
        now = self.clock.now()
        rows = [r for name, r in self.records.items() if self.visible_at[name] <= now]
        return sorted(rows, key=lambda row: (row["at"], row["id"]))


class ModelSource:
    """Reads the model in the way that the stream is named after."""

    type: ClassVar = "model"
    name = SOURCE

    def __init__(self, model: Model) -> None:
        self.model = model

    def streams(self) -> Sequence[Stream]:
        return tuple(THINGS.values())

    def check(self) -> Check:
        return Check(ok=True, account="", detail="")

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        now = self.model.clock.now()
        self.model.place = f"{SOURCE}.{stream.name}"
        window = replace(window, now=now)
        reads: dict[str, Callable[..., Iterator[Page]]] = {
            "updated_since": self._updated_since,
            "newest_first": self._newest_first,
            "change_feed": self._change_feed,
            "full_with_census": self._full,
            "time_slices": self._slices,
            "in_spans": self._in_spans,
        }
        return reads[stream.name](stream, dict(state), window)

    def _updated_since(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        for walk in change_walks(stream, state, window):
            yield from self._to_end(walk)
            state = walk.done()
        yield Page(state=state)

    def _in_spans(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Hand a history of more than a page over in spans."""
        for walk in change_walks(stream, state, window):
            rows = self._between(walk, walk.end.isoformat(), walk.position)
            if window.may_span and walk.position is None and len(rows) == ROWS:
                begin = datetime.fromisoformat(rows[0]["at"])
                live = walk.done()
                spans = cut_walk(walk, begin, SPANS)
                yield Page(backfill=Backfill(spans=spans, live=live, after=live))
                return
            yield from self._to_end(walk)
            state = walk.done()
        yield Page(state=state)

    def read_span(self, stream: Stream, state: State) -> Iterator[Page]:
        return self._to_end(ChangeWalk.of(state))

    def _to_end(self, walk: ChangeWalk) -> Iterator[Page]:
        position = walk.position
        while rows := self._between(walk, walk.end.isoformat(), position):
            position = [rows[-1]["at"], rows[-1]["id"]]
            yield _page(rows, walk.at(position))

    def _between(self, walk: ChangeWalk, end: str, position: Any) -> list[dict[str, Any]]:
        start = walk.start.isoformat() if walk.start else ""
        return self.model.ask(
            lambda: [
                row
                for row in self.model.shown()
                if start <= row["at"] < end and [row["at"], row["id"]] > (position or ["", ""])
            ]
        )

    def _newest_first(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        is_going_on = "walk" in state
        for _ in range(2 if is_going_on else 1):
            walk = NewestFirstWalk.begin(stream, state, window)
            position = walk.position
            while rows := self._above(position):
                if position is None:
                    for row in rows:
                        walk.see(row["at"])
                position = [rows[-1]["at"], rows[-1]["id"]]
                yield _page(rows, walk.at(position))
                if walk.is_below_floor(rows[-1]["at"]):
                    break
            state = walk.done()
        yield Page(state=state)

    def _above(self, position: Any) -> list[dict[str, Any]]:
        return self.model.ask(
            lambda: [
                row
                for row in reversed(self.model.shown())
                if position is None or [row["at"], row["id"]] < position
            ]
        )

    def _change_feed(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        done = 0 if window.full_refresh else state.get("cursor", 0)
        model = self.model
        while names := model.ask(partial(model.events_after, done)):
            done += len(names)
            rows = [model.records[event["id"]] for event in names]
            yield _page(rows, {"cursor": done})
        yield Page(state={"cursor": done}, census_complete=window.full_refresh)

    def _full(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        last = ""
        while rows := self.model.ask(partial(self.model.living_after, last)):
            last = rows[-1]["id"]
            yield _page(rows, None)
        yield Page(state={}, census_complete=True)

    def _slices(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        from rapport.conformance.stage import OPENED_AT

        for walk in change_walks(stream, state, window):
            start = walk.start or OPENED_AT - SLICE
            if walk.position:
                start = window.now.fromisoformat(walk.position)
            while start < walk.end:
                until = min(start + SLICE, walk.end)
                walk.start, position = start, None
                while rows := self._between(walk, until.isoformat(), position):
                    position = [rows[-1]["at"], rows[-1]["id"]]
                    yield _page(rows, None)
                start = until
                yield Page(state=walk.at(until.isoformat()))
            state = walk.done()
        yield Page(state=state)


def _page(rows: Sequence[Mapping[str, Any]], state: State | None) -> Page:
    return Page(
        records=[json.dumps(row).encode() for row in rows if not row["gone"]],
        tombstones=[Tombstone(key=row["id"]) for row in rows if row["gone"]],
        state=state,
    )


# The machine

choice = st.integers(0, 10**6)


class Machine(RuleBasedStateMachine):
    """A source under random hands. Sub-classes say which.

    Attributes:
        kind: of the stage; `stream`: the one that is synced.
    """

    kind: ClassVar[str]
    stream: ClassVar[str]

    @initialize(checkpoint_bytes=st.sampled_from((1, 400, 2**20)))
    def open(self, checkpoint_bytes: int) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.stage: Stage = Model() if self.kind == "model" else stage_for(self.kind)({})
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(redaction.forgetting())
        self.stack.enter_context(self.stage.playing())
        if isinstance(self.stage, Emulated):
            self.stage.connect_to("http://stage.invalid")
        self.play = Play(
            self.stage, self.stream, self.folder, Helper(), checkpoint_bytes=checkpoint_bytes
        )
        self.stage.create(FIRST_RECORDS)
        self.deleted: list[str] = []

    @rule(count=st.integers(1, 6), tied=st.booleans())
    def create(self, count: int, tied: bool) -> None:
        self.stage.create(count, tied=tied)

    @rule(picks=st.lists(choice, min_size=1, max_size=5), tied=st.booleans())
    def change(self, picks: list[int], tied: bool) -> None:
        self.stage.change(self._picked(picks), tied=tied)

    @precondition(lambda self: self.stream != "newest_first")
    @rule(picks=st.lists(choice, min_size=1, max_size=2))
    def delete(self, picks: list[int]) -> None:
        names = self._picked(picks)
        self.stage.delete(names)
        self.deleted += names

    @precondition(lambda self: "restores" not in self.stage.lacks and self.deleted)
    @rule()
    def restore(self) -> None:
        self.stage.restore([self.deleted.pop()])

    @precondition(lambda self: "merges" not in self.stage.lacks)
    @rule(picks=st.lists(choice, min_size=2, max_size=2))
    def merge(self, picks: list[int]) -> None:
        names = self._picked(picks)
        if len(names) > 1:
            self.stage.merge(names)

    @rule(seconds=st.sampled_from((1, 30, 70, 200, 400, 3_000, 90_000)))
    def wait(self, seconds: int) -> None:
        self.stage.clock.advance(seconds=seconds)

    @rule()
    def sync(self) -> None:
        with contextlib.suppress(Ended):
            self.play.sync(within=True)
        self._must_hold()

    @rule(kind=st.sampled_from(FAULTS), after=st.integers(0, 8), is_outage=st.booleans())
    def sync_harmed(self, kind: str, after: int, is_outage: bool) -> None:
        self._break(kind, after, is_outage)
        self.play.attempt(within=True)
        self._heal()

    @rule(at=st.integers(1, 9), is_landed=st.booleans(), is_full=st.booleans())
    def sync_killed(self, at: int, is_landed: bool, is_full: bool) -> None:
        with dying(at, is_landed=is_landed):
            if isinstance(self.play.attempt(within=True, full_refresh=is_full).error, Dead):
                self.play.tried.pop()

    @rule(
        after=st.integers(1, 7),
        act=st.sampled_from(("create", "change", "delete")),
        picks=st.lists(choice, min_size=1, max_size=3),
    )
    def sync_while_it_lives(self, after: int, act: str, picks: list[int]) -> None:
        def live() -> None:
            if act == "create":
                self.stage.create(len(picks))
            elif act == "change" or self.stream == "newest_first":
                self.stage.change(self._picked(picks))
            else:
                self.stage.delete(self._picked(picks))

        if isinstance(self.stage, Emulated):
            self.stage.once_asked(after, live)
        else:
            self._model().before[self._model().pages + after] = live
        with contextlib.suppress(Ended):
            self.play.sync(within=True)
        self._heal()
        self._must_hold()

    @precondition(lambda self: "late" not in self.stage.lacks)
    @rule(is_late=st.booleans())
    def show_late(self, is_late: bool) -> None:
        seconds = 240.0 if is_late else 0.0
        if isinstance(self.stage, Model):
            self.stage.late_s = seconds
        else:
            self.stage.late(seconds)  # type: ignore[attr-defined]

    def teardown(self) -> None:
        if not hasattr(self, "play"):
            return
        try:
            with contextlib.suppress(Ended):
                for step in (timedelta(0), *self.stage.settling):
                    self.stage.clock.advance(seconds=step.total_seconds())
                    self.play.sync(within=True)
                look(self.play)
            self._must_hold()
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)

    # Parts

    def _must_hold(self) -> None:
        assert not self.play.broken, self.play.broken

    def _picked(self, picks: Collection[int]) -> list[str]:
        living = self.stage.living()
        return list(dict.fromkeys(living[pick % len(living)] for pick in picks)) if living else []

    def _model(self) -> Model:
        assert isinstance(self.stage, Model)
        return self.stage

    def _break(self, kind: str, after: int, is_outage: bool) -> None:
        if isinstance(self.stage, Emulated):
            self.stage.fail(kind, after=after, times=None if is_outage else 1)
        else:
            self._model().breaks_at = self._model().pages + after + 1

    def _heal(self) -> None:
        if isinstance(self.stage, Emulated):
            self.stage.heal()
        else:
            self._model().breaks_at = None
            self._model().before.clear()


def machine(kind: str, stream: str) -> type[Machine]:
    """Return the machine of one stream."""
    name = f"{kind}_{stream}".title().replace("_", "")
    return type(name, (Machine,), {"kind": kind, "stream": stream})


MACHINES: dict[str, type[Machine]] = {
    **{f"model.{name}": machine("model", name) for name in THINGS},
    "salesforce.contacts": machine("salesforce", "contacts"),
    "hubspot.contacts": machine("hubspot", "contacts"),
    "hubspot.associations": machine("hubspot", "associations"),
    "discourse.users": machine("discourse", "users"),
    "discourse.topics": machine("discourse", "topics"),
    "discourse.posts": machine("discourse", "posts"),
    "bluesky.posts": machine("bluesky", "posts"),
    "bluesky.notifications": machine("bluesky", "notifications"),
}
"""`stage.stream` -> its machine."""
