"""One sync of one stream: from a reader's pages to landing files.

Belongs here: the loop that drives a reader, checkpoints, the census, reconciliation.
Does not belong here: how pages are fetched (`session`, connectors), which records
become rows (`changes`), how a file is written (`landing`).

What makes a sync safe to kill: pages are buffered together with the state that holds
after them, and a checkpoint lands both in one file. So the state is never ahead of the
data, and a crash costs at most one checkpoint of pages asked again. What then comes
twice is recognized by key, stamp and text, and not landed again.

A reader that meets a long history hands it over in spans (`base.Backfill`). They are fetched side
by side and landed here, by one thread; each one's state travels in the stream's. The stream's own
cursor is beyond them from the start, so a sync reads what changed first, whatever is left of them.
"""

from __future__ import annotations

import secrets
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import redaction
from connectors.backfill import PAGES_AHEAD, side_by_side
from connectors.base import Page, Rejected, Source, State, Stream, Tombstone, Window
from connectors.changes import Changes, Part
from connectors.errors import LandingError, QuotaSpent, ServerError
from connectors.landing import Landing, StreamLanding
from connectors.quarantine import Quarantine
from connectors.records import Records, UnexpectedShape, parse_stamp, project_page
from connectors.session import Session

VANISH_SHARE = 0.20
VANISH_KEYS = 50
"""A census that would delete more than both of these at once is refused."""

