"""Landing: a stream's records as files, where the file is the commit.

Belongs here: the layout of `landing/<source>/<stream>/`, writing a checkpoint so
that it is there wholly or not at all, the writer's lock, and reading back what is
held. Does not belong here: which records deserve to be written (`sync`).

A file is named by its first `_seq`; its footer carries the stream's whole state under
`rapport.state`, so rows and state become visible in one step: the newest file is the
state. A state that moved without rows is an empty file, which takes one `_seq`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from filelock import FileLock, Timeout

from connectors.base import State
from connectors.errors import LandingError, StreamLocked, writing
from connectors.records import Records, from_us

if TYPE_CHECKING:
    import pyarrow as pa

Op = Literal["upsert", "delete"]

STATE_KEY = b"rapport.state"
LOOKED_UP_COLUMNS = ["_key", "_seq", "_op", "_version", "_loaded_at"]
"""What readers skip row groups by. The bounds of `record` would be records in full."""
REPETITIVE_COLUMNS = ["_op", "_merged_into", "_loaded_at", "_sync_id"]
"""A dictionary of keys or records would hold each of them once, and cost a hash of each."""
ROWS_PER_GROUP = 16_384
"""Small enough that looking up single records reads little."""


ROWS_PER_FETCH = 10_000
EMPTY_FILES_STAY_S = 24 * 3600

# Structs compare field by field: the greatest (`_version`, `_seq`) is a key's current row.
_LIVE = """
    from (
        select _key, max({'version': _version, 'seq': _seq, 'op': _op}) as current
        from landed group by _key
    )
    where current.op = 'upsert'
"""


class Row(NamedTuple):
    """One row to be landed; `_seq`, `_loaded_at` and `_sync_id` are given at commit.

    Attributes:
        version: None: the time of the commit.
    """

    key: str
    op: Op
    version: datetime | None
    record: bytes | None
    merged_into: str | None = None


class Held(NamedTuple):
    """A landed row without its record; sorts as versions of a record do."""

    version: datetime
    seq: int
    op: Op
    merged_into: str | None
    sync_id: str


class Footer(msgspec.Struct):
    """What a file says besides its rows.

    Attributes:
        next_seq: first `_seq` of the next file.
        state: the connector's state.
        sync: facts of the sync that wrote it: `sync_id`, `started_at`, `finished_at`, `mode`,
            `rows`, `deletes`, `pages`, `requests`, `waits_s`, `late`, `quarantined`,
            `source_count`, `done`, and a few more.
        counts: `rows` landed in all files so far, `max_version` (ISO 8601 or null) of them.
    """

    next_seq: int
    state: State
    sync: dict[str, Any]
    counts: dict[str, Any]
    format: int = 1


class Landing:
    """All landed streams below a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = Path(home) / "landing"

    def stream(self, source: str, stream: str) -> StreamLanding:
        return StreamLanding(self.folder / source / stream, f"{source}.{stream}")

    def list_streams(self) -> list[tuple[str, str]]:
        """Return (source, stream) of every landed stream, sorted."""
        found = {path.parent for path in self.folder.glob("*/*/*.parquet")}
        return sorted((folder.parent.name, folder.name) for folder in found)


