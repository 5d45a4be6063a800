"""Ways to get from one page to the next, each guarded against walking in circles.

Belongs here: the kinds of paging that vendors share. Does not belong here: what is in
a page. A page may be empty without being the last: only the vendor's own sign ends a
walk, never emptiness, unless the vendor has no other sign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
            raise ServerError(
                f"{self._place}: the vendor's paging walks in circles (it led to the same page "
                f"twice, after {len(self._seen):,} pages). What was read is kept; try again later.",
                place=self._place,
            )
        self._seen.add(pointer)


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
