"""files: CSV, JSON lines and Parquet that somebody exports into a folder.

Needs no credential. A stream is a glob; its files are read in the order of their names,
each again only when its content changes. A last line without its end may be half a line:
while the file is young it waits for the next sync. What deletes look like: with
`snapshot: true` the last file is the whole list, and what it no longer shows is deleted
(an empty file shows nothing and deletes nothing); otherwise rows are only added and replaced.

A record is one JSON object per row: of a CSV every value is text and an empty one null, a
JSON line is kept as it stands, Parquet keeps its types with decimals exact. A stream
without `key:` is keyed by file and line, which it carries as `_file` and `_line`.

Belongs here: telling apart encodings, delimiters and columns. Does not belong here: what
the columns mean (`map:`, kept as it is written) or their types.
"""

from __future__ import annotations

import codecs
import csv
import glob
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import msgspec

from connectors.base import Check, Page, Policy, Rejected, State, Stream, Window
from connectors.discovery import Discovery, FoundField, FoundStream, shape
from connectors.errors import ConfigError, suggestion
from connectors.incremental import begun_anew, new_fields
from connectors.mapped import check_taken, guess_column, mapped_columns
from connectors.planning import Allowance, Cost
from connectors.session import Session

TYPE = "files"
SILO = "other"
POLICY = Policy()

ROWS_PER_PAGE = 1_000
SAMPLE_BYTES = 64 * 1024
ROWS_SAMPLED = 200
BLOCK_BYTES = 1024 * 1024
LONGEST_FIELD_BYTES = 64 * 1024 * 1024
DELIMITERS = (",", ";", "\t", "|")
FALLBACK_ENCODING = "cp1252"
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

UNFINISHED_S = 60.0
"""Whoever appends to a file writes on within this time."""

OURS = ("_file", "_line")
"""The key of a row in a stream without `key:`."""

Format = Literal["csv", "jsonl", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}


