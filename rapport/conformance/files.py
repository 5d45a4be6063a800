"""The stage of a folder of exports: four streams, each written as its kind of program writes.

    csv       appended to, a new file now and then; of two rows with one key the later stamp wins
    jsonl     each record stands in one file, rewritten in place; no stamps
    parquet   a new file for every batch of changes
    snapshot  the last file is the whole list, a new one each day

The first three only add and replace rows, so that what is deleted stays in them.

Belongs here: writing files, in order or in the disorder that `form` asks for. Does not belong here:
which disorder (`file_faults`).
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from rapport.conformance import stage

NOTES = ("plain", 'a "quoted" one', "semi;colon, comma", "line\nbreak", "naïve ß", "")
ROWS_PER_FILE = 20

Row = dict[str, Any]


@dataclass
class Form:
    """How rows are written down.

    Attributes:
        encoding: of text; those of UTF-16 and `utf-8-sig` begin with a byte order mark.
        backwards: columns in reverse order.
        renamed: column -> what it is called instead; to None: it is left out.
        more: columns that come on top, with what they hold.
    """

    encoding: str = "utf-8"
    backwards: bool = False
    renamed: Mapping[str, str | None] = field(default_factory=dict)
    more: Mapping[str, str] = field(default_factory=dict)

    def shaped(self, row: Row) -> Row:
        """Return a row with the columns as they are named and ordered here."""
        names = [(name, self.renamed.get(name, name)) for name in row]
        shaped = {to: row[name] for name, to in names if to is not None} | dict(self.more)
        return dict(reversed(shaped.items())) if self.backwards else shaped


class Stage(stage.Stage):
    """A folder with the exports of one small list of people."""

    type = "files"
    kind = "files"
    streams = ("csv", "jsonl", "parquet", "snapshot")
    limits: ClassVar = {"connectors.files.ROWS_PER_PAGE": stage.ROWS_PER_PAGE}
    lacks: ClassVar = {
        **{f"{stream}.{ability}": "a file that rows are added to does not tell what is deleted"
           for stream in ("csv", "jsonl", "parquet")
           for ability in ("deletes", "purges", "restores")},
        "merges": "a file does not tell of merges",
        "parquet.text": "Parquet is not text",
        "parquet.torn": "a Parquet file that is cut has no footer, and is no Parquet file",
        "snapshot.keeps": "what a snapshot no longer shows is deleted",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.settings = {
            "folder": "",
            "streams": {
                "csv": {"path": "csv/*.csv", "key": "id", "cursor": "changed_at"},
                "jsonl": {"path": "jsonl/*.jsonl", "key": ["id"]},
                "parquet": {"path": "parquet/*.parquet", "key": "id", "cursor": "changed_at"},
                "snapshot": {"path": "snapshot/*.csv", "key": "id", "snapshot": True},
            },
        }
        self.form = Form()
        self.rows: dict[str, Row] = {}
        self.gone: set[str] = set()
        self.files: dict[str, dict[str, list[Row]]] = {name: {} for name in self.streams}
        self.shown: dict[str, dict[str, Row]] = {name: {} for name in self.streams}
        self.folder = Path()

    @contextmanager
    def playing(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory() as folder, super().playing():
            self.folder = Path(folder)
            self.settings["folder"] = folder
            for stream in self.streams:
                (self.folder / stream).mkdir()
            yield

    # Verbs

    def create(self, count: int, *, tied: bool = False) -> list[str]:
        first = len(self.rows) + 1
        return self._put([str(number) for number in range(first, first + count)], tied)

    def change(self, names: Collection[str], *, tied: bool = False) -> None:
        self._put(names, tied)

    def delete(self, names: Collection[str]) -> None:
        self.gone.update(names)
        self._export([])

    purge = delete

    def restore(self, names: Collection[str]) -> None:
        self.gone.difference_update(names)
        self._put(names, False)

    def living(self) -> list[str]:
        return [name for name in self.rows if name not in self.gone]

    def _put(self, names: Collection[str], tied: bool) -> list[str]:
        for name in names:
            at = self.clock.now() if tied else self.clock.advance(seconds=1)
            versions = self.rows.get(name, {}).get("version", 0)
            number = int(name) + versions
            self.rows[name] = {
                "id": name,
                "name": f"Weaver {name}",
                "note": NOTES[number % len(NOTES)],
                "amount": f"{number}.50",
                "version": versions + 1,
                "changed_at": f"{at:%Y-%m-%dT%H:%M:%S}+00:00",
            }
        self._export(list(names))
        return list(names)

    # Truth

    def truth(self, stream: str) -> stage.Truth:
        shown = self.shown[stream]
        return {key: row for key, row in shown.items() if stream != "snapshot" or key in self._in}

    def agrees(self, stream: str, record: dict[str, Any], true: Any) -> bool:
        return _plain(record) == _plain(true)

    @property
    def _in(self) -> set[str]:
        """Return the keys on the newest snapshot."""
        files = self.files["snapshot"]
        return {row["id"] for row in files[max(files)]} if files else set()

    # Files

    def path(self, stream: str, name: str) -> Path:
        """Return where a file of a stream lies."""
        return self.folder / stream / name

    def newest(self, stream: str) -> str:
        """Return the name of a stream's last file."""
        return max(self.files[stream])

    def write(self, stream: str) -> None:
        """Write every file of a stream anew, in the present form."""
        for name in self.files[stream]:
            self._write(stream, name)

    def _export(self, names: Sequence[str]) -> None:
        rows = [self.rows[name] for name in names]
        for row in rows:
            self._replace("jsonl", row)
            self._append("csv", row)
        if rows:
            self._add("parquet", f"{len(self.files['parquet']):04d}.parquet", rows)
        living = [self.rows[name] for name in self.living()]
        self._add("snapshot", f"{self.clock.now():%Y-%m-%d}.csv", living)

    def _append(self, stream: str, row: Row) -> None:
        files = self.files[stream]
        name = max(files, default="")
        if not name or len(files[name]) >= ROWS_PER_FILE:
            name = f"{len(files):04d}.{stream}"
        self._add(stream, name, [*files.get(name, []), row])

    def _replace(self, stream: str, row: Row) -> None:
        for name, rows in self.files[stream].items():
            if any(other["id"] == row["id"] for other in rows):
                again = [row if other["id"] == row["id"] else other for other in rows]
                self._add(stream, name, again)
                return
        self._append(stream, row)

    def _add(self, stream: str, name: str, rows: list[Row]) -> None:
        self.files[stream][name] = rows
        self._write(stream, name)

    def _write(self, stream: str, name: str) -> None:
        rows = [self.form.shaped(row) for row in self.files[stream][name]]
        keys = [row["id"] for row in self.files[stream][name]]
        self.shown[stream] |= dict(zip(keys, rows, strict=True))
        path = self.path(stream, name)
        if stream == "parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            typed = [row | {"amount": Decimal(row["amount"])} for row in rows]
            pq.write_table(pa.Table.from_pylist(typed), path)
        else:
            path.write_bytes(self.text(stream, rows).encode(self.form.encoding))

    def text(self, stream: str, rows: Sequence[Row]) -> str:
        """Return rows as text."""
        if stream == "jsonl":
            return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["id"])
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose values compare whatever their type; an empty one is none."""
    plain = {name: None if value in ("", None) else str(value) for name, value in row.items()}
    if plain.get("amount"):
        plain["amount"] = str(Decimal(str(plain["amount"])).normalize())
    return plain


def make(settings: Mapping[str, Any]) -> Stage:
    """Return a stage for any source of files: how they are read is the same for all."""
    return Stage()
