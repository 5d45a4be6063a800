"""Bulk API 2.0: large reads as query jobs, whose rows land as the records that REST gives.

Belongs here: a job's life, windows that make jobs neither tiny nor huge, CSV as JSON. Does not
belong here: when a read is large (`reads`).

A job is made by `queryAll`, finishes on its own time, and hands out its results page by page;
each page names the next one by a locator that is good for this job alone. A job that is gone
(deleted, older than 7 days, failed) starts its window anew.
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from connectors.errors import ServerError
from connectors.pagination import LoopGuard
from connectors.salesforce.client import Org, Refused

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce as Client

FROM_RECORDS = 20_000
"""A REST read of so many takes some 13 calls and more, a job about 6."""
JOB_RECORDS = 1_000_000
"""Most records of one job, unless more bear one stamp; a fourth of it is still enough."""
PAGE_RECORDS = 50_000
LOOK_AFTER_S = 1.0
LOOK_AT_LEAST_EVERY_S = 30.0
GIVE_UP_AFTER_S = 4 * 3600.0
NO_VALUE_TYPES = frozenset({"address", "location", "base64", "anyType", "complexvalue"})
"""Describe's types that a job refuses, or that CSV cannot say."""

_NUMBERS = frozenset({"int", "long", "double", "currency", "percent"})
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_LONGEST_FIELD = 2**31 - 1
_NOT_IN_BULK = re.compile("not supported (by the|in) Bulk|does not support query", re.IGNORECASE)


Rows = list[list[str]]
"""A page of results: the header, then the records."""


class NotInBulk(Exception):
    """This object, these fields, or any job today: the same read has to go through REST."""


class JobGone(Exception):
    """A job that cannot be gone on with: its window starts anew."""