class FileStream(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One entry of `streams:`.

    Attributes:
        path: glob, relative to the folder of rapport.yml.
        format: told from the file name if absent.
        key: columns that identify a row; absent: file and line.
        cursor: column with the row's change stamp (ISO 8601 or Unix time): of two rows with
            one key the later stamp wins. Absent: the row that is read last.
        encoding: absent: by byte order mark, else UTF-8, else Windows-1252 with a note.
        delimiter: of a CSV; absent: found out from the first lines.
        timezone: zone of dates and times without one, as `Europe/Berlin`.
        null_values: texts that mean "no value", besides the empty one.
        fields: columns to take; absent: all, it is the user's own file.
        snapshot: the last file is the whole list; rows it no longer shows are deleted.
        map: to which unified table the rows lead.
    """

    path: str
    format: Format | None = None
    key: str | list[str] | None = None
    cursor: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    timezone: str = "UTC"
    null_values: list[str] = []
    fields: list[str] | None = None
    snapshot: bool = False
    map: Any = None


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `files`.

    Attributes:
        streams: name -> files and what is in them.
        folder: where relative paths start; set to the folder of rapport.yml.
    """

    streams: dict[str, FileStream]
    folder: str = "."


STREAMS: tuple[Stream, ...] = ()
"""None of its own: rapport.yml declares them."""


def connect(name: str, settings: Settings, session: Session) -> Files:
    """Return the source; nothing is opened yet."""
    return Files(name, settings)


class Files:
    """A folder of exports."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        for stream, declared in settings.streams.items():
            _check_names(f"sources.{name}.streams.{stream}", declared)

    def streams(self) -> Sequence[Stream]:
        """Return one stream per entry of `streams:`; no file is opened."""
        return [
            Stream(
                name=name,
                key=_key(declared),
                fields=_fields(declared),
                cursor=declared.cursor,
                sync_mode="full" if declared.snapshot else "incremental",
                deletes="census" if declared.snapshot else "none",
                object_name=declared.path,
                zone=declared.timezone,
            )
            for name, declared in self.settings.streams.items()
        ]

    def check(self) -> Check:
        """Look for the files, and for the columns that `map:` names in each stream's newest one.

        Raises:
            ConfigError: a stream has no file, or its newest one lacks a column.
        """
        count, notes = 0, []
        for name, declared in self.settings.streams.items():
            count += len(self._find(name))
            file = self._newest(name)
            if mapped_columns(declared.map):
                notes += _unseen(file, declared)
        return Check(
            ok=True,
            account=self.settings.folder,
            detail="; ".join([f"{count:,} file{'s' * (count != 1)}", *notes]),
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the rows of files that are new or changed since `state`, in order of names.

        State: `files` (name -> size, time, hash of what was read), `columns` seen so far, `fields`
        (see `begun_anew`) and `walk` within a file. A file is read whole: `--since` and `--until`
        do not apply.

        Raises:
            ConfigError: no file was ever found, one cannot be read, or it lacks a key column.
        """
        declared = self.settings.streams[stream.name]
        found = self._find(stream.name)
        if not found and not state.get("files"):
            raise self._nothing_found(stream.name)
        new = new_fields(stream.fields, state)
        columns: list[str] = list(state.get("columns", []))
        state = begun_anew(stream.fields, state, replace(window, since=None, until=None))
        fields = {"fields": state["fields"]}
        known: dict[str, list[Any]] = state.get("files", {})
        names = _to_read(declared, found)
        done = {name: known[name] for name in names if name in known}
        walk = state.get("walk", {})
        is_read = is_partial = False
        for name in names:
            path = found[name]
            if _is_unchanged(path, done.get(name)):
                continue
            print_ = _fingerprint(path, f"{self.name}.{stream.name}")
            if name in done and done[name][2] == print_.digest:
                done[name] = print_.facts()
                continue
            file = _File(path, name, f"{self.name}.{stream.name}", declared, print_)
            skip = walk["rows"] if walk.get("hash") == print_.digest else 0
            rows = file.rows()
            notes = [*file.notes, *_new_columns(name, file.columns, columns)]
            absent = [n for n in mapped_columns(declared.map) if n not in {*file.columns, *OURS}]
            if file.columns and absent:
                notes.append(f"{name}: no column {', '.join(absent)}, which `map:` names")
            read = sum(1 for _ in islice(rows, skip))
            while batch := list(islice(rows, ROWS_PER_PAGE)):
                is_read = True
                read += len(batch)
                at = {"hash": print_.digest, "rows": read}
                yield Page(
                    records=[row for row in batch if isinstance(row, bytes)],
                    rejected=[row for row in batch if isinstance(row, Rejected)],
                    # A census needs the whole file in one go: no resuming in its middle.
                    state=None
                    if declared.snapshot
                    else {**fields, "files": dict(done), "columns": list(columns), "walk": at},
                    notes=notes,
                )
            columns += [column for column in file.columns if column not in columns]
            is_whole = not file.is_held_back
            done[name] = print_.facts() if is_whole else NEVER_READ
            is_read, is_partial = True, is_partial or not is_whole or print_.size == 0
            yield Page(
                state=None
                if declared.snapshot
                else {**fields, "files": dict(done), "columns": columns},
                notes=[*notes, *file.late_notes()],
            )
        is_all = window.full_refresh or (declared.snapshot and is_read)
        is_anew = new and state.keys() == {"fields"}
        yield Page(
            state={**fields, "files": done, "columns": columns},
            census_complete=is_all and not is_partial,
            notes=[f"read again for {', '.join(new)}"] if is_anew else [],
        )

    def discover(self) -> Discovery:
        """Read the header and the first rows of each stream's newest file."""
        return Discovery(
            streams=tuple(self._found(stream) for stream in self.streams()),
            objects=(),
            how="a source of type `files` is what `streams:` names",
        )

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Add up the files that `read` would open. Rows are told from how long the first are."""
        declared = self.settings.streams[stream.name]
        found = self._find(stream.name)
        if not found and not state.get("files"):
            raise self._nothing_found(stream.name)
        window = replace(window, since=None, until=None)
        known = begun_anew(stream.fields, state, window).get("files", {})
        names = _to_read(declared, found)
        new = [found[name] for name in names if not _is_unchanged(found[name], known.get(name))]
        place = f"{self.name}.{stream.name}"
        counts = [_row_count(path, _format(declared, path, place), place) for path in new]
        return Cost(
            records=sum(counts),
            records_how=f"{len(new)} of {len(found)} files are new or changed; rows by "
            "Parquet's own count, else by the length of the first ones",
            size_bytes=sum(path.stat().st_size for path in new),
            notes=("a file that only has a new date is read once more, but lands nothing",)
            if known and new
            else (),
        )

    def allowance(self) -> Allowance:
        """Nobody limits how often a disk is read."""
        return Allowance(how="files on this machine: no calls, no quota")

    def _found(self, stream: Stream) -> FoundStream:
        declared = self.settings.streams[stream.name]
        file = self._newest(stream.name)
        rows = [row for row in islice(file.rows(), ROWS_SAMPLED) if isinstance(row, bytes)]
        types = dict.fromkeys(file.columns, "text") | shape(rows)
        fields = [
            FoundField(
                name=name,
                is_taken="*" in stream.fields or name in stream.fields,
                vendor_type=file.format,
                type=type_,
                pii=guess_column(name, declared.map)[0],
                pii_basis=guess_column(name, declared.map)[1],
            )
            for name, type_ in types.items()
        ]
        fields.sort(key=lambda field: not field.is_taken)
        return FoundStream(
            stream=stream,
            fields=tuple(fields),
            how=f"the header of `{file.name}`, types as its first {len(rows)} rows look",
            is_complete=file.format != "jsonl",
            unseen=tuple(f for f in stream.fields if f != "*" and f not in types),
            note="; ".join(file.notes),
        )

    def _newest(self, stream: str) -> _File:
        """Open the newest file of a stream; raise `ConfigError` if there is none."""
        found = self._find(stream)
        if not found:
            raise self._nothing_found(stream)
        name = max(found, key=lambda name: found[name].stat().st_mtime_ns)
        place = f"{self.name}.{stream}"
        declared = self.settings.streams[stream]
        return _File(found[name], name, place, declared, _fingerprint(found[name], place))

    def _find(self, stream: str) -> dict[str, Path]:
        """Return name -> path of a stream's files, sorted; names start behind the fixed folders."""
        pattern = os.path.join(self.settings.folder, self.settings.streams[stream].path)  # noqa: PTH118
        fixed = PurePath(pattern).parent
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        return {
            PurePath(path).relative_to(fixed).as_posix(): Path(path)
            for path in paths
            if Path(path).is_file()
        }

    def _nothing_found(self, stream: str) -> ConfigError:
        pattern = self.settings.streams[stream].path
        return ConfigError(
            f"{self.name}.{stream}: no file matches `{pattern}`, looked for from the folder "
            f"`{self.settings.folder}`. Check `path` in rapport.yml."
        )


# Declarations


def _key(declared: FileStream) -> tuple[str, ...]:
    if declared.key is None:
        return OURS
    return (declared.key,) if isinstance(declared.key, str) else tuple(declared.key)


def _fields(declared: FileStream) -> tuple[str, ...]:
    """Return the allow-list; key and cursor belong to it whether named or not."""
    if declared.fields is None:
        return ("*",)
    needed = [*_key(declared), *([declared.cursor] if declared.cursor else [])]
    return tuple(dict.fromkeys([*needed, *declared.fields]))


def _check_names(place: str, declared: FileStream) -> None:
    try:
        ZoneInfo(declared.timezone)
    except (KeyError, ValueError, OSError):
        raise ConfigError(
            f"{place}: there is no time zone `{declared.timezone}`. Write one like `Europe/Berlin`."
        ) from None
    try:
        codecs.lookup(declared.encoding or "utf-8")
    except LookupError:
        raise ConfigError(
            f"{place}: there is no encoding `{declared.encoding}`. Write one like `utf-8`, "
            "`cp1252` or `utf-16`, or leave it out."
        ) from None
    if declared.delimiter is not None and len(declared.delimiter) != 1:
        raise ConfigError(f"{place}: `delimiter` must be one character.")
    check_taken(place, declared.map, [*_fields(declared), *OURS])


NEVER_READ: list[Any] = [-1, 0, ""]
"""Facts that no file has, so that it is read at the next sync."""


def _to_read(declared: FileStream, found: Mapping[str, Path]) -> list[str]:
    """Return the files that count: of several snapshots the last one tells how things are."""
    return list(found)[-1:] if declared.snapshot else list(found)


def _is_unchanged(path: Path, known: list[Any] | None) -> bool:
    stat = path.stat()
    return known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]