CHANGES_EVERY_S = 300.0
"""While a backfill goes on, changes are read at least so often, besides at the start of a sync."""
BACKFILL = "backfill"
"""In a stream's state while its history is read in spans: `spans` (the states of those not read
to their end) and `after` (see `base.Backfill`). No reader is shown it."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a running sync is, for a display.

    Attributes:
        rows: records read so far.
        rate: records per second since the sync began.
        waiting_s: length of the wait that begins now, in seconds; 0 while reading.
        waiting_for: what is waited for.
    """

    source: str
    stream: str
    rows: int
    pages: int
    rate: float
    waiting_s: float = 0.0
    waiting_for: str = ""


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What a sync did.

    Attributes:
        rows: upsert rows landed.
        deletes: delete rows landed.
        quarantined: records that could not be landed.
        late: records that look-back found: stamped before the cursor, not held until now.
        duplicates: records whose key came already in this sync, with no newer stamp.
        pages: pages read; `requests`: calls sent, retries included.
        waits_s: seconds waited for limits and between retries.
        files: landing files written.
        cursor_from, cursor_to: the state's cursor before and after.
        ended_early: a daily quota was used up; the next sync goes on from here.
        changed: whether any row was landed.
        spans_left: parts of the history that a backfill has not read to their end.
        calls_per_change: calls by rows landed, deletions included; None: nothing changed.
        source_count: live records the source itself counts; None: it does not say.
        held_count: live records held after the sync; None: not counted.
        missing: how many the source has beyond ours; `extra`: the reverse; None: unknown.
        notes: what the reader wants the user to know.
    """

    source: str
    stream: str
    sync_id: str
    rows: int = 0
    deletes: int = 0
    quarantined: int = 0
    late: int = 0
    duplicates: int = 0
    pages: int = 0
    requests: int = 0
    waits_s: float = 0.0
    files: int = 0
    cursor_from: Any = None
    cursor_to: Any = None
    ended_early: bool = False
    changed: bool = False
    spans_left: int = 0
    calls_per_change: float | None = None
    source_count: int | None = None
    held_count: int | None = None
    missing: int | None = None
    extra: int | None = None
    notes: tuple[str, ...] = ()


def sync_stream(
    source: Source,
    stream: Stream,
    home: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    full_refresh: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    checkpoint_bytes: int = 32 * 2**20,
    checkpoint_s: float = 30,
    vanish_share: float = VANISH_SHARE,
) -> SyncResult:
    """Bring one stream's landing up to date.

    Args:
        source: an open source, see `connectors.registry.open_source`.
        stream: one of its streams.
        home: folder that holds `landing/` and `quarantine/`.
        since: read changes from here on, instead of what is new; timezone-aware.
        until: read changes before this; timezone-aware.
        full_refresh: read everything again: each record becomes a new version, then what a
            complete walk did not show is deleted. Readers never see a half-empty table.
        on_progress: called at every page and before every wait.
        checkpoint_bytes: land what is buffered before it and the pages on their way may come to
            more text than this, which is what a crash costs at most if a page is smaller,
        checkpoint_s: or at this age, in seconds, whichever comes first.
        vanish_share: refuse a census that would delete a greater share of at least 50 records.

    Raises:
        StreamLocked: another sync of this stream is running; nothing was changed.
        RapportError: what the reader raises; complete pages read before it are landed.
    """
    landing = Landing(home).stream(source.name, stream.name)
    with landing.lock():
        landing.ensure_first_file()
        return _Sync(
            source,
            stream,
            Path(home),
            landing,
            since=since,
            until=until,
            full_refresh=full_refresh,
            on_progress=on_progress,
            checkpoint_bytes=checkpoint_bytes,
            checkpoint_s=checkpoint_s,
            vanish_share=vanish_share,
        ).run()


@dataclass
class _Buffer:
    """Whole pages that are read but not landed, and the state that holds after them."""

    state: State
    parts: list[Part] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    size: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, part: Part) -> None:
        """Buffer what comes next, as one part with the records before it."""
        last = self.parts[-1] if self.parts else None
        if isinstance(part, Records) and isinstance(last, Records):
            last.extend(part)
        elif part:
            self.parts.append(part)


class _Sync:
    def __init__(
        self,
        source: Source,
        stream: Stream,
        home: Path,
        landing: StreamLanding,
        *,
        since: datetime | None,
        until: datetime | None,
        full_refresh: bool,
        on_progress: Callable[[Progress], None] | None,
        checkpoint_bytes: int,
        checkpoint_s: float,
        vanish_share: float,
    ) -> None:
        self.source = source
        self.stream = stream
        self.landing = landing
        self.since = since
        self.until = until
        self.full_refresh = full_refresh
        self.on_progress = on_progress
        self.checkpoint_bytes = checkpoint_bytes
        self.checkpoint_s = checkpoint_s
        self.vanish_share = vanish_share
        self.place = f"{source.name}.{stream.name}"
        self.started_at = datetime.now(UTC)
        self.began = time.monotonic()
        self.sync_id = f"{self.started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self.quarantine = Quarantine(home, source.name, stream.name)
        session = getattr(source, "session", None)
        self.session = session if isinstance(session, Session) else None
        self.calls_before = self._calls()

        footer = landing.footer()
        held: State = footer.state if footer else {}
        self.state: State = {} if full_refresh else dict(held)
        self.backfill: State | None = self.state.pop(BACKFILL, None)
        self.buffer = _Buffer(state=held)
        self.largest_page = 0
        cursor = self.state.get("cursor")
        self.changes = Changes(
            stream,
            landing,
            self.sync_id,
            full_refresh=full_refresh,
            is_first=footer is None or footer.counts["rows"] == 0,
            cursor=None if since or cursor is None else parse_stamp(str(cursor)),
        )
        self.result = SyncResult(
            source=source.name,
            stream=stream.name,
            sync_id=self.sync_id,
            cursor_from=held.get("cursor"),
        )
        self.records_read = 0
        # Keys this walk has shown, as hashes, for a stream that may end it with a census:
        # 64 bits tell enough keys apart, in a tenth of the memory.
        self.may_census = full_refresh or stream.deletes != "none"
        self.seen = array("q")
        self.census_flaw = ""
        if not self.may_census:
            self.census_flaw = "the stream is declared to delete nothing"
        elif "walk" in self.state:
            self.census_flaw = "it goes on from an interrupted walk"
        self.census_done = False

    # The loop

    def run(self) -> SyncResult:
        try:
            with self._speaking_for_stream():
                window = self._window()
                self.changes.source_now = window.now
                self._read(window)
                if self.backfill is not None:
                    self._fill(self.backfill)
        except QuotaSpent:
            self._note(ended_early=True)
        except UnexpectedShape as error:
            self._checkpoint()
            raise ServerError(
                f"{self.place}: {error}. Either the vendor changed its answers, or the address "
                "leads elsewhere: run `rapport check`.",
                place=self.place,
            ) from None
        except BaseException as error:
            self._checkpoint()
            redaction.mask_exception(error)
            raise
        self._reconcile()
        self._checkpoint(is_last=True)
        return self.result

    def _read(self, window: Window) -> None:
        """Read on from the stream's state, up to now or up to where a long history begins."""
        if self.backfill is not None:
            self.changes.cursor = None  # what its spans are still to bring is not late
        for page in self.source.read(self.stream, deepcopy(self.state), window):
            if page.backfill is not None:
                self._take(replace(page, state=page.backfill.live))
                self._set_spans(page.backfill.spans, page.backfill.after)
                return
            self._take(page)
            self._checkpoint_if_due(self.stream.pages_ahead)

    def _fill(self, backfill: State) -> None:
        """Land a backfill's spans as they come; between them, and at last, what changed."""
        self.changes.cursor = None
        self._checkpoint()
        changes_read_at = time.monotonic()
        reader: Any = self.source
        begun: list[State] = backfill["spans"]
        left: dict[int, State] = dict(enumerate(begun))
        pages = side_by_side(lambda span: reader.read_span(self.stream, span), deepcopy(begun))
        with closing(pages):
            for number, page in pages:
                if page is None:
                    del left[number]
                else:
                    self._take(replace(page, state=None))
                    left[number] = page.state or left[number]
                self._set_spans([*left.values()], backfill["after"])
                self._checkpoint_if_due(PAGES_AHEAD)
                if time.monotonic() - changes_read_at >= CHANGES_EVERY_S:
                    self._checkpoint()
                    self.state = self._state_shown()
                    self._read(self._window_of_changes())
                    changes_read_at = time.monotonic()
        self._checkpoint()
        self.backfill = None
        self.state = self.buffer.state = backfill["after"]
        # The census of what is read now has nothing to do with what spans have shown.
        self.seen = array("q")
        self.census_flaw = "" if self.may_census else self.census_flaw
        self._read(self._window_of_changes())

    def _state_shown(self) -> State:
        """Return the state that a reader is shown."""
        return {name: value for name, value in self.buffer.state.items() if name != BACKFILL}

    def _pending(self) -> State:
        return {} if self.backfill is None else {BACKFILL: self.backfill}

    def _set_spans(self, spans: Sequence[State], after: State) -> None:
        """Let the state say which spans are left."""
        self.backfill = {"spans": spans, "after": after}
        self.buffer.state = {**self._state_shown(), BACKFILL: self.backfill}
        self._note(spans_left=len(spans))

    def _window(self) -> Window:
        return replace(
            self._window_of_changes(),
            since=self.since,
            until=self.until,
            full_refresh=self.full_refresh,
            may_span=self.backfill is None,
            before=deepcopy(self._state_shown()) if self.full_refresh else {},
        )

    def _window_of_changes(self) -> Window:
        return Window(
            now=self.session.server_now() if self.session else datetime.now(UTC),
            held_count=self._held_count,
        )

    def _take(self, page: Page) -> None:
        """Buffer a page; its state counts only together with everything on it."""
        buffer = self.buffer
        size_before = buffer.size
        records, found = project_page(page.records, self.stream)
        rejected = [*page.rejected, *found]
        buffer.add(records)
        buffer.size += sum(piece.nbytes for piece in records.texts)
        self._see(records.keys)
        for bad in rejected:
            # A bad record is still there: the census must not take it for deleted.
            buffer.size += len(bad.text)
            if bad.key is not None:
                self._see([bad.key])
            elif bad.reason != "no_key":
                self.census_flaw = "a record could not be made out"
        buffer.rejected += rejected
        self.largest_page = max(self.largest_page, buffer.size - size_before)
        buffer.add(page.tombstones)
        self._see(page.seen_keys)
        if page.census_complete:
            buffer.add(self._vanished(page.census_leaves))
        if page.state is not None:
            # The reader may go on working on its own.
            buffer.state = {**page.state, **self._pending()}
        self.records_read += len(page.records)
        self._note(
            pages=self.result.pages + 1,
            quarantined=self.result.quarantined + len(rejected),
            source_count=(
                self.result.source_count if page.source_count is None else page.source_count
            ),
            notes=tuple(dict.fromkeys((*self.result.notes, *map(redaction.mask, page.notes)))),
        )
        self._report()

    def _checkpoint_if_due(self, pages_ahead: int) -> None:
        age = time.monotonic() - self.buffer.began
        at_stake = self.buffer.size + (1 + pages_ahead) * self.largest_page
        if at_stake > self.checkpoint_bytes or age >= self.checkpoint_s:
            self._checkpoint()

    def _checkpoint(self, *, is_last: bool = False) -> None:
        """Land what is buffered, and the state with it, as one file.

        The last file of a sync is written even if it is empty: it says that the sync ended.
        """
        buffer, now = self.buffer, datetime.now(UTC)
        rows = self.changes.rows(buffer.parts, now) if buffer.parts else []
        if buffer.rejected:
            self.quarantine.add(buffer.rejected, sync_id=self.sync_id, seen_at=now)
        footer = self.landing.footer()
        moved = footer is None or footer.state != buffer.state
        new_deletes = self.changes.deletes - self.result.deletes
        upserts = self.result.rows + len(rows) - new_deletes
        landed = upserts + self.changes.deletes
        calls, waits_s = self._calls()
        self._note(
            rows=upserts,
            deletes=self.changes.deletes,
            late=self.changes.late,
            duplicates=self.changes.duplicates,
            changed=self.result.changed or bool(rows),
            requests=calls - self.calls_before[0],
            calls_per_change=round((calls - self.calls_before[0]) / landed, 3) if landed else None,
            waits_s=round(waits_s - self.calls_before[1], 3),
            cursor_to=buffer.state.get("cursor"),
        )
        if rows or moved or is_last:
            self._note(files=self.result.files + 1)
            facts = self._facts(finished_at=now if is_last else None)
            self.landing.commit(rows, state=buffer.state, sync=facts, loaded_at=now)
        self.buffer = _Buffer(state=buffer.state)

    # Census and reconciliation

    def _see(self, keys: Iterable[str]) -> None:
        if self.may_census:
            self.seen.extend(map(hash, keys))

    def _vanished(self, leaves: tuple[str, ...]) -> list[Tombstone]:
        """Return a tombstone for each held record that this complete walk did not show.

        Keys that begin as one of `leaves` count as seen.
        """
        if self.census_flaw:
            note = f"deleted records were not looked for: {self.census_flaw}"
            self._note(notes=(*self.result.notes, note))
            return []
        seen = {*self.seen}
        held = 0
        gone = []
        for key in self.landing.current_keys():
            held += 1
            if key.startswith(leaves):
                self._see([key])
            elif hash(key) not in seen:
                gone.append(Tombstone(key=key))
        too_many = len(gone) >= VANISH_KEYS and len(gone) > self.vanish_share * held
        if too_many and not self.full_refresh:
            # The next sync walks, and asks, again.
            self.buffer.state = {**self.state, **self._pending()}
            raise LandingError(
                f"{self.place}: a complete walk no longer shows `{len(gone):,}` of {held:,} held "
                f"records ({len(gone) / held:.0%}). That looks like a lost permission rather than "
                "deletions, so none was deleted. If they are really gone, run "
                f"`rapport sync {self.place} --full-refresh`."
            )
        self.census_done = True
        return gone

    def _reconcile(self) -> None:
        """Compare what the source counts with what we hold, once all of it is landed."""
        # A walk may show what is in a bin, too; what the source counts is said to be alive.
        count = self.result.source_count
        if count is None and self.census_done:
            count = len({*self.seen})
        if count is None or self.result.ended_early:
            return
        if self.buffer.parts:
            self._checkpoint()
        held = self._held_count()
        self._note(
            source_count=count,
            held_count=held,
            missing=max(0, count - held),
            extra=max(0, held - count),
        )

    def _held_count(self) -> int:
        """Count the live records held, or take the last count if nothing was landed since."""
        footer = self.landing.footer()
        known = footer.sync.get("held_count") if footer else None
        return self.landing.count() if known is None else int(known)

    # Facts

    def _facts(self, finished_at: datetime | None) -> dict[str, Any]:
        """Return what the footer says about this sync."""
        result = self.result
        return {
            "sync_id": self.sync_id,
            "started_at": self.started_at.isoformat(),
            "finished_at": finished_at.isoformat() if finished_at else None,
            "mode": "full_refresh" if self.full_refresh else self.stream.sync_mode,
            "rows": result.rows,
            "deletes": result.deletes,
            "pages": result.pages,
            "requests": result.requests,
            "calls_per_change": result.calls_per_change,
            "spans_left": result.spans_left,
            "waits_s": result.waits_s,
            "late": result.late,
            "duplicates": result.duplicates,
            "quarantined": result.quarantined,
            "source_count": result.source_count,
            "held_count": result.held_count,
            "missing": result.missing,
            "extra": result.extra,
            "notes": list(result.notes),
            "done": finished_at is not None and not result.ended_early,
        }

    def _note(self, **facts: Any) -> None:
        self.result = replace(self.result, **facts)

    def _calls(self) -> tuple[int, float]:
        return (self.session.requests_made, self.session.waits_s) if self.session else (0, 0.0)

    def _report(self, waiting_s: float = 0.0, waiting_for: str = "") -> None:
        if self.on_progress:
            elapsed = max(time.monotonic() - self.began, 1e-9)
            self.on_progress(
                Progress(
                    source=self.source.name,
                    stream=self.stream.name,
                    rows=self.records_read,
                    pages=self.result.pages,
                    rate=self.records_read / elapsed,
                    waiting_s=waiting_s,
                    waiting_for=waiting_for,
                )
            )

    @contextmanager
    def _speaking_for_stream(self) -> Iterator[None]:
        """Let the session's errors and waits name this stream."""
        if self.session is None:
            yield
            return
        before = (self.session.place, self.session.on_wait)
        self.session.place, self.session.on_wait = self.place, self._report
        self.session.keeps_reserve = True
        try:
            yield
        finally:
            self.session.place, self.session.on_wait = before
            self.session.keeps_reserve = False
