"""Ways to get from one page to the next, each guarded against walking in circles.

Belongs here: the kinds of paging that vendors share. Does not belong here: what is in
a page. A page may be empty without being the last: only the vendor's own sign ends a
walk, never emptiness, unless the vendor has no other sign.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from connectors.errors import ServerError
from connectors.records import pick

Fetch = Callable[[str], bytes]


class LoopGuard:
    """Notices a page, or a pointer to one, that came before."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._seen: set[str | bytes] = set()

    def check(self, pointer: str | bytes) -> None:
        """Raise `ServerError` if `pointer` came before in this walk."""
        if pointer in self._seen:
            raise circles(self._place, len(self._seen))
        self._seen.add(pointer)


def circles(place: str, pages: int) -> ServerError:
    """Return the error of a walk that came to a page again."""
    return ServerError(
        f"{place}: the vendor's paging walks in circles (it led to the same page "
        f"twice, after {pages:,} pages). What was read is kept; try again later.",
        place=place,
    )


def next_links(
    fetch: Fetch,
    first: str,
    next_of: Callable[[bytes], str | None],
    *,
    place: str,
) -> Iterator[tuple[bytes, str | None]]:
    """Follow the link that each page gives to the next one.

    Yields (body, link of the next page or None at the end): keep the link in the state, and a
    later walk begins with it as `first`.
    """
    guard = LoopGuard(place)
    link: str | None = first
    while link is not None:
        guard.check(link)
        body = fetch(link)
        link = next_of(body)
        yield body, link


def cursors(
    fetch: Callable[[Any], bytes], *path: str, place: str, first: Any = None
) -> Iterator[tuple[bytes, Any]]:
    """Follow the cursor that lies at `path` of each page; `fetch(None)` is the first page.

    Yields (body, cursor of the next page or None at the end): keep it in the state, and a
    later walk begins with it as `first`.
    """
    guard = LoopGuard(place)
    cursor = first
    while True:
        body = fetch(cursor)
        cursor = pick(body, *path)
        yield body, cursor
        if cursor is None:
            return
        guard.check(str(cursor))


def batches(items: Sequence[Any], size: int) -> Iterator[Any]:
    """Cut `items` into slices of at most `size`, for calls that take so many at once."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def numbered(
    fetch: Callable[[int], bytes],
    is_last: Callable[[bytes], bool],
    *,
    start: int,
    step: int = 1,
    place: str,
) -> Iterator[tuple[bytes, int | None]]:
    """Count through pages: by page number, or by offset with `step` records a page.

    Yields (body, number of the next page or None at the end). Two equal pages in a row, which
    is what a vendor that ignores the number sends, raise `ServerError`.
    """
    guard = LoopGuard(place)
    number = start
    while True:
        body = fetch(number)
        last = is_last(body)
        if not last:
            guard.check(hashlib.blake2b(body, digest_size=16).digest())
        number += step
        yield body, None if last else number
        if last:
            return


class Part(NamedTuple):
    """A part of a list: where it begins, its records, and whether it is the list's end.

    Attributes:
        ended: None: the vendor has no sign for it, so a part without news is the end.
    """

    start: int
    records: list[bytes]
    ended: bool | None = None


MOST_STEPS_BACK = 20


def overlapping(
    ask: Callable[[int], Part],
    identity: Callable[[bytes], Any],
    *,
    place: str,
    position: Sequence[Any] | None = None,
) -> Iterator[tuple[list[bytes], list[Any] | None]]:
    """Walk a list by offsets although records leave it, or move in it, meanwhile.

    Each part begins with the last record of the one before. If that is not there, something
    above it is gone and others moved up unread: then the walk steps back, until a part begins
    with a record that it knows. Parts may be shorter than asked for.

    Args:
        ask: returns the part that holds this offset; it may begin before it.
        identity: a record's key, as a JSON value.
        position: where an interrupted walk goes on.

    Yields:
        records not seen unchanged before, and the position behind them (None at the end).

    Raises:
        ServerError: the vendor ignores the offset, ends the list before its own count, or the
            list moves faster than it can be read.
    """
    offset, last = position or (0, None)
    seen: set[int] = set()
    shown: Counter[int] = Counter()
    longest = steps_back = farthest = 0
    while True:
        part = ask(max(offset - 1, 0))
        overlap = offset - 1 - part.start
        if offset > 0 and overlap >= 0:
            known = part.records[overlap : overlap + 1]
            if not any(hash(row) in seen or identity(row) == last for row in known):
                steps_back += 1
                if steps_back > MOST_STEPS_BACK:
                    raise ServerError(
                        f"{place}: the pages do not fit together, {steps_back} times: the list "
                        "changes faster than it is read, or its page sizes are not those asked "
                        "for. What was read is kept; try again later.",
                        place=place,
                    )
                offset = max(0, offset - longest) if seen else 0
                last = None
                shown.clear()
                continue
        hashes = [hash(row) for row in part.records]
        shown[hash(tuple(hashes))] += 1
        behind = part.start + len(part.records)
        is_stuck = behind <= offset
        if part.ended is False and is_stuck:
            raise ServerError(
                f"{place}: the list ends after {behind:,} records, although it says that there "
                "are more. Either it shows only so many at once, or its count is not to be "
                "trusted.",
                place=place,
            )
        if max(shown.values()) > 2 and not is_stuck:
            raise circles(place, len(shown))
        if offset > 0 and not seen:  # an interrupted walk: what it ended with has come
            seen.update(hashes[: overlap + 1])
        new = [row for row, mark in zip(part.records, hashes, strict=True) if mark not in seen]
        if behind > farthest:
            farthest, steps_back = behind, 0
        seen.update(hashes)
        longest = max(longest, len(part.records))
        if part.ended or is_stuck:
            yield new, None
            return
        offset, last = behind, identity(part.records[-1])
        yield new, [offset, last]


def page_at(offset: int, size: int) -> tuple[int, int]:
    """Return (number from 0, size) of a page that holds `offset` and reaches far behind it.

    Page numbers cannot overlap, but pages of another size can: page 1 of 99 begins with the
    last record of page 0 of 100.
    """
    best = max(range(size // 2 + 1, size + 1), key=lambda each: (each - offset % each, each))
    if best - offset % best < 2:  # no size has both records: then without overlap
        return (offset + 1) // size, size
    return offset // best, best