def _unseen(file: _File, declared: FileStream) -> list[str]:
    """Say which mapped columns the first records of JSON lines lack: a later one may have them.

    Raises:
        ConfigError: a CSV or Parquet file, which tells all its columns, lacks one.
    """
    rows = [row for row in islice(file.rows(), ROWS_SAMPLED) if isinstance(row, bytes)]
    known = file.columns or list(shape(rows))
    missing = [name for name in mapped_columns(declared.map) if name not in {*known, *OURS}]
    if not missing or not known:
        return []
    if file.format != "jsonl":
        raise ConfigError(
            f"{file.place}: `{file.name}` has no column `{missing[0]}`, which `map:` names."
            f"{suggestion(missing[0], known)} Its columns: {', '.join(known)}."
        )
    return [
        f"{file.place}: `map:` names {', '.join(f'`{name}`' for name in missing)}, which none of "
        f"the first {len(rows)} records of `{file.name}` has"
    ]


# One file


@dataclass(frozen=True)
class _Fingerprint:
    """What one pass over a file's bytes tells."""

    size: int
    mtime_ns: int
    digest: str
    encoding: str
    is_guessed: bool

    def facts(self) -> list[Any]:
        return [self.size, self.mtime_ns, self.digest]


def _fingerprint(path: Path, place: str) -> _Fingerprint:
    """Hash a file and find out its encoding, without holding it in memory."""
    digest = hashlib.blake2b(digest_size=16)
    is_utf8 = True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        stat = path.stat()
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                if is_utf8:
                    is_utf8 = _decodes(decoder, block)
            is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    except OSError as error:
        raise _unreadable(path, place, error.strerror or "it cannot be opened") from None
    marked = next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), None)
    encoding = marked or ("utf-8" if is_utf8 else FALLBACK_ENCODING)
    is_guessed = encoding == FALLBACK_ENCODING
    return _Fingerprint(stat.st_size, stat.st_mtime_ns, digest.hexdigest(), encoding, is_guessed)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


