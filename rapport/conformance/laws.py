"""What must hold whatever happened: the laws, each a function of a play.

Belongs here: looking at what was landed, said and asked. Does not belong here: how it came to it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from rapport.conformance.play import Play, TooManyRequests, is_ours
from rapport.conformance.stage import SOURCE

EQUAL = "equal to the truth"
ONCE = "nothing doubled"
KEPT = "nothing lost"
STATE = "state never ahead of data"
SECRET = "no secret leaks"
NAMED = "errors name the stream"
ENDS = "ends, and goes on"

LAWS: dict[str, str] = {
    EQUAL: "the current rows are the source's live records, with the source's values",
    ONCE: "one current row per key, each `_seq` once, and no version landed twice in a row",
    KEPT: "every live record of the source is held, or lies in quarantine with its reason",
    STATE: "a sync from any earlier landing file, as after a crash there, comes to the truth",
    SECRET: "no credential, token or field outside the allow-list in a file, message or log",
    NAMED: "what a sync raises is one of our errors and begins with `source.stream`",
    ENDS: "every sync ends, and one after the fault succeeds without help",
}


def look(play: Play) -> None:
    """Note in a play which laws do not hold, after its last sync."""
    for law, of_play in _LOOKS.items():
        for how in of_play(play):
            play.breaks(law, how)


def _equal(play: Play) -> Iterator[str]:
    held, truth = play.held(), play.stage.truth(play.stream_name)
    if extra := sorted(held.keys() - truth.keys()):
        yield f"{len(extra)} held that the source does not have, such as `{extra[0]}`"
    if play.compares:
        for key in sorted(held.keys() & truth.keys()):
            if not play.stage.agrees(play.stream_name, held[key], truth[key]):
                yield f"`{key}` is held as {_short(held[key])}, the source has {_short(truth[key])}"
                return
    heirs, rows = play.stage.heirs(play.stream_name), play.current()
    for key, row in rows.items():
        if key in heirs and row["_op"] == "delete":
            seen = set()
            current: Any = row
            while current is not None and current["_op"] == "delete" and key not in seen:
                seen.add(key)
                key = current["_merged_into"] or ""
                current = rows.get(key)
            if key != heirs[row["_key"]]:
                yield f"`{row['_key']}` was merged into `{heirs[row['_key']]}`, not `{key}`"
                return


def _once(play: Play) -> Iterator[str]:
    rows = play.rows()
    for before, after in pairwise(rows):
        if after["_seq"] <= before["_seq"]:
            yield f"`_seq` {after['_seq']} is given twice"
            return
    last: dict[str, dict[str, Any]] = {}
    refreshes = play.refreshes()
    for row in rows:
        before_row = last.get(row["_key"])
        same = ("_op", "_version", "record", "_merged_into")
        is_same = before_row and all(before_row[name] == row[name] for name in same)
        if is_same and row["_sync_id"] not in refreshes:
            yield f"`{row['_key']}` was landed twice as it was"
            return
        last[row["_key"]] = row


def _kept(play: Play) -> Iterator[str]:
    in_quarantine = {line.key for line in play.quarantine.lines()}
    missing = play.stage.truth(play.stream_name).keys() - play.held().keys() - in_quarantine
    if missing:
        yield f"{len(missing)} of {len(play.stage.truth(play.stream_name))} live records are " \
              f"missing, such as `{min(missing)}`"  # fmt: skip
    if len(play.quarantine.lines()) < play.bad_records:
        yield f"{play.bad_records} records cannot be landed, {len(play.quarantine.lines())} are " \
              "in quarantine"  # fmt: skip


def _secret(play: Play) -> Iterator[str]:
    landed = [str(row) for row in play.rows()]
    states = [str(play.landing.state())]
    files = [
        path.read_bytes().decode("utf-8", "replace")
        for path in play.home.rglob("*")
        # a refresh token that outlives us has a file of its own
        if path.is_file() and path.suffix != ".parquet" and path.parent.name != "tokens"
    ]
    for where, texts in (
        ("a landed row", landed), ("a state", states), ("a file", files),
        ("a message", play.messages),
    ):  # fmt: skip
        for secret in play.stage.secrets | (play.forbidden if where != "a message" else set()):
            if any(form in text for form in _forms(secret) for text in texts):
                yield f"{where} holds `{secret[:4]}...`"
                return


def _forms(secret: str) -> Iterator[str]:
    """Yield how a secret may be spelled, also where it begins inside longer base64."""
    yield secret
    yield quote(secret, safe="")
    data = secret.encode()
    for offset in range(3):
        letters = base64.b64encode(b"\0" * offset + data).decode()
        yield letters[-(-offset * 8 // 6) : (offset + len(data)) * 8 // 6]


def _named(play: Play) -> Iterator[str]:
    place = f"{SOURCE}.{play.stream_name}"
    for tried in play.tried:
        error = tried.error
        if error is None or isinstance(error, TooManyRequests):
            continue
        if not is_ours(error):
            yield f"`{type(error).__name__}` is none of our errors: {str(error)[:120]}"
        elif not str(error).startswith(place):
            yield f"does not begin with `{place}`: {str(error)[:120]}"


def _ends(play: Play) -> Iterator[str]:
    if any(isinstance(tried.error, TooManyRequests) for tried in play.tried):
        yield "a sync asked without an end"


_LOOKS: dict[str, Callable[[Play], Iterator[str]]] = {
    EQUAL: _equal, ONCE: _once, KEPT: _kept, SECRET: _secret, NAMED: _named, ENDS: _ends,
}  # fmt: skip


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) < 120 else text[:117] + "..."