class StreamLanding:
    """One stream's files. Writing needs the lock; reading never does."""

    def __init__(self, folder: Path, place: str) -> None:
        self.folder = folder
        self.place = place

    # Writing

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the stream for writing; raise `StreamLocked` at once if somebody else does."""
        holder = self.folder / ".holder"
        lock = FileLock(self.folder / ".lock", timeout=0)
        with writing(self.place, ".lock"):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout:
                pid = holder.read_text().strip() if holder.exists() else ""
                raise StreamLocked(
                    f"{self.place}: another sync of this stream is running"
                    f"{f' (pid {pid})' if pid else ''}. Nothing was changed; wait for it to end."
                ) from None
        try:
            with writing(self.place, holder.name):
                holder.write_text(str(os.getpid()))
            self._tidy()
            yield
        finally:
            with suppress(OSError):  # it only tells others who we are
                holder.unlink()
            lock.release()

    def ensure_first_file(self) -> None:
        """Write the typed file without rows that every stream begins with."""
        if not self.files():
            self.commit([], state={}, sync={"done": False}, loaded_at=datetime.now(UTC))

    def commit(
        self,
        rows: Sequence[Row] | Records,
        *,
        state: State,
        sync: dict[str, Any],
        loaded_at: datetime,
    ) -> Path:
        """Land rows and state in one step and return the new file. Needs the lock.

        Nothing is visible before the whole file is on disk under its final name; a name
        that exists already is never replaced (`LandingError`).
        """
        last = self.footer()
        first_seq = last.next_seq if last else 0
        counts = last.counts if last else {"rows": 0, "max_version": None}
        versions = _versions(rows, loaded_at)
        if landed := _max_version(counts):
            versions.add(landed)
        footer = Footer(
            next_seq=first_seq + max(1, len(rows)),
            state=state,
            sync=sync,
            counts={
                "rows": counts["rows"] + len(rows),
                "max_version": max(versions).isoformat() if versions else None,
            },
        )
        final = self.folder / f"{first_seq:020d}.parquet"
        tables = _tables(rows, first_seq, loaded_at, sync.get("sync_id"))
        _write_durably(tables, footer, final, self.place)
        return final

    def _tidy(self) -> None:
        """Remove what crashes left behind, and empty files whose state is long replaced.

        Such a file holds no row. For a day it stays, for readers that have listed it.
        """
        for left_over in self.folder.glob(".tmp-*"):
            left_over.unlink()
        files = self.files()
        for old, following in pairwise(files[1:]):
            takes_one_seq = int(following.stem) == int(old.stem) + 1
            if (
                takes_one_seq
                and time.time() - following.stat().st_mtime > EMPTY_FILES_STAY_S
                and _arrow().parquet.read_metadata(old).num_rows == 0
            ):
                old.unlink()

    # Reading

    def files(self) -> list[Path]:
        """Return the files, oldest first."""
        return sorted(self.folder.glob("[0-9]*.parquet"))

    def footer(self) -> Footer | None:
        """Return the newest file's footer; None before the first file."""
        files = self.files()
        return read_footer(files[-1], self.place) if files else None

    def state(self) -> dict[str, Any] | None:
        """Return the newest footer as a plain dict; None before the first file."""
        footer = self.footer()
        return msgspec.to_builtins(footer) if footer else None

    def held(self, keys: Collection[str]) -> dict[str, list[Held]]:
        """Return all rows of those of `keys` that are held; the last one is the current row."""
        if not keys:
            return {}
        rows = self._query(
            "select _key, epoch_us(_version), _seq, _op, _merged_into, _sync_id from landed "
            "where _key in (from wanted) order by _version, _seq",
            wanted=_arrow().table({"_key": _arrow().array(keys, "string")}),
        )
        found: dict[str, list[Held]] = {}
        for key, version, *rest in rows:
            found.setdefault(key, []).append(Held(from_us(version), *rest))
        return found

    def current_keys(self) -> Iterator[str]:
        """Yield the key of every held record that is not deleted, in no order."""
        return (key for (key,) in self._query(f"select _key {_LIVE}"))

    def count(self) -> int:
        """Count the held records that are not deleted."""
        return sum(count for (count,) in self._query(f"select count(*) {_LIVE}"))

    def records(self, seqs: Collection[int]) -> dict[int, bytes]:
        """Return the record text of rows by `_seq`, without those that have none."""
        if not seqs:
            return {}
        wanted = _arrow().table({"_seq": _arrow().array(seqs, "int64")})
        # The bounds let the reader skip whole files and row groups.
        rows = self._query(
            f"select _seq, record from landed where _seq between {min(seqs)} and {max(seqs)} "
            "and _seq in (from wanted) and record is not null",
            wanted=wanted,
        )
        return {seq: record.encode() for seq, record in rows}

    def summary(self) -> dict[str, Any]:
        """Return what `rapport status` shows: rows, cursor, and the facts of the last sync."""
        footer = self.footer()
        if footer is None:
            return {"rows": 0, "files": 0, "cursor": None, "sync": {}}
        return {
            "rows": footer.counts["rows"],
            "files": len(self.files()),
            "cursor": footer.state.get("cursor"),
            "sync": footer.sync,
        }

    def next_seq(self) -> int:
        """Return the `_seq` that the next landed row gets."""
        footer = self.footer()
        return footer.next_seq if footer else 0

    def max_version(self) -> datetime | None:
        """Return the newest `_version` landed so far."""
        footer = self.footer()
        return _max_version(footer.counts) if footer else None

    def _query(self, sql: str, **tables: pa.Table) -> Iterator[tuple[Any, ...]]:
        """Run SQL in which `landed` means all files; large ones are sorted on disk, not here."""
        import duckdb

        files = [str(path) for path in self.files()]
        if not files:
            return
        try:
            with _engine().cursor() as cursor:
                for name, table in tables.items():
                    cursor.register(name, table)
                cursor.execute(
                    f"with landed as (from read_parquet($files)) {sql}", {"files": files}
                )
                while rows := cursor.fetchmany(ROWS_PER_FETCH):
                    yield from rows
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise LandingError(
                f"{self.place}: a landing file cannot be read ({error}). Restore it from a "
                "backup, or move the stream's folder away and sync again."
            ) from None


