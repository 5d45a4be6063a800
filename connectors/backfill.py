"""Reading the spans of a long history side by side.

Belongs here: threads that fetch, and the order in which their pages come. Does not belong here:
what is in a page, where it is kept (`sync`), and when a call may leave: all threads ride on the
source's one session, so its budget holds for them together.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from connectors.base import Page, State

THREADS = 8
"""With answers after 100 ms, enough for 80 calls a second; fewer than any vendor takes at once."""
PAGES_AHEAD = 16
"""Pages that may wait to be landed; what bounds the memory."""
STOP_WITHIN_S = 10.0


@dataclass(frozen=True)
class _Broken:
    error: BaseException


def side_by_side(
    read: Callable[[State], Iterator[Page]], spans: Sequence[State]
) -> Generator[tuple[int, Page | None]]:
    """Yield (number of the span, page) as pages come; with None, the span is read to its end.

    Within a span pages keep their order. Raises what a reader raises, after the pages that were
    read before.
    """
    ready: queue.Queue[tuple[int, Page | None] | _Broken] = queue.Queue(PAGES_AHEAD)
    to_read = iter([*enumerate(spans)])
    taking, stopped = threading.Lock(), threading.Event()

    def put(item: tuple[int, Page | None] | _Broken) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def fetch() -> None:
        try:
            while not stopped.is_set():
                with taking:
                    number, state = next(to_read, (None, State()))
                if number is None:
                    return
                for page in read(state):
                    put((number, page))
                    if stopped.is_set():
                        return
                put((number, None))
        except BaseException as error:
            put(_Broken(error))

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
            if isinstance(item, _Broken):
                raise item.error
            left -= item[1] is None
            yield item
    finally:
        stopped.set()
        for thread in threads:  # one that waits for its vendor ends with its call
            thread.join(STOP_WITHIN_S)
