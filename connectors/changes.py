"""Which of the records that were read become rows, and with which `_version`.

Belongs here: comparing what came with what is held. Does not belong here: reading
pages (`sync`) or files (`landing`).

The current row of a key is its greatest (`_version`, `_seq`), so nothing that counts may
be versioned below what it replaces:

- a record with a trusted stamp takes its stamp; any other the time it is landed;
- seen again with the same stamp and text: no row;
- same stamp, other text (a formula field): a row with the same stamp and a later `_seq`;
- older than what is held: a row of history;
- back after a delete that is stamped later than the record itself: lifted to the time it
  is landed; what follows counts against the stamp inside the lifted record;
- stamped later than the source's own clock: landed as if it had no stamp, and whatever comes
  next replaces it. Else a record that was once misdated to 2999 could never be mended.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Stream, Tombstone
from connectors.landing import Held, Row, StreamLanding
from connectors.records import Projected, Records, own_stamp, to_us

Item = Projected | Tombstone
Part = Records | Sequence[Tombstone]
"""What a page brought: its records, and what it says is gone."""

CLOCKS_APART = timedelta(days=1)
"""A stamp further ahead of the source's clock than this says nothing about order."""

SAME_MOMENT = timedelta(seconds=1)
"""Deletions are often stamped in whole seconds, records in milliseconds."""


