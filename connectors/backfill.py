"""Reading pages while others are worked on: spans of a long history side by side, one page ahead.

Belongs here: threads that fetch, and the order in which their pages come. Does not belong here:
what is in a page, where it is kept (`sync`), and when a call may leave: all threads ride on the
source's one session, so its budget holds for them together.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

P = TypeVar("P")
S = TypeVar("S")

THREADS = 8
"""With answers after 100 ms, enough for 80 calls a second; fewer than any vendor takes at once."""
PAGES_AHEAD = 16
"""Pages that may be under way or wait to be landed; what bounds the memory."""
STOP_WITHIN_S = 10.0


@dataclass(frozen=True)
class _Broken:
    error: BaseException


def side_by_side(
    read: Callable[[S], Iterator[P]], spans: Sequence[S], *, pages_ahead: int = PAGES_AHEAD
) -> Generator[tuple[int, P | None]]:
    """Yield (number of the span, page) as pages come; with None, the span is read to its end.

    Within a span pages keep their order. Raises what a reader raises, after the pages that were
    read before.
    """
    ready: queue.SimpleQueue[tuple[int, P | None] | _Broken] = queue.SimpleQueue()
    room = threading.Semaphore(pages_ahead)
    to_read = iter([*enumerate(spans)])
    taking, stopped = threading.Lock(), threading.Event()

    def fetch() -> None:
        try:
            while True:
                with taking:
                    taken = next(to_read, None)
                if taken is None:
                    return
                number, span = taken
                pages = read(span)
                page: P | None
                while True:
                    room.acquire()
                    if stopped.is_set():
                        return
                    page = next(pages, None)
                    ready.put((number, page))
                    if page is None:
                        break
        except BaseException as error:
            ready.put(_Broken(error))

    threads = [
        threading.Thread(target=fetch, daemon=True, name=f"span-{number}")
        for number in range(min(THREADS, len(spans)))
    ]
    for thread in threads:
        thread.start()
    try:
        left = len(spans)
        while left:
            item = ready.get()
            room.release()
            if isinstance(item, _Broken):
                raise item.error
            left -= item[1] is None
            yield item
    finally:
        stopped.set()
        room.release(len(threads))
        for thread in threads:  # one that waits for its vendor ends with its call
            thread.join(STOP_WITHIN_S)


def one_ahead(pages: Iterator[P]) -> Generator[P]:
    """Yield `pages`, each read while the one before it is worked on.

    A reader that is stopped has read no more than one page in vain. Raises what `pages` raises,
    where it would.
    """
    with closing(side_by_side(lambda _: pages, [None], pages_ahead=1)) as read:
        for _, page in read:
            if page is not None:
                yield page
