"""The faults: what can go wrong with a vendor, its data, the network and our own machine.

Belongs here: each fault with its words, what a stage must be able to do for it, and how it is
done. Does not belong here: what must hold all the same (`laws`), or a vendor's own shapes, which
its stage has.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from connectors.errors import LandingError, StreamLocked
from connectors.landing import Landing
from rapport.conformance.laws import ENDS, EQUAL, KEPT, NAMED, STATE, look
from rapport.conformance.play import Play
from rapport.conformance.stage import KINDS, ROWS_PER_PAGE, SOURCE, Emulated, Rewrite, follow

Act = Callable[[Play], None]

RECORDS = 45
"""How many records a stage has at first: some pages."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        id: as the table names it. `words`: what happens.
        act: does it to a play, whose stage has `RECORDS` records and nothing landed.
        needs: abilities of the stage: one of `stage.KINDS`, or a name that `Stage.lacks` may
            explain away.
    """

    id: str
    words: str
    act: Act
    needs: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of source that it happens to; empty: any."""
        return next((name for name in self.needs if name in KINDS), "")


# Between the network and us


def _strikes(*kinds: str, family: str = "", times: int = 1, wait_s: float | None = None) -> Act:
    """Let single requests go wrong, in a first sync and in a later one."""

    def act(play: Play) -> None:
        stage = _emulated(play)
        for kind in stage.kinds.get(family, kinds):
            for share in (0.3, 0.7, 1.0):
                count = rehearse(play)
                stage.fail(kind, after=max(1, int(share * (count - 1))), times=times, wait_s=wait_s)
                play.attempt()
                stage.heal()
                live(play)

    return act


def _lasts(*kinds: str, family: str = "", must_fail: bool = True) -> Act:
    """Let everything go wrong from the middle of a sync on, and then be mended."""

    def act(play: Play) -> None:
        stage = _emulated(play)
        for kind in stage.kinds.get(family, kinds):
            for share in (0.0, 0.5):
                count = rehearse(play)
                stage.fail(kind, after=max(1, int(share * count)), times=None)
                tried = play.attempt()
                stage.heal()
                if must_fail and tried.error is None:
                    play.breaks(NAMED, f"`{kind}` without an end was taken for an answer")
                live(play)

    return act


def _refused(play: Play) -> None:
    """Let every token be refused for good, then be good again."""
    stage = _emulated(play)
    play.sync()
    live(play)
    stage.clock.advance(days=1)  # so that what is asked for once a day is asked for, too
    stage.fail("401", times=None)
    tried = play.attempt()
    stage.heal()
    if tried.error is None:
        play.breaks(NAMED, "a refused credential went unnoticed")
    if tried.requests > 20:
        play.breaks(ENDS, f"a refused credential was tried {tried.requests} times")


