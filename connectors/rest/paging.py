"""The pages of one list, whichever way the vendor pages.

Belongs here: what to ask for next and when a list has ended. Does not belong here: how anything
is asked (`client`), and what its records mean (`reads`).

A list ends where the vendor says so (`more`, `total`, no next link or token), else with a page
that brings nothing new. A page that is shorter than we asked for ends nothing: vendors cut `size`
in silence. Pages that are counted (numbers, offsets) overlap, so that what moves up while we read
is not passed over; those that a vendor's links count cannot, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.errors import ServerError
from connectors.pagination import LoopGuard, Part, overlapping, page_at
from connectors.records import pick, values
from connectors.rest.answers import Answer
from connectors.rest.declared import key_of
from connectors.rest.settings import ByCursor, ByKey, ByLink, ByOffset, ByPage, Paging, RestStream

MOST_PASSES = 3
COUNTED = {"page", "offset", "skip", "start", "startat", "from", "page_number", "pagenumber"}
"""How parameters by which addresses count pages or records are called, in small letters."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What one page brought that is new to this walk.

    Attributes:
        answer: the page.
        position: where a walk goes on behind it, as a JSON value; of the last page where a
            later walk finds what came since, if this kind of paging can tell.
    """

    records: list[bytes]
    answer: Answer
    position: Any
    is_last: bool


Ask = Callable[[dict[str, Any], str | None], Answer]
"""(further parameters, or the address of the page) -> its answer."""


class Pages:
    """Walks one list.

    Args:
        ends_empty: a page without records is the last one, also if it has a token for the next:
            for lists without end.
    """

    def __init__(
        self, declared: RestStream, ask: Ask, *, place: str, ends_empty: bool = False
    ) -> None:
        self._declared = declared
        self._ask = ask
        self._place = place
        self._ends_empty = ends_empty
        self._longest = self._size = 0
        self.notes: list[str] = []
        """What the user should know about the pages that were read."""

    def walk(self, position: Any = None) -> Iterator[Chunk]:
        """Yield the pages from `position` on, or from the beginning."""
        paging = self._declared.paging
        match paging:
            case None:
                answer = self._ask({}, None)
                return iter(
                    [Chunk(records=answer.records, answer=answer, position=None, is_last=True)]
                )
            case ByOffset():
                return self._counted(paging, position, self._by_offset(paging))
            case ByPage(size=int(size)):
                # A vendor that cuts `size` was found out before; the state remembers it.
                *position, self._size = position or (size,)
                return self._counted(paging, position, self._by_sized_page(paging))
            case ByPage():
                return self._by_number(paging, position)
            case ByLink():
                return self._by_link(paging, position)
            case ByCursor():
                return self._by_cursor(paging, position)
            case ByKey():
                return self._by_key(paging, position)

    # Counted

    def _counted(
        self, paging: Paging, position: Any, ask: Callable[[int], tuple[int, Answer]]
    ) -> Iterator[Chunk]:
        last: list[Answer] = []

        def part(offset: int) -> Part:
            start, answer = ask(offset)
            last[:] = [answer]
            return Part(start, answer.records, self._has_ended(paging, answer, start))

        key = key_of(self._declared)
        walk = overlapping(
            part, lambda row: list(values(row, *key)), place=self._place, position=position
        )
        for records, behind in walk:
            here = [*behind, self._size] if behind and self._size else behind
            yield Chunk(records=records, answer=last[0], position=here, is_last=behind is None)

    def _by_offset(self, paging: ByOffset) -> Callable[[int], tuple[int, Answer]]:
        def ask(offset: int) -> tuple[int, Answer]:
            return offset, self._ask({paging.param: offset, **_sized(paging)}, None)

        return ask

    def _by_sized_page(self, paging: ByPage) -> Callable[[int], tuple[int, Answer]]:
        def ask(offset: int) -> tuple[int, Answer]:
            number, each = page_at(offset, self._size)
            answer = self._ask(
                {paging.param: number + paging.first, str(paging.size_param): each}, None
            )
            if number == 0 and 1 < len(answer.records) < each:
                self._size = len(answer.records)  # the most that is given, or all there are
            return number * each, answer

        return ask

    def _by_number(self, paging: ByPage, position: Any) -> Iterator[Chunk]:
        """Walk pages whose size cannot be asked for, again until nothing new shows up.

        A record that is deleted while we read moves others across the edge of a page, unseen.
        """
        number, tour = position or (paging.first, 1)
        seen: set[int] = set()
        while True:
            guard = LoopGuard(self._place)
            news = 0
            while True:
                answer = self._ask({paging.param: number}, None)
                new = [row for row in answer.records if hash(row) not in seen]
                seen.update(map(hash, new))
                news += len(new)
                ended = self._has_ended(paging, answer, None)
                at_end = not answer.records if ended is None else ended
                is_only = number == paging.first and at_end
                number += 1
                done = at_end and (is_only or tour >= MOST_PASSES or (tour > 1 and not news))
                if at_end:
                    break
                guard.check("\0".join(row.decode("utf-8", "replace") for row in answer.records))
                yield Chunk(records=new, answer=answer, position=[number, tour], is_last=False)
            number, tour = paging.first, tour + 1
            yield Chunk(
                records=new,
                answer=answer,
                position=None if done else [number, tour],
                is_last=done,
            )
            if done:
                return

    # Pointed to

    def _by_link(self, paging: ByLink, position: Any) -> Iterator[Chunk]:
        guard = LoopGuard(self._place)
        link: str | None = position
        while True:
            answer = self._ask({} if link else _sized(paging), link)
            link = answer.link(paging.next)
            if self._has_ended(paging, answer, None):
                link = None
            if link is not None and (word := counted_by(link)):
                self.notes = [
                    f"the addresses of the pages count (`{word}=`): a record that is deleted while "
                    "they are read may hide another until the next complete walk; declare "
                    "`paging` of kind `page` or `offset`, whose pages overlap"
                ]
            yield self._chunk(answer, link, is_last=link is None)
            if link is None:
                return
            guard.check(link)

    def _by_cursor(self, paging: ByCursor, position: Any) -> Iterator[Chunk]:
        guard = LoopGuard(self._place)
        token = position
        while True:
            asked = {} if token is None else {paging.param: token}
            answer = self._ask({**_sized(paging), **asked}, None)
            told = pick(answer.body, *answer.path(paging.next))
            following = told if told not in ("", False) else None
            ended = self._has_ended(paging, answer, None)
            is_last = following is None or ended is True
            if self._ends_empty:
                is_last |= following == token or (not answer.records and ended is not False)
            token = token if following is None else following
            yield self._chunk(answer, token, is_last=is_last)
            if is_last:
                return
            guard.check(str(token))

    def _by_key(self, paging: ByKey, position: Any) -> Iterator[Chunk]:
        guard = LoopGuard(self._place)
        last = position
        while True:
            asked = {} if last is None else {paging.param: last}
            answer = self._ask({**_sized(paging), **asked}, None)
            ended = self._has_ended(paging, answer, None)
            if answer.records:
                told = (values(record, paging.field)[0] for record in reversed(answer.records))
                # what has none is no reason to read no further
                last = next((value for value in told if isinstance(value, str | int)), None)
                if last is None:
                    raise ServerError(
                        f"{self._place}: no record of a page has a `{paging.field}` to go on "
                        "from. Check `paging.field`.",
                        place=self._place,
                    )
                guard.check(str(last))
            is_last = not answer.records if ended is None else ended
            yield self._chunk(answer, last, is_last=is_last)
            if is_last:
                return

    def _chunk(self, answer: Answer, position: Any, *, is_last: bool) -> Chunk:
        return Chunk(records=answer.records, answer=answer, position=position, is_last=is_last)

    def _has_ended(self, paging: Paging, answer: Answer, start: int | None) -> bool | None:
        """Tell whether the vendor says that the list ends here; None: it says nothing.

        Raises `ServerError` if the sign that it should give is not there.
        """
        count = len(answer.records)
        is_short, self._longest = count < self._longest, max(count, self._longest)
        if paging.more is not None:
            word, _, path = paging.more.rpartition(" ")
            more = answer.told(path, "paging.more")
            return bool(more) if word == "not" else not more
        if paging.total is not None and start is not None:
            total = int(answer.told(paging.total, "paging.total"))
            # A total that the page begins behind is none: what brings no news is the end.
            return None if count and total <= start else start + count >= total
        return True if paging.short and is_short else None


def counted_by(link: str) -> str | None:
    """Return the parameter by which an address counts pages or records, if it does."""
    for name, value in parse_qsl(urlsplit(link).query):
        if name.lower() in COUNTED and value.isdecimal():
            return name
    return None


def _sized(paging: Paging) -> dict[str, Any]:
    return {} if paging.size_param is None else {paging.size_param: paging.size}
