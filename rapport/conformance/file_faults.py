"""What happens to files between those who write and us who read them.

Belongs here: faults that need a folder. Does not belong here: how its files are written (`files`).
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rapport.conformance.faults import Act, Fault, live
from rapport.conformance.files import Form, Stage
from rapport.conformance.laws import EQUAL, KEPT
from rapport.conformance.play import Play

TAIL = "+00:00"
"""Of a stamp: without it, it is another time in another zone."""


def _folder(play: Play) -> Stage:
    assert isinstance(play.stage, Stage)
    return play.stage


def _torn(play: Play) -> None:
    """Read a file of which half a line is written: in mid word, in a stamp, in a letter."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    for cut in (3, len(TAIL) + 1, 12, 40):
        stage.create(2)
        path = stage.path(stream, stage.newest(stream))
        whole = path.read_bytes()
        path.write_bytes(whole[:-cut])
        play.attempt()
        path.write_bytes(whole)
        play.attempt()
    live(play)


def _in_form(*forms: Form) -> Act:
    """Write everything in another form, sync and change a little, and go back."""

    def act(play: Play) -> None:
        stage, stream = _folder(play), play.stream_name
        play.sync()
        for form in (*forms, Form()):
            stage.form = form
            stage.write(stream)
            play.attempt()
            live(play)
        play.attempt()

    return act


def _renamed(play: Play) -> None:
    """Give files other names, which sort before and behind all others; a snapshot stays last."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    before = len(play.rows())
    for number, name in enumerate(list(stage.files[stream])[-2:]):
        other = f"{'0' if number else 'z'}-{name}"
        if stream == "snapshot":
            other = name.replace(".csv", "-again.csv")
        stage.files[stream][other] = stage.files[stream].pop(name)
        stage.path(stream, name).rename(stage.path(stream, other))
    play.sync()
    if len(play.rows()) != before and stream != "snapshot":
        play.breaks(EQUAL, f"{len(play.rows()) - before} rows came of other names")
    live(play)


def _touched(play: Play) -> None:
    """Let files bear another time, without a change."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    before = len(play.rows())
    for number, name in enumerate(stage.files[stream]):
        os.utime(stage.path(stream, name), (1_700_000_000, 1_700_000_000 + number))
    play.sync()
    if len(play.rows()) != before:
        play.breaks(EQUAL, f"{len(play.rows()) - before} rows came of files that did not change")
    live(play)


def _shrunk(play: Play) -> None:
    """Replace a file by one with fewer rows: what it added before stays."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    held = play.held().keys()
    name = next(iter(stage.files[stream]))
    del stage.files[stream][name][:5]
    stage.write(stream)
    play.sync()
    if held - play.held().keys():
        play.breaks(KEPT, "rows went away with a file that only adds rows")
    live(play)


def _overlapping(play: Play) -> None:
    """Let a file that sorts first, and one that sorts last, repeat rows of others."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    before = len(play.rows())
    rows = [stage.rows[name] for name in stage.living()[3:30:4]]
    suffix = stream if stream != "snapshot" else "csv"
    for name in (f"0-again.{suffix}", f"z-again.{suffix}"):
        stage.files[stream][name] = list(rows)
    stage.write(stream)
    play.sync()
    if len(play.rows()) != before:
        play.breaks(EQUAL, f"{len(play.rows()) - before} rows came of rows that were held")
    for name in (f"0-again.{suffix}", f"z-again.{suffix}"):
        del stage.files[stream][name]
        stage.path(stream, name).unlink()
    live(play)


def _spoiled(*contents: Any) -> Act:
    """Let the newest file be something else for a while, and then be mended."""

    def act(play: Play) -> None:
        stage, stream = _folder(play), play.stream_name
        play.sync()
        for spoil in contents:
            live(play)
            path = stage.path(stream, stage.newest(stream))
            whole = path.read_bytes()
            path.write_bytes(spoil(whole))
            held = play.held().keys()
            tried = play.attempt()
            if tried.error is None and held - play.held().keys():
                play.breaks(KEPT, f"{len(held - play.held().keys())} rows were lost to it")
            path.write_bytes(whole)
            play.sync()

    return act


def _unreadable(play: Play) -> None:
    """Let the folder be empty, then be back."""
    stage, stream = _folder(play), play.stream_name
    play.sync()
    held = play.held().keys()
    folder = stage.folder / stream
    folder.rename(folder.with_name("away"))
    play.attempt()
    if held - play.held().keys():
        play.breaks(KEPT, "rows went away with the folder")
    folder.with_name("away").rename(folder)
    live(play)


def _late_half(whole: bytes) -> bytes:
    return gzip.compress(whole, mtime=0)[: len(whole) // 4]


_UTF16, _LATIN = Form(encoding="utf-16"), Form(encoding="cp1252")
_BOM, _BACKWARDS = Form(encoding="utf-8-sig"), Form(backwards=True)
_MORE = Form(more={"region": "north", "tier": ""})
_FEWER = Form(renamed={"note": None})
_OTHER = Form(renamed={"note": "remark"})

FAULTS: Sequence[Fault] = (
    Fault(id="torn_file", words="half a line of a file that is still written", act=_torn,
          needs=("files", "torn")),
    Fault(id="re_encoded", words="UTF-16, Latin-1 and a byte order mark in turn",
          act=_in_form(_UTF16, _LATIN, _BOM), needs=("files", "text")),
    Fault(id="column_order", words="columns in another order",
          act=_in_form(_BACKWARDS, replace(_BACKWARDS, more=_MORE.more)), needs=("files",)),
    Fault(id="columns_changed", words="a column added, removed, renamed",
          act=_in_form(_MORE, _FEWER, _OTHER), needs=("files",)),
    Fault(id="key_column_gone", words="the key is called something else",
          act=_in_form(Form(renamed={"id": "number"})), needs=("files",)),
    Fault(id="renamed", words="files under other names", act=_renamed, needs=("files",)),
    Fault(id="touched", words="files with another date and the same content", act=_touched,
          needs=("files",)),
    Fault(id="fewer_rows", words="a file replaced by one with fewer rows", act=_shrunk,
          needs=("files", "keeps")),
    Fault(id="overlapping", words="rows in two files", act=_overlapping,
          needs=("files", "keeps")),
    Fault(id="empty_file", words="a file without a byte", act=_spoiled(lambda whole: b""),
          needs=("files",)),
    Fault(id="gzip_cut", words="half of a gzip where text was, and half of the file",
          act=_spoiled(_late_half), needs=("files",)),
    Fault(id="folder_gone", words="the folder is away for a while", act=_unreadable,
          needs=("files",)),
)  # fmt: skip