class _File:
    """One file of a stream, opened.

    Attributes:
        columns: its column names; of JSON lines none are known.
        notes: what was guessed or mended.
        is_held_back: its last row is left for the next sync; known once all rows are read.
    """

    def __init__(
        self, path: Path, name: str, place: str, declared: FileStream, print_: _Fingerprint
    ) -> None:
        self.path = path
        self.name = name
        self.place = place
        self.declared = declared
        self.encoding = declared.encoding or print_.encoding
        self.format = _format(declared, path, place)
        self.columns: list[str] = []
        self.notes: list[str] = []
        self.is_held_back = False
        self._size = print_.size
        if print_.is_guessed and declared.encoding is None and self.format == "csv":
            self.notes.append(
                f"{name}: not UTF-8, read as Windows-1252; `encoding:` says otherwise"
            )

    def rows(self) -> Iterator[bytes | Rejected]:
        """Open the file and return an iterator over its records; `columns` are set then.

        Raises `ConfigError` naming the file when it cannot be made out.
        """
        readers = {"csv": self._csv, "jsonl": self._json_lines, "parquet": self._parquet}
        rows = self._with_clear_errors(readers[self.format]())
        # The first item is a marker: with it the header has been read.
        next(rows, None)
        missing = [name for name in _key(self.declared) if name not in self.columns]
        if self.columns and self.declared.key is not None and missing:
            raise ConfigError(
                f"{self.place}: `{self.name}` has no column `{missing[0]}`, which `key:` names. "
                f"Its columns: {', '.join(self.columns)}."
            )
        return self._all_but_last(rows) if self._is_unfinished() else rows

    def late_notes(self) -> list[str]:
        """Return what is to be said once all rows are read."""
        if self.is_held_back:
            return [f"{self.name}: its last line has no end yet and waits for the next sync"]
        return [] if self._size else [f"{self.name}: it is empty, so nothing is told by it"]

    def _is_unfinished(self) -> bool:
        """Tell whether the end of a last line is missing, and may still be written."""
        stat = self.path.stat()
        if self.format == "parquet" or abs(time.time() - stat.st_mtime) > UNFINISHED_S:
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, stat.st_size - 2))
            return not file.read().endswith((b"\n", b"\r", b"\n\0", b"\r\0"))

    def _all_but_last(self, rows: Iterator[bytes | Rejected]) -> Iterator[bytes | Rejected]:
        last = next(rows, None)
        for row in rows:
            if last is not None:
                yield last
            last = row
        self.is_held_back = last is not None

    def _with_clear_errors(self, rows: Iterator[bytes | Rejected]) -> Iterator[bytes | Rejected]:
        import pyarrow as pa

        try:
            yield from rows
        except UnicodeError:
            raise _unreadable(
                self.path, self.place, f"it is not `{self.encoding}`; check `encoding`"
            ) from None
        except csv.Error as error:
            raise _unreadable(
                self.path, self.place, f"{error}; is a quotation mark never closed?"
            ) from None
        except pa.ArrowException:
            raise _unreadable(self.path, self.place, "it is no whole Parquet file") from None
        except OSError as error:
            raise _unreadable(self.path, self.place, error.strerror or "it breaks off") from None

    # Formats

    def _csv(self) -> Iterator[bytes | Rejected]:
        csv.field_size_limit(LONGEST_FIELD_BYTES)
        nulls = {"", *self.declared.null_values}
        encode = msgspec.json.Encoder().encode
        is_keyless = self.declared.key is None
        errors = "replace" if self.encoding == FALLBACK_ENCODING else "strict"
        with self.path.open(encoding=self.encoding, errors=errors, newline="") as file:
            sample = file.read(SAMPLE_BYTES)
            file.seek(0)
            delimiter = self.declared.delimiter or _find_delimiter(sample)
            reader = csv.reader(file, delimiter=delimiter)
            self.columns = self._named_once(next(reader, []))
            yield b""
            width = len(self.columns)
            line = reader.line_num + 1
            for values in reader:
                at, line = line, reader.line_num + 1
                if not values:
                    continue
                if len(values) != width:
                    yield self._ragged(values, at)
                    continue
                record: dict[str, Any] = {"_file": self.name, "_line": at} if is_keyless else {}
                for name, value in zip(self.columns, values, strict=True):
                    record[name] = None if value in nulls else value
                yield encode(record)

    def _json_lines(self) -> Iterator[bytes | Rejected]:
        is_keyless = self.declared.key is None
        yield b""
        for number, text in enumerate(self._lines(), 1):
            line = text.strip()
            if not line:
                continue
            if number == 1 and line.startswith(b"["):
                raise _unreadable(
                    self.path, self.place, "it is one JSON document, not one record a line"
                )
            if is_keyless and line.startswith(b"{"):
                ours = msgspec.json.encode({"_file": self.name, "_line": number})
                rest = line[1:].lstrip()
                line = ours[:-1] + (b"" if rest.startswith(b"}") else b",") + rest
            yield line

    def _lines(self) -> Iterator[bytes]:
        """Yield lines as UTF-8; bytes that are not are left for the record check to find."""
        if (
            self.encoding in ("utf-8", "utf-8-sig", FALLBACK_ENCODING)
            and not self.declared.encoding
        ):
            with self.path.open("rb") as file:
                if file.read(3) != codecs.BOM_UTF8:
                    file.seek(0)
                yield from file
        else:
            with self.path.open(encoding=self.encoding, newline="\n") as text:
                for line in text:
                    yield line.encode()

    def _parquet(self) -> Iterator[bytes | Rejected]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        encode = msgspec.json.Encoder(decimal_format="number").encode
        is_keyless = self.declared.key is None
        with pq.ParquetFile(self.path) as file:
            schema = file.schema_arrow
            self.columns = list(schema.names)
            yield b""
            # Python has no nanoseconds.
            micro = pa.schema([_in_microseconds(field) for field in schema])
            number = 0
            for batch in file.iter_batches(batch_size=ROWS_PER_PAGE):
                for record in batch.cast(micro, safe=False).to_pylist():
                    number += 1
                    if is_keyless:
                        record = {"_file": self.name, "_line": number, **record}
                    yield encode(record)

    # Parts

    def _named_once(self, header: list[str]) -> list[str]:
        """Return column names that are all there and all different, and note what was mended."""
        names: list[str] = []
        for number, given in enumerate(header, 1):
            name = unique = given.strip() or f"column_{number}"
            count = 1
            while unique in names:
                count += 1
                unique = f"{name}_{count}"
            if unique != given.strip():
                self.notes.append(
                    f"{self.name}: column {number} `{given.strip()}` read as `{unique}`"
                )
            names.append(unique)
        return names

    def _ragged(self, values: list[str], line: int) -> Rejected:
        # Which value belongs to which column is unknown: with an allow-list none may be kept.
        text = msgspec.json.encode(values) if self.declared.fields is None else b""
        return Rejected(
            reason="ragged_row",
            detail=f"{self.name}, line {line}: {len(values)} fields, {len(self.columns)} columns",
            text=text,
        )


