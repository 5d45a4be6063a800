"""Bulk API 2.0 query jobs of the emulated organization: states, limits, results as CSV.

Belongs here: what a job is and how its results are written (Bulk API 2.0 Developer Guide:
"Query", "Get Results for a Query Job"). Does not belong here: URLs and sessions (`http`),
what a query matches (`soql`).

The sandbox's time stands still between calls, so a job gets on by being looked at. Rows of a
query without ORDER BY come in no order at all, as chunks of a large table do.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sandbox.clock import Clock
from sandbox.salesforce import schema, soql
from sandbox.salesforce.org import ApiError, Org, wire_datetime

RESULTS_KEPT = timedelta(days=7)
DAY = timedelta(days=1)
SELECT_ORDER_FROM = 50
"""Since this API version columns come as selected, before that by name."""

_DELIMITERS = {
    "BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t",
}  # fmt: skip
_LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_RUNNING = {"UploadComplete", "InProgress"}
_NOT_FOUND = ApiError(404, "NOT_FOUND", "The requested resource does not exist")


@dataclass
class Job:
    """A query job, and the rows it found."""

    id: str
    operation: str
    sobject: str
    version: str
    created_at: datetime
    created_by: str
    delimiter: str
    line_ending: str
    result: soql.Result
    state: str = "UploadComplete"
    looks: int = 0
    error: str | None = None


class Jobs:
    """The jobs of one organization."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self.org = org
        self.clock = clock
        self._jobs: dict[str, Job] = {}
        self._created: list[datetime] = []
        self._delivered: list[tuple[datetime, int]] = []
        self._minted = 0

    def create(self, given: Mapping[str, Any], version: str) -> dict[str, Any]:
        """Start a job (`POST jobs/query`) and return it; refuse what Bulk does not take."""
        operation, text = given.get("operation"), given.get("query")
        if operation not in ("query", "queryAll"):
            raise ApiError(400, "INVALIDJOB", f"Operation '{operation}' is not valid")
        if not isinstance(text, str) or not text:
            raise ApiError(400, "INVALIDJOB", "query is required")
        delimiter = str(given.get("columnDelimiter", "COMMA"))
        line_ending = str(given.get("lineEnding", "LF"))
        if delimiter not in _DELIMITERS or line_ending not in _LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "columnDelimiter or lineEnding is not valid")
        now = self.clock.now()
        if self.jobs_left() <= 0:
            most = self.org.bulk_daily_jobs
            message = f"Max bulk v2 query jobs ({most}) per 24 hrs has been reached ({most + 1})"
            raise ApiError(400, "LIMIT_EXCEEDED", message)
        if self.kilobytes_left() <= 0:
            message = (
                f"Max bulk v2 query result size stored ({self.org.bulk_daily_kb}) kb per 24 hrs "
                "has been exceeded"
            )
            raise ApiError(400, "LIMIT_EXCEEDED", message)
        result = soql.run(
            self.org, text, now, include_deleted=operation == "queryAll", in_bulk=True
        )
        self._created.append(now)
        self._minted += 1
        id = schema.mint_id("750", self._minted)
        self._jobs[id] = Job(
            id=id,
            operation=operation,
            sobject=result.sobject,
            version=version,
            created_at=now,
            created_by=self.org.user_id,
            delimiter=delimiter,
            line_ending=line_ending,
            result=result,
        )
        return self.shown(self._jobs[id])

    def look(self, id: str) -> dict[str, Any]:
        """Return a job as it is by now (`GET jobs/query/<id>`), which lets it get on."""
        job = self._job(id)
        if job.state in _RUNNING:
            job.looks += 1
            job.state = "InProgress"
            if job.looks >= self.org.bulk_looks:
                job.state = "JobComplete"
                if self.org.bulk_failures > 0:
                    self.org.bulk_failures -= 1
                    job.state = "Failed"
                    job.error = (
                        "InternalServerError : Retried more than fifteen times. Read the docs."
                    )
        found = len(job.result.rows) if job.state == "JobComplete" else 0
        told = {"jobType": "V2Query", "numberRecordsProcessed": found, "retries": 0}
        told |= {"totalProcessingTime": 100 * job.looks}
        if job.error is not None:
            told["errorMessage"] = job.error
        return self.shown(job) | told

    def listed(self) -> dict[str, Any]:
        """Return all jobs (`GET jobs/query`)."""
        records = [self.shown(job) for job in self._jobs.values() if not self._is_over(job)]
        return {"done": True, "records": records, "nextRecordsUrl": None}

    def abort(self, id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Abort a job (`PATCH` with `{"state": "Aborted"}`)."""
        job = self._job(id)
        if given.get("state") != "Aborted":
            raise ApiError(400, "INVALIDJOBSTATE", "Only the state Aborted can be set")
        if job.state not in _RUNNING:
            message = f"Aborting already {job.state} Job not allowed"
            raise ApiError(400, "INVALIDJOBSTATE", message)
        job.state = "Aborted"
        return self.shown(job)

    def delete(self, id: str) -> None:
        """Delete a job that has ended, and its results."""
        job = self._job(id)
        if job.state in _RUNNING:
            message = f"Job {id} is in state {job.state} and cannot be deleted"
            raise ApiError(400, "API_ERROR", message)
        del self._jobs[id]

    def forget(self) -> None:
        """Let every job and its results be gone, as after seven days."""
        self._jobs.clear()

    def results(
        self, id: str, query: Mapping[str, str], version: str
    ) -> tuple[bytes, int, str | None]:
        """Return a page of results: the CSV, how many records, the next page's locator."""
        job = self._job(id)
        if version != job.version:
            message = f"The job was created with API version {job.version}"
            raise ApiError(409, "API_ERROR", message)
        if job.state != "JobComplete":
            message = f"Results are not available: the job is {job.state}"
            raise ApiError(412, "JOB_NOT_COMPLETE", message)
        start = _offset(job, query["locator"]) if query.get("locator") else 0
        wish = query.get("maxRecords", "")
        most = min(int(wish), self.org.bulk_page_rows) if wish.isdigit() else 0
        rows = _unordered(job)
        end = min(len(rows), start + (most or self.org.bulk_page_rows))
        body = self._csv(job, rows[start:end])
        self._delivered.append((self.clock.now(), len(body)))
        return body, end - start, _locator(job, end) if end < len(rows) else None

    def jobs_left(self) -> int:
        """Return how many more jobs the last 24 hours allow."""
        since = self.clock.now() - DAY
        return self.org.bulk_daily_jobs - sum(at > since for at in self._created)

    def kilobytes_left(self) -> int:
        """Return how much more the last 24 hours allow to be fetched."""
        since = self.clock.now() - DAY
        fetched = sum(size for at, size in self._delivered if at > since)
        return self.org.bulk_daily_kb - fetched // 1000

    def shown(self, job: Job) -> dict[str, Any]:
        """Return what every answer says of a job."""
        return {
            "id": job.id,
            "operation": job.operation,
            "object": job.sobject,
            "createdById": job.created_by,
            "createdDate": wire_datetime(job.created_at),
            "systemModstamp": wire_datetime(job.created_at),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version.removeprefix("v")),
            "lineEnding": job.line_ending,
            "columnDelimiter": job.delimiter,
        }

    def _job(self, id: str) -> Job:
        job = self._jobs.get(schema.long_id(id)) if len(id) in (15, 18) else None
        if job is None or self._is_over(job):
            raise _NOT_FOUND
        return job

    def _is_over(self, job: Job) -> bool:
        return self.clock.now() - job.created_at >= RESULTS_KEPT

    def _csv(self, job: Job, rows: Sequence[Any]) -> bytes:
        """Write rows: every value in quotes, a header on every page, nothing for null."""
        columns = list(job.result.columns)
        if float(job.version.removeprefix("v")) < SELECT_ORDER_FROM:
            columns.sort()
        text = io.StringIO(newline="")
        writer = csv.writer(
            text,
            delimiter=_DELIMITERS[job.delimiter],
            lineterminator=_LINE_ENDINGS[job.line_ending],
            quoting=csv.QUOTE_ALL,
        )
        writer.writerow([name for name, _ in columns])
        for row in rows:
            record = job.result.project(row, job.version)
            writer.writerow([_cell(record, name, kind) for name, kind in columns])
        return text.getvalue().encode()


def _unordered(job: Job) -> Sequence[Any]:
    if job.result.is_ordered:
        return job.result.rows
    return sorted(job.result.rows, key=lambda row: zlib.crc32(row["Id"].encode()))


def _cell(record: Mapping[str, Any], name: str, kind: str) -> str:
    value: Any = record
    for part in name.split("."):
        value = None if value is None else value[part]
    match value:
        case None:
            return ""
        case bool() | int() | float():
            return msgspec.json.encode(value).decode()
        case _ if kind == "datetime":
            return str(value).replace("+0000", "Z")
        case _:
            return str(value)


def _locator(job: Job, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{job.id}:{offset}".encode()).decode().rstrip("=")


def _offset(job: Job, locator: str) -> int:
    """Return where a locator leads; one of another job leads nowhere."""
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    id, _, offset = text.partition(":")
    if id != job.id or not offset.isdigit() or int(offset) >= len(job.result.rows):
        raise ApiError(400, "API_ERROR", "Invalid locator")
    return int(offset)