@cache
def _engine() -> Any:
    """Return this process's DuckDB for reading landing files, started when first needed."""
    import duckdb

    return duckdb.connect(
        config={"threads": 1, "memory_limit": "100MB", "temp_directory": tempfile.gettempdir()}
    )


@cache
def _arrow() -> Any:
    """Return Arrow, loaded when first needed: that takes as long as all of this package does.

    Its own memory pool would keep what writing one file took; the system's is used again.
    """
    import pyarrow as pa
    import pyarrow.parquet

    pa.set_memory_pool(pa.system_memory_pool())
    return pa


@cache
def schema() -> pa.Schema:
    """Return the columns of a landing file."""
    pa = _arrow()
    text, stamp = pa.string(), pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("_key", text),
            ("_seq", pa.int64()),
            ("_op", text),
            ("_merged_into", text),
            ("_version", stamp),
            ("_loaded_at", stamp),
            ("_sync_id", text),
            ("record", text),
        ]
    )


def read_footer(path: Path, place: str) -> Footer:
    """Read what a landing file says besides its rows; raise `LandingError` if it cannot."""
    pa = _arrow()
    try:
        text = pa.parquet.read_metadata(path).metadata[STATE_KEY]
        return msgspec.json.decode(text, type=Footer)
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, msgspec.DecodeError):
        raise LandingError(
            f"{place}: the landing file `{path.name}` cannot be read or carries no state. "
            "Restore it from a backup, or move the stream's folder away and sync again."
        ) from None


def _tables(
    rows: Sequence[Row] | Records, first_seq: int, loaded_at: datetime, sync_id: str | None
) -> Iterator[pa.Table]:
    """Yield the rows as a file's row groups, one at a time: a copy of all would double them."""
    for first in range(0, len(rows), ROWS_PER_GROUP):
        group = rows[first : first + ROWS_PER_GROUP]
        yield _table(group, first_seq + first, loaded_at, sync_id)


def _table(
    rows: Sequence[Row] | Records, first_seq: int, loaded_at: datetime, sync_id: str | None
) -> pa.Table:
    pa = _arrow()
    count = len(rows)
    stamp = schema().field("_version").type
    keys: Sequence[str]
    if isinstance(rows, Records):
        keys, records = rows.keys, pa.chunked_array(rows.texts)
        versions = pa.array(rows.versions, "int64").view(stamp)
        ops = pa.repeat(pa.scalar("upsert"), count)
        merged_into = pa.nulls(count, pa.string())
    else:
        keys, ops, stamps, records, merged_into = zip(*rows, strict=True)
        versions = pa.array(stamps, stamp)
    at = pa.scalar(loaded_at, stamp)
    columns = {
        "_key": keys,
        "_seq": range(first_seq, first_seq + count),
        "_op": ops,
        "_merged_into": merged_into,
        "_version": versions.fill_null(at),
        "_loaded_at": pa.repeat(at, count),
        "_sync_id": pa.repeat(pa.scalar(sync_id, pa.string()), count),
        "record": records,
    }
    return pa.table(columns, schema=schema())


def _versions(rows: Sequence[Row] | Records, loaded_at: datetime) -> set[datetime]:
    """Return versions of `rows`, the greatest among them."""
    if not isinstance(rows, Records):
        return {row.version or loaded_at for row in rows}
    newest = rows.newest()
    versions = set() if newest is None else {from_us(newest)}
    return versions | {loaded_at} if None in rows.versions else versions


def _max_version(counts: dict[str, Any]) -> datetime | None:
    text = counts.get("max_version")
    return datetime.fromisoformat(text) if text else None


def _write_durably(tables: Iterable[pa.Table], footer: Footer, final: Path, place: str) -> None:
    """Write under a temporary name, flush to disk, then give it its name in one step."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".tmp-{os.getpid()}-{final.name}")
    try:
        with temporary.open("wb") as file:
            with _arrow().parquet.ParquetWriter(
                file,
                schema(),
                compression="zstd",
                use_dictionary=REPETITIVE_COLUMNS,
                write_statistics=LOOKED_UP_COLUMNS,
            ) as writer:
                for table in tables:
                    writer.write_table(table)
                writer.add_key_value_metadata({STATE_KEY: msgspec.json.encode(footer)})
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link fails if the name exists: no commit can hide another.
        os.link(temporary, final)
        flush(final.parent)
    except FileExistsError:
        raise LandingError(
            f"{place}: the landing file `{final.name}` exists already. Two writers were at work "
            "on this stream; nothing was replaced. Run the sync again."
        ) from None
    except OSError as error:
        raise LandingError(
            f"{place}: the landing file `{final.name}` cannot be written: {error.strerror}. "
            "What was landed before is whole; mend the disk and run the sync again."
        ) from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