def _format(declared: FileStream, path: Path, place: str) -> Format:
    """Return the declared format, or the one that the file's name says."""
    suffix = path.suffix.lower()
    if declared.format is None and suffix not in SUFFIXES:
        raise ConfigError(
            f"{place}: the format of `{path.name}` cannot be told from its name. "
            "Add `format: csv`, `jsonl` or `parquet`."
        )
    return declared.format or SUFFIXES[suffix]


def _row_count(path: Path, format_: Format, place: str) -> int:
    """Return how many rows a file has: Parquet says so, of text the first lines tell how long."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if format_ == "parquet":
            return int(pq.read_metadata(path).num_rows)
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        size = path.stat().st_size
    except pa.ArrowException:
        raise _unreadable(path, place, "it is no whole Parquet file") from None
    except OSError as error:
        raise _unreadable(path, place, error.strerror or "it cannot be opened") from None
    is_cut = len(sample) < size
    lines = sample.count(b"\n") + (not is_cut and not sample.endswith(b"\n"))
    whole = round(lines * size / len(sample)) if sample else 0
    return max(0, whole - (format_ == "csv"))


def _find_delimiter(sample: str) -> str:
    """Return the delimiter that cuts the first lines into the same number of columns, above one."""
    best, most = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        # The last row may be cut off by the end of the sample.
        rows = [row for row in csv.reader(sample.splitlines(True), delimiter=delimiter) if row]
        rows = rows[:-1] if len(rows) > 2 else rows
        width = len(rows[0]) if rows else 0
        if width > 1:
            alike = sum(len(row) == width for row in rows) / len(rows)
            if (alike, width) > most:
                best, most = delimiter, (alike, width)
    return best


def _new_columns(name: str, columns: Sequence[str], known: Sequence[str]) -> list[str]:
    new = [column for column in columns if column not in known] if known else []
    return [f"{name}: new column{'s' if len(new) > 1 else ''} {', '.join(new)}"] if new else []


def _in_microseconds(field: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
        return field.with_type(pa.timestamp("us", field.type.tz))
    return field


def _unreadable(path: Path, place: str, why: str) -> ConfigError:
    return ConfigError(f"{place}: the file `{path.name}` cannot be read: {why}.")