def _quota(play: Play) -> None:
    """Let the day's calls be used up in the middle; the next day it goes on."""
    stage = _emulated(play)
    count = rehearse(play)
    for kind in stage.kinds["quota"]:
        stage.fail(kind, after=max(2, count // 2), times=None)
        tried = play.attempt()
        stage.heal()
        if tried.error is not None:
            play.breaks(ENDS, f"a spent quota is an error instead of an early end: {tried.error}")
        elif tried.result is not None and not tried.result.ended_early:
            play.breaks(ENDS, "a spent quota was not noticed")
        live(play)


# What answers say


def _inside(play: Play) -> None:
    """Answer 200 with an error in place of the data, at several places."""
    stage = _emulated(play)
    for share in (0.2, 0.5, 0.8, 1.0):
        count = rehearse(play)
        at = max(1, int(share * (count - 1)))
        stage.once_asked(at, lambda: stage.rewrites.append(lambda path, body: stage.wrong))
        stage.once_asked(at + 1, stage.rewrites.clear)
        play.attempt()
        stage.heal()
        live(play)


def _totals(factor: int) -> Act:
    """Let every count be a lie."""

    def lie(stage: Emulated, body: Any) -> Any:
        for path in stage.totals:
            if (found := follow(body, path)) and isinstance(found[0][found[1]], int):
                found[0][found[1]] = found[0][found[1]] * factor
        return body

    def act(play: Play) -> None:
        stage = _emulated(play)
        for _ in range(2):
            stage.rewrites.append(lambda path, body: lie(stage, body))
            play.attempt()
            stage.heal()
            live(play)

    return act


def _repeated(play: Play) -> None:
    """Let a page lead to itself again and again."""
    stage = _emulated(play)
    first: list[Any] = []

    def again(path: str, body: Any) -> Any:
        for pointer in stage.pointers:
            if found := follow(body, pointer):
                if found[0][found[1]] and not first:
                    first.append(found[0][found[1]])
                if first:
                    found[0][found[1]] = first[0]
        return body

    stage.rewrites.append(again)
    play.attempt()
    stage.heal()


def _empty_page(play: Play) -> None:
    """Send a page without records that leads on, before the one that has them."""
    stage = _emulated(play)
    stage.rewrites.append(stage.empty_page())  # type: ignore[attr-defined]
    play.attempt()
    stage.heal()


def _twice(play: Play) -> None:
    """Let each page begin with the last record of the page before."""
    stage = _emulated(play)
    last: dict[str, Any] = {}

    def repeat(path: str, body: Any) -> Any:
        for name, rows in stage.lists_of(body):
            before = last.get(path + name)
            if rows:
                last[path + name] = copy.deepcopy(rows[-1])
            if before is not None and before not in rows and len(rows) > 1:
                rows.insert(0, before)
        return body

    stage.rewrites.append(repeat)
    play.attempt()
    live(play, deletes=False)
    play.attempt()
    stage.heal()


FORBIDDEN = "not-on-the-allow-list-7f3a"


def _unknown(play: Play) -> None:
    """Let every record have fields that nobody declared."""
    stage = _emulated(play)
    play.forbidden.add(FORBIDDEN)

    def more(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            for row in rows:
                if isinstance(row, dict):
                    row["battery_diagnosis"] = {"text": FORBIDDEN}
                    row["ÄÖ \u202e"] = [FORBIDDEN]
        return body

    stage.rewrites.append(more)
    play.attempt()
    live(play)
    play.attempt()
    stage.heal()


def _retyped(play: Play) -> None:
    """Let a value be a number here, an object there, a list, a boolean or nothing."""
    stage = _emulated(play)
    odd = [7, 1.5, {"a": 1}, ["x"], True, None, "", "7", 10**30]
    play.compares = False

    def retype(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            for number, row in enumerate(rows):
                if isinstance(row, dict):
                    for field in stage.retyped:
                        if found := follow(row, field):
                            found[0][found[1]] = odd[number % len(odd)]
        return body

    stage.rewrites.append(retype)
    play.attempt()
    live(play)
    play.settle()
    stage.heal()


def _bad_records(play: Play) -> None:
    """Let single records have no key, or be no record at all."""
    stage = _emulated(play)
    count = 0
    keyless: Any = "without a key"  # in an allowed field: else it is as empty as what has none
    for name in reversed(stage.retyped[0]):
        keyless = {name: keyless}

    def spoil(path: str, body: Any) -> Any:
        nonlocal count
        for _, rows in stage.lists_of(body):
            if rows and not count:
                count = 2
                rows.append(keyless)
                rows.append("no record")
        return body

    stage.rewrites.append(spoil)
    play.attempt()
    # The first list is another stream's where that one leads to this one's.
    if play.stream_name not in (*stage.beside, *stage.below):
        play.bad_records = count
    stage.heal()


# What the source's data does


def _ties(play: Play) -> None:
    """Let one bulk job stamp many pages of records alike, before and during a walk."""
    stage = play.stage
    stage.create(35, tied=True)
    stage.change(stage.living()[:25], tied=True)
    if isinstance(stage, Emulated):
        stage.once_asked(rehearse(play) // 2, lambda: stage.change(stage.living()[-25:], tied=True))
    play.attempt()
    stage.clock.advance(seconds=1)
    stage.change(stage.living(), tied=True)
    play.attempt()
    if isinstance(stage, Emulated):
        stage.heal()


def _ties_interrupted(play: Play) -> None:
    """Let the walk through ties break off in their middle."""
    stage = _emulated(play)
    stage.change(stage.living(), tied=True)
    for _ in range(2):
        count = rehearse(play)
        stage.fail("500", after=count // 2, times=None)
        play.attempt()
        stage.heal()
        stage.change(stage.living()[:3], tied=True)


def _late(play: Play) -> None:
    """Let writes show only minutes after their stamps, when younger ones were read already."""
    stage = _emulated(play)
    for _ in range(3):
        stage.late(240.0)  # type: ignore[attr-defined]
        stage.create(4)
        stage.change(stage.living()[:4])
        stage.late(0.0)  # type: ignore[attr-defined]
        stage.create(3)
        play.attempt()
        stage.clock.advance(seconds=130)
        stage.create(2)
        play.attempt()
        stage.clock.advance(seconds=400)
    play.attempt()


def _skew(days: int) -> Act:
    """Set the vendor's clock before or behind ours."""

    def act(play: Play) -> None:
        stage = _emulated(play)
        if days > 0:
            stage.clock.advance(days=days)
        live(play)
        play.attempt()
        live(play)
        play.attempt()

    return act


def _during(change: Callable[[Play], None]) -> Act:
    """Let the source change between the pages of a walk, at several places."""

    def act(play: Play) -> None:
        stage = _emulated(play)
        for share in (0.3, 0.6):
            count = rehearse(play)
            for step in (0, 1, 2):
                stage.once_asked(max(1, int(share * count)) + step, lambda: change(play))
            play.attempt()
            stage.heal()
            live(play)

    return act


def _grows(play: Play) -> None:
    play.stage.create(4)


def _shrinks(play: Play) -> None:
    living = play.stage.living()
    play.stage.delete([living[1], living[len(living) // 2], living[-2]])


def _moves(play: Play) -> None:
    living = play.stage.living()
    play.stage.change([living[0], living[len(living) // 2], living[-1]])


def _deleted(play: Play) -> None:
    """Delete records between syncs, the first, the last and a fifth of the rest."""
    play.sync()
    living = play.stage.living()
    play.stage.delete([living[0], living[-1], *living[5:12]])
    play.attempt()
    play.stage.delete(play.stage.living()[:2])


def _purged(play: Play) -> None:
    """Remove records without a trace."""
    play.sync()
    play.stage.purge(play.stage.living()[3:9])  # type: ignore[attr-defined]
    play.attempt()


def _restored(play: Play) -> None:
    """Delete records and bring them back, with a sync between and without one."""
    stage = play.stage
    play.sync()
    names = stage.living()[4:8]
    stage.delete(names)
    play.attempt()
    stage.restore(names[:2])
    play.attempt()
    stage.restore(names[2:])
    others = stage.living()[10:12]
    stage.delete(others)
    stage.restore(others)
    play.attempt()


def _merged(play: Play) -> None:
    """Merge records in a chain, with a sync between and without one."""
    stage = play.stage
    play.sync()
    a, b, c, d, e, f, g = stage.living()[2:9]
    b = stage.merge([b, a])
    play.attempt()
    stage.merge([c, b])
    play.attempt()
    f = stage.merge([f, e])
    g = stage.merge([g, f])
    stage.merge([g, d])
    play.attempt()


HOSTILE: tuple[str, ...] = (
    "'; drop table contacts; --", "<script>alert(1)</script>", "\u202egnirts", "a\u0000b",
    "\ud83d", "𝒳" * 50, "=1+1", "../../etc/passwd", "{{7*7}}", "line\r\nbreak", "\ufeff", "\u2028",
    "NaN", "null", "true", "-0", "1e999", "9" * 40, "ß\u0301", "\\u0000", '"}],"x":[{"', "%00",
)  # fmt: skip


def _hostile(play: Play) -> None:
    """Let texts be as hostile as texts can be."""
    stage = _emulated(play)
    play.compares = False

    def spoil(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            for number, row in enumerate(rows):
                if isinstance(row, dict):
                    for field in stage.retyped:
                        if found := follow(row, field):
                            found[0][found[1]] = HOSTILE[number % len(HOSTILE)]
        return body

    stage.rewrites.append(spoil)
    stage.create(len(HOSTILE))
    play.attempt()
    live(play)
    play.settle()
    stage.heal()


def _huge(play: Play) -> None:
    """Let a text have a megabyte, a number 400 digits, and a value 90 levels."""
    stage = _emulated(play)
    play.compares = False
    deep: Any = "bottom"
    for _ in range(90):
        deep = [deep]
    odd = ["x" * 2**20, 10**400, deep]

    def swell(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            for number, row in enumerate(rows[:3]):
                if isinstance(row, dict):
                    for field in stage.retyped:
                        if found := follow(row, field):
                            found[0][found[1]] = odd[number]
        return body

    stage.rewrites.append(swell)
    play.attempt()
    play.settle()
    stage.heal()


def _future(play: Play) -> None:
    """Let a record be stamped a thousand years ahead, and mended later; others long ago."""
    stage = _emulated(play)
    stamps = ["2999-12-31T23:59:59.000+0000", "1970-01-01T00:00:00.000+0000"]

    def misdate(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            for row, stamp in zip(rows, stamps, strict=False):
                for field in stage.stamps:
                    if isinstance(row, dict) and (found := follow(row, field)):
                        found[0][found[1]] = stamp
        return body

    stage.rewrites.append(misdate)
    play.attempt()
    stage.heal()
    stage.change(stage.living())


# Our own machine


def _disk_full(play: Play) -> None:
    """Let the disk be full at the second, third and last checkpoint of a sync."""
    for number in (2, 3, 5):
        _fail_at(play, "fsync", number, errno.ENOSPC)
        live(play)


def _fail_at(play: Play, name: str, number: int, code: int) -> None:
    calls = 0
    real = getattr(os, name)

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    with mock.patch(f"connectors.landing.os.{name}", failing):
        tried = play.attempt()
    if calls >= number and not isinstance(tried.error, LandingError):
        play.breaks(NAMED, f"a full disk gave {tried.error!r}")


def _disk_full_beside(play: Play) -> None:
    """Let the disk be full at the lock, the quarantine and the budget of calls, one by one."""
    for name in (".holder", "*.jsonl", "*.json"):
        if isinstance(play.stage, Emulated):
            play.stage.rewrites.append(_with_a_bad_record(play.stage))
            play.stage.fail("429", after=1, wait_s=1)
        with full_disk(name) as met:
            tried = play.attempt()
        if met and not isinstance(tried.error, LandingError):
            play.breaks(NAMED, f"a full disk at `{met[0]}` gave {tried.error!r}")
        if isinstance(play.stage, Emulated):
            play.stage.heal()
        live(play)


def _with_a_bad_record(stage: Emulated) -> Rewrite:
    def spoil(path: str, body: Any) -> Any:
        for _, rows in stage.lists_of(body):
            rows.append("no record")
        return body

    return spoil


@contextlib.contextmanager
def full_disk(pattern: str) -> Iterator[list[str]]:
    """Let half of what is written to files of such a name get through; yield the names met."""
    real, met = Path.open, []

    def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = real(path, mode, *arguments, **options)
        if not path.match(pattern) or not {*mode} & {*"wax+"}:
            return file
        met.append(path.name)
        return _Full(file)

    with mock.patch.object(Path, "open", opened):
        yield met


class _Full:
    """A file on a full disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> _Full:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        self._file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def writelines(self, lines: Sequence[Any]) -> None:
        self.write(lines[0])


def _not_allowed(play: Play) -> None:
    """Let the landing folder refuse to take a file."""
    play.attempt()
    live(play)
    _fail_at(play, "link", 1, errno.EACCES)


def _second_sync(play: Play) -> None:
    """Let another sync hold the stream."""
    play.sync()
    live(play)
    with Landing(play.home).stream(SOURCE, play.stream_name).lock():
        tried = play.attempt()
    if not isinstance(tried.error, StreamLocked):
        play.breaks(KEPT, "two syncs of one stream ran at once")


def _left_over(play: Play) -> None:
    """Find half a file that a crash left behind."""
    play.sync()
    play.landing.folder.joinpath(".tmp-1-00000000000000000099.parquet").write_bytes(b"PAR1 half")
    live(play)
    play.attempt()


def _killed(play: Play) -> None:
    """Kill a first sync just before, and just behind, each of its checkpoints."""
    counts = play.stage if isinstance(play.stage, Emulated) else None
    play.stage.create(5)
    play.stage.clock.advance(seconds=400)  # young enough for a look-back, which shows them again
    looked_back: Counter[str] = Counter()
    if counts:
        counts.forget()
        undisturbed = play.branch(play.home.with_name(f"{play.home.name}-undisturbed"), 0)
        undisturbed.sync()
        undisturbed.sync()
        looked_back = counts.shown_again()
    ahead = play.stream_of(play.stage.open(play.home)).pages_ahead
    # What lies beside records is asked for in one great batch, which is one checkpoint.
    does_not = {"resumes", f"{play.stream_name}.resumes"} & play.stage.lacks.keys()
    resumes = not does_not and play.stream_name not in play.stage.beside
    for is_landed in (False, True):
        for at in itertools.count(1):
            branch = play.branch(play.home.with_name(f"{play.home.name}-{at}-{is_landed}"), 0)
            if counts:
                counts.forget()
            if not branch.die(at=at, is_landed=is_landed):
                break
            branch.sync()
            again = (counts.shown_again() - looked_back).total() if counts else 0
            # a checkpoint of one page, what was on its way, and the page that led there
            lost = ROWS_PER_PAGE * (1 + ahead + (play.stream_name in play.stage.below))
            if again > lost and resumes:
                play.breaks(STATE, f"killed at checkpoint {at}, it asked for {again} records again")
            look(branch)
            for law, how in branch.broken:
                play.breaks(law, f"killed at checkpoint {at}: {how}")


def _refresh_broken(play: Play) -> None:
    """Break off full refreshes: what was there stays, what went before them still goes."""
    stage = _emulated(play)
    stage.change(stage.living())  # so that what comes of a change is held of all
    play.sync()
    for share in (0.3, 0.7):
        live(play)
        before = play.held().keys() & stage.truth(play.stream_name).keys()
        count = rehearse(play, full_refresh=True)
        stage.fail("500", after=int(share * count), times=None)
        play.attempt(full_refresh=True)
        stage.heal()
        if before - play.held().keys():
            play.breaks(KEPT, "a full refresh that broke off took records away")
    live(play)


def _again(play: Play) -> None:
    """Sync twice with nothing new."""
    play.settle()
    before = len(play.rows())
    for _ in range(2):
        play.sync()
    if len(play.rows()) != before:
        play.breaks(EQUAL, f"{len(play.rows()) - before} rows came of nothing new")


# Parts


def live(play: Play, *, deletes: bool = True) -> None:
    """Let a little happen at the source."""
    stage = play.stage
    stage.clock.advance(seconds=90)
    stage.create(3)
    living = stage.living()
    stage.change(living[2:30:9])
    if deletes:
        stage.delete([living[7], living[-8]])


def rehearse(play: Play, **how: Any) -> int:
    """Return how many requests a sync would make now, without landing anything of it."""
    stage = _emulated(play)
    home = play.home.with_name(f"{play.home.name}-rehearsal-{len(play.tried)}-{len(stage.asked)}")
    rehearsal = play.branch(home, len(play.landing.files()))
    stage.forget()
    rehearsal.attempt(**how)
    count = len(stage.asked)
    stage.forget()
    return count


def _emulated(play: Play) -> Emulated:
    assert isinstance(play.stage, Emulated)
    return play.stage


_HTTP = ("http",)

FAULTS: Sequence[Fault] = (
    Fault(id="nothing_wrong", words="two more syncs with nothing new", act=_again),
    Fault(id="limited", words="429 in the vendor's own form",
          act=_strikes(family="limited", wait_s=2), needs=("http", "limited")),
    Fault(id="limited_silent", words="429 that does not say how long",
          act=_strikes("429"), needs=_HTTP),
    Fault(id="limited_date", words="429 with the wait as a date",
          act=_strikes("429_date", wait_s=3), needs=_HTTP),
    Fault(id="limited_epoch", words="429 with the wait as Unix time",
          act=_strikes("429_epoch", wait_s=3), needs=_HTTP),
    Fault(id="limited_for_good", words="429 without an end", act=_lasts("429"), needs=_HTTP),
    Fault(id="server_error", words="500, twice", act=_strikes("500", times=2), needs=_HTTP),
    Fault(id="outage", words="500 without an end", act=_lasts("500"), needs=_HTTP),
    Fault(id="gateway", words="502 from a proxy", act=_strikes("502", times=2), needs=_HTTP),
    Fault(id="maintenance", words="503 with HTML", act=_strikes("503_html"), needs=_HTTP),
    Fault(id="timeout_before", words="no answer, nothing happened",
          act=_strikes("timeout_before"), needs=_HTTP),
    Fault(id="timeout_after", words="no answer, yet it happened",
          act=_strikes("timeout_after"), needs=_HTTP),
    Fault(id="timeout_within", words="silence in the middle of an answer",
          act=_strikes("timeout_within"), needs=_HTTP),
    Fault(id="truncated", words="the connection ends in the middle of an answer",
          act=_strikes("truncated"), needs=_HTTP),
    Fault(id="cut_json", words="half a JSON text, as if that were all",
          act=_strikes("cut_json"), needs=_HTTP),
    Fault(id="cut_json_for_good", words="half a JSON text, again and again",
          act=_lasts("cut_json"), needs=_HTTP),
    Fault(id="not_json", words="200 with a login page", act=_strikes("not_json"), needs=_HTTP),
    Fault(id="empty_answer", words="200 with nothing", act=_strikes("empty"), needs=_HTTP),
    Fault(id="error_inside", words="200 with an error in place of data", act=_inside, needs=_HTTP),
    Fault(id="gzip_unlabelled", words="gzip without its header",
          act=_strikes("gzip_unlabelled", times=5), needs=_HTTP),
    Fault(id="byte_order_mark", words="a byte order mark before the JSON",
          act=_strikes("with_bom", times=5), needs=_HTTP),
    Fault(id="token_expired", words="the token ends in mid-walk",
          act=_strikes(family="refused_token"), needs=("http", "refused_token")),
    Fault(id="token_refused", words="the credential is refused from now on", act=_refused,
          needs=_HTTP),
    Fault(id="place_lost", words="the vendor forgets where the walk was",
          act=_strikes(family="lost_place"), needs=("http", "lost_place")),
    Fault(id="quota_spent", words="the day's calls are used up", act=_quota,
          needs=("http", "quota")),
    Fault(id="total_too_high", words="counts ten times too high", act=_totals(10),
          needs=("http", "totals")),
    Fault(id="total_zero", words="counts of zero", act=_totals(0), needs=("http", "totals")),
    Fault(id="repeated_cursor", words="a page that leads to itself", act=_repeated,
          needs=("http", "pointers")),
    Fault(id="empty_page", words="an empty page that leads on", act=_empty_page,
          needs=("http", "empty_pages")),
    Fault(id="duplicates", words="records twice across pages", act=_twice, needs=_HTTP),
    Fault(id="unknown_fields", words="fields nobody declared", act=_unknown,
          needs=("http", "allow_list")),
    Fault(id="retyped", words="values of changing types", act=_retyped, needs=_HTTP),
    Fault(id="bad_records", words="records without a key, or none at all", act=_bad_records,
          needs=_HTTP),
    Fault(id="hostile_values", words="hostile texts", act=_hostile, needs=_HTTP),
    Fault(id="huge_values", words="a megabyte of text, 400 digits, 90 levels", act=_huge,
          needs=_HTTP),
    Fault(id="future_stamps", words="stamps of the year 2999 and of 1970, mended later",
          act=_future, needs=("http", "stamps")),
    Fault(id="ties", words="pages of records with one stamp", act=_ties),
    Fault(id="ties_interrupted", words="a walk that breaks off among ties",
          act=_ties_interrupted, needs=_HTTP),
    Fault(id="late_rows", words="rows that show minutes after their stamp", act=_late,
          needs=("http", "late")),
    Fault(id="clock_behind", words="a vendor's clock months behind ours", act=_skew(0),
          needs=_HTTP),
    Fault(id="clock_ahead", words="a vendor's clock years ahead of ours", act=_skew(1500),
          needs=_HTTP),
    Fault(id="grows_under_walk", words="records made between pages", act=_during(_grows),
          needs=_HTTP),
    Fault(id="shrinks_under_walk", words="records deleted between pages",
          act=_during(_shrinks), needs=_HTTP),
    Fault(id="moves_under_walk", words="records changed between pages", act=_during(_moves),
          needs=_HTTP),
    Fault(id="deleted", words="records deleted between syncs", act=_deleted, needs=("deletes",)),
    Fault(id="purged", words="records gone without a trace", act=_purged, needs=("purges",)),
    Fault(id="restored", words="deleted records that come back", act=_restored,
          needs=("restores",)),
    Fault(id="merge_chain", words="merges of merged records", act=_merged, needs=("merges",)),
    Fault(id="disk_full", words="the disk is full at a checkpoint", act=_disk_full),
    Fault(id="disk_full_beside", words="the disk is full at the lock, quarantine or budget",
          act=_disk_full_beside),
    Fault(id="not_allowed", words="a file cannot be put in its place", act=_not_allowed),
    Fault(id="second_sync", words="another sync of the same stream", act=_second_sync),
    Fault(id="killed", words="kill -9 at every checkpoint's edges", act=_killed),
    Fault(id="left_over", words="half a file left by a crash", act=_left_over),
    Fault(id="refresh_broken", words="a full refresh that breaks off", act=_refresh_broken,
          needs=_HTTP),
)  # fmt: skip
