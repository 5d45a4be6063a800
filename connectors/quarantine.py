"""Quarantine: records that could not be landed, with the reason, so that nothing is lost silently.

Belongs here: the files under `quarantine/<source>/<stream>/` and counting them. Does
not belong here: deciding what is bad (`records`, staging).

One JSON line per record: `source`, `stream`, `key` (or null), `reason`, `detail`, `text`,
`seen_at`, `sync_id`. Secrets are masked; bytes that are not UTF-8 are written as `\\xff`.
A record that comes again unchanged, with every look-back or full walk, is kept once.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec

from connectors.base import Rejected
from connectors.errors import writing
from connectors.redaction import mask


class Line(msgspec.Struct):
    """One quarantined record."""

    source: str
    stream: str
    key: str | None
    reason: str
    detail: str
    text: str
    seen_at: datetime
    sync_id: str


class Quarantine:
    """The quarantine of one stream."""

    def __init__(self, home: Path, source: str, stream: str) -> None:
        self.folder = Path(home) / "quarantine" / source / stream
        self._source = source
        self._stream = stream

    def add(self, rejected: Sequence[Rejected], *, sync_id: str, seen_at: datetime) -> None:
        """Append to this sync's file what is not there yet.

        On disk before the caller's state moves past it. Raises `LandingError` if it cannot be.
        """
        lines: dict[bytes, bytes] = {}
        for bad in rejected:
            line = Line(
                source=self._source,
                stream=self._stream,
                key=None if bad.key is None else mask(bad.key),
                reason=bad.reason,
                detail=mask(bad.detail),
                text=mask(bad.text.decode("utf-8", "backslashreplace")),
                seen_at=seen_at,
                sync_id=sync_id,
            )
            lines[_digest(line)] = msgspec.json.encode(line) + b"\n"
        new = [text for digest, text in lines.items() if digest not in self._known]
        if new:
            name = f"{sync_id}.jsonl"
            with writing(f"{self._source}.{self._stream}", name):
                self._append(self.folder / name, new)
            self._known.update(lines)

    @staticmethod
    def _append(path: Path, lines: Sequence[bytes]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # torn by a full disk; it takes no line of ours along
                    file.write(b"\n")
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())

    def reasons(self) -> dict[str, int]:
        """Count the quarantined records by reason."""
        return dict(Counter(line.reason for line in self.lines()))

    def lines(self) -> list[Line]:
        """Return all lines, oldest sync first; a line torn by a crash is left out."""
        found = []
        for path in sorted(self.folder.glob("*.jsonl")):
            for text in path.read_bytes().splitlines():
                try:
                    found.append(msgspec.json.decode(text, type=Line))
                except msgspec.DecodeError:
                    continue
        return found

    @cached_property
    def _known(self) -> set[bytes]:
        return {_digest(line) for line in self.lines()}


def _digest(line: Line) -> bytes:
    what = "\0".join((line.key or "", line.reason, line.text))
    return hashlib.blake2b(what.encode(), digest_size=16).digest()