class Jobs:
    """The query jobs of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def create(self, soql: str) -> str:
        """Start a job over all rows, those in the bin too, and return its id."""
        from simple_salesforce.bulk2 import Operation

        try:
            told = self._ask(lambda jobs: jobs.create_job(Operation.query_all, soql))
        except Refused as refusal:
            words = " ".join(refusal.messages)
            if "LIMIT_EXCEEDED" in refusal.codes or _NOT_IN_BULK.search(words):
                raise NotInBulk(", ".join(refusal.codes)) from None
            raise
        return str(told["id"])

    def wait(self, job: str) -> None:
        """Return when a job is complete; JobGone if it never will be."""
        waited_s, look_after_s = 0.0, LOOK_AFTER_S
        while True:
            told = self._ask(lambda jobs: jobs.get_job(job, is_query=True))
            state = told["state"] if told else "gone"
            if state == "JobComplete":
                return
            if state not in ("UploadComplete", "InProgress"):
                raise JobGone(state)
            if waited_s >= GIVE_UP_AFTER_S:
                raise ServerError(
                    f"{self._org.session.place}: the bulk job `{job}` is still `{state}` after "
                    f"{waited_s / 3600:.0f} hours. Run the sync again later: it goes on waiting.",
                    place=self._org.session.place,
                )
            self._org.session.pause(look_after_s, "a bulk job to finish")
            waited_s += look_after_s
            look_after_s = min(LOOK_AT_LEAST_EVERY_S, 1.5 * look_after_s)

    def pages(self, job: str, locator: str | None) -> Iterator[tuple[Rows, str | None]]:
        """Yield each page with the locator of the next one, None at the end."""
        guard = LoopGuard(self._org.session.place)
        while True:
            guard.check(locator or "the first page")
            rows, locator = self._results(job, locator)
            yield rows, locator
            if locator is None:
                return

    def drop(self, job: str) -> None:
        """Delete a job, which keeps results that nobody needs for 7 days otherwise."""

        def delete(jobs: Any) -> None:
            with suppress(ValueError):  # the library reads an answer that has no body
                jobs.delete_job(job, is_query=True)

        with suppress(Refused):
            self._ask(delete)

    def _ask(self, call: Callable[[Any], Any]) -> Any:
        def ask(client: Client) -> Any:
            handler: Any = client.bulk2
            # The library's own read loop knows no queryAll and no way to go on after a crash.
            return call(handler.Query._client)

        return self._org.ask_renewed(ask)

    def _results(self, job: str, locator: str | None) -> tuple[Rows, str | None]:
        """Return a page; ask again for one that does not hold what it promises."""
        wish = {"maxRecords": PAGE_RECORDS} | ({"locator": locator} if locator else {})
        path = f"/services/data/v{self._org.api_version}/jobs/query/{job}/results"
        for _ in range(self._org.session.attempts):
            try:
                answer = self._org.answer(f"{path}?{urlencode(wish)}", {"Accept": "text/csv"})
            except Refused as refusal:
                raise JobGone(", ".join(refusal.codes)) from None
            promised = answer.headers.get("Sforce-NumberOfRecords", "")
            if not promised.isdigit():
                raise JobGone("no results")
            following = answer.headers.get("Sforce-Locator", "null")
            rows = _rows(answer.content)
            if len(rows) - 1 == int(promised) and {len(row) for row in rows} == {len(rows[0])}:
                return rows, None if following == "null" else following
        raise ServerError(
            f"{self._org.session.place}: results of the bulk job `{job}` hold other than the "
            f"`{promised}` records they promise. Try again later.",
            place=self._org.session.place,
        )


def cut(
    count: Callable[[datetime, datetime], int], start: datetime, end: datetime, due: int
) -> datetime:
    """Return where the next window from `start` ends, so that one job holds enough, not too much.

    Args:
        count: how many records are stamped in [a, b).
        due: how many in [start, end).
    """
    if due <= JOB_RECORDS:
        return end
    second = timedelta(seconds=1)
    too_few, too_many = start, end
    while too_many - too_few > second:
        middle = too_few + max(second, (too_many - too_few) // 2)
        middle = middle.replace(microsecond=0)
        if middle in (too_few, too_many):
            break
        found = count(start, middle)
        if found > JOB_RECORDS:
            too_many = middle
        elif found >= JOB_RECORDS // 4:
            return middle
        else:
            too_few = middle
    return too_many  # so many bear one stamp


def records(page: Rows, types: Mapping[str, str]) -> list[bytes]:
    """Return a page as the JSON records that REST gives, digits untouched.

    REST knows null, true and numbers where CSV has texts, and writes `+0000` for CSV's `Z`;
    an empty text is null in both. Bytes that are no UTF-8 stay as they are, for quarantine.

    Args:
        types: describe's type of each column.
    """
    header, *rows = page
    readers = [_READERS.get(types.get(name, ""), _text) for name in header]
    return [
        _encoded({n: read(cell) for n, read, cell in zip(header, readers, row, strict=True)})
        for row in rows
    ]


def _rows(body: bytes) -> Rows:
    csv.field_size_limit(_LONGEST_FIELD)
    text = body.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape")
    return list(csv.reader(io.StringIO(text, newline=""))) or [[]]


def _encoded(record: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:  # a cell was no UTF-8
        return msgspec.json.encode({name: _as_it_came(value) for name, value in record.items()})


def _as_it_came(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return msgspec.Raw(json.dumps(value, ensure_ascii=False).encode(errors="surrogateescape"))


def _text(cell: str) -> Any:
    return cell or None


def _boolean(cell: str) -> Any:
    return {"true": True, "false": False}.get(cell.lower(), cell or None)


def _number(cell: str) -> Any:
    return msgspec.Raw(cell.encode()) if _NUMBER.fullmatch(cell) else cell or None


def _datetime(cell: str) -> Any:
    return f"{cell[:-1]}+0000" if cell.endswith("Z") else cell or None


_READERS: dict[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "datetime": _datetime,
    **dict.fromkeys(_NUMBERS, _number),
}