class Changes:
    """Decides for one sync.

    Args:
        is_first: nothing is landed yet, so that only what this sync lands can be held.

    Attributes:
        deletes: delete rows.
        late: records stamped before the cursor that were not held.
        duplicates: records whose key came already in this sync, with no newer stamp.
        cursor: what is stamped before and was not held is late; None: nothing is.
        source_now: the source's clock; None: stamps are taken as they are.
    """

    def __init__(
        self,
        stream: Stream,
        landing: StreamLanding,
        sync_id: str,
        *,
        full_refresh: bool = False,
        is_first: bool = False,
        cursor: datetime | None = None,
    ) -> None:
        self.deletes = 0
        self.late = 0
        self.duplicates = 0
        self.cursor = cursor
        self.source_now: datetime | None = None
        self._stream = stream
        self._landing = landing
        self._sync_id = sync_id
        self._full_refresh = full_refresh
        self._landed = _Keys() if is_first else None
        self._held: dict[str, list[Held]] = {}
        self._texts: dict[int, bytes] = {}
        self._gone: Collection[str] = ()

    def rows(self, parts: Sequence[Part], now: datetime) -> list[Row] | Records:
        """Return the rows of one checkpoint, in the order of `parts`.

        Args:
            now: the time of the commit.
        """
        parts = [self._believable(part) for part in parts]
        self._held = self._landing.held(self._in_question(parts))
        only = parts[0] if len(parts) == 1 else None
        if isinstance(only, Records) and not self._held and len({*only.keys}) == len(only):
            if self.cursor is not None:
                cursor = to_us(self.cursor)
                self.late += sum(at is not None and at < cursor for at in only.versions)
            return only
        items: list[Item] = [item for part in parts for item in part]
        repeated = {key for key, times in Counter(item.key for item in items).items() if times > 1}
        self._gone = {item.key for item in items if isinstance(item, Tombstone)}
        self._texts = self._landing.records(self._texts_in_question(items))
        seq = self._landing.next_seq()
        rows: list[Row] = []
        for item in items:
            history = self._held.get(item.key, [])
            if isinstance(item, Tombstone):
                row = self._delete(item, history, now)
            else:
                row = self._upsert(item, history, now)
            if row is None:
                continue
            rows.append(row)
            if row.key in repeated:
                held = Held(row.version or now, seq, row.op, row.merged_into, self._sync_id)
                self._held.setdefault(row.key, []).append(held)
                self._held[row.key].sort()
                if row.record is not None:
                    self._texts[seq] = row.record
            seq += 1
        self._held, self._texts = {}, {}
        self.deletes += sum(row.op == "delete" for row in rows)
        return rows

    # Decisions; `history` is what is held of the key, oldest version first

    def _upsert(self, item: Projected, history: list[Held], now: datetime) -> Row | None:
        stamp = item.version
        if not history:
            self._count_late(stamp)
            return Row(item.key, "upsert", stamp, item.text)
        current = history[-1]
        twin = self._twin(stamp, history)
        if current.sync_id == self._sync_id and (stamp is None or twin or stamp < current.version):
            self.duplicates += 1

        if current.op == "delete":
            if item.key in self._gone and stamp is not None and stamp <= current.version:
                return None  # comes along with its tombstone, which we hold
            if stamp is None or stamp <= current.version:
                return Row(item.key, "upsert", max(now, current.version), item.text)
        elif twin and self._texts.get(twin.seq) == item.text and not self._full_refresh:
            return None

        if twin is None:
            self._count_late(stamp)
        if stamp is None:
            version = max(now, current.version)
        elif stamp < current.version and self._is_lifted(current, stamp):
            version = current.version
        else:
            version = stamp
        return Row(item.key, "upsert", version, item.text)

    def _delete(self, item: Tombstone, history: list[Held], now: datetime) -> Row | None:
        at = item.at or now
        if not history:
            # Never held, so nothing to delete; but a merge says where its references lead.
            return Row(item.key, "delete", at, None, item.merged_into) if item.merged_into else None
        current = history[-1]
        if current.op == "delete":
            is_news = item.merged_into is not None and item.merged_into != current.merged_into
            is_anew = self._full_refresh and current.sync_id != self._sync_id
            if not is_news and not is_anew:
                return None
            at = max(at, current.version)
        elif at < current.version:
            same_moment = current.version - at < SAME_MOMENT
            if item.at is not None and not same_moment and not self._is_lifted(current, at):
                return None  # restored since
            at = current.version
        return Row(item.key, "delete", at, None, item.merged_into)

    def _twin(self, stamp: datetime | None, history: list[Held]) -> Held | None:
        """Return the newest held upsert that bears this stamp; without stamps, the current one."""
        upserts = [row for row in history if row.op == "upsert"]
        if stamp is None:
            return upserts[-1] if upserts and upserts[-1] is history[-1] else None
        bearing = [
            row
            for row in upserts
            if row.version == stamp or (row is history[-1] and self._own_stamp(row) == stamp)
        ]
        return bearing[-1] if bearing else None

    def _is_lifted(self, row: Held, stamp: datetime) -> bool:
        """Tell whether a row outranks its own record's stamp, which is not above `stamp`.

        So does one whose stamp was not believed: that lies above the row's version.
        """
        own = self._own_stamp(row)
        return own is not None and (own > row.version or (own < row.version and own <= stamp))

    def _believable(self, part: Part) -> Part:
        """Return a part without the stamps that lie ahead of the source's clock."""
        if self.source_now is None or not isinstance(part, Records):
            return part
        limit = to_us(self.source_now + CLOCKS_APART)
        if (part.newest() or limit) <= limit:
            return part
        stamps = [None if at is not None and at > limit else at for at in part.versions]
        return Records(part.keys, stamps, part.texts)

    def _own_stamp(self, row: Held) -> datetime | None:
        text = self._texts.get(row.seq)
        return own_stamp(text, self._stream) if text is not None else None

    def _count_late(self, stamp: datetime | None) -> None:
        if stamp is not None and self.cursor is not None and stamp < self.cursor:
            self.late += 1

    # What to look up

    def _in_question(self, parts: Iterable[Part]) -> list[str]:
        """Return the keys to look up: a stamp above all that is landed is certainly new."""
        if self._landed is not None:
            return [key for part in parts for key in self._landed.again(_keys(part))]
        newest = self._landing.max_version()
        if newest is None:
            return []
        limit = to_us(newest)
        keys: list[str] = []
        for part in parts:
            if isinstance(part, Records):
                stamped = zip(part.keys, part.versions, strict=True)
                keys += [key for key, at in stamped if at is None or at <= limit]
            else:
                keys += [tombstone.key for tombstone in part]
        return keys

    def _texts_in_question(self, items: Iterable[Item]) -> set[int]:
        """Return the `_seq` of the rows whose text decides: twins, and rows that may be lifted."""
        wanted: set[int] = set()
        for item in items:
            history = self._held.get(item.key)
            if not history:
                continue
            at = item.at if isinstance(item, Tombstone) else item.version
            if at is None or at < history[-1].version:
                wanted.add(history[-1].seq)
            wanted.update(row.seq for row in history if row.version == at)
        return wanted


def _keys(part: Part) -> list[str]:
    return part.keys if isinstance(part, Records) else [tombstone.key for tombstone in part]


class _Keys:
    """Keys as hashes: 64 bits tell enough of them apart, in a tenth of the memory."""

    def __init__(self) -> None:
        self._hashes: list[Any] = []

    def again(self, keys: Sequence[str]) -> list[str]:
        """Return those of `keys` that an earlier call brought, and keep all of them in mind."""
        import pyarrow as pa
        import pyarrow.compute as pc

        hashes = array("q", map(hash, keys))
        new = pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(hashes)])
        before = pa.chunked_array(self._hashes, pa.int64())
        self._hashes.append(new)
        known = {*before.filter(pc.is_in(before, value_set=new)).to_pylist()}
        if not known:
            return []
        return [key for key, each in zip(keys, hashes, strict=True) if each in known]
