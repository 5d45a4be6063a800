"""What reading a Salesforce org would cost: `COUNT()` by the read's conditions, and `limits`."""

from __future__ import annotations

from datetime import datetime

from connectors.base import State, Stream, Window
from connectors.incremental import ChangeWalk, change_walks
from connectors.planning import ALWAYS, Allowance, Cost, Step, pages
from connectors.salesforce import bulk
from connectors.salesforce.client import Org
from connectors.salesforce.reads import (
    Reader,
    conditions,
    deletions_from,
    is_census_due,
    literal,
    new_fields,
    spans_for,
)
from connectors.salesforce.shape import Shape

ROWS_PER_PAGE_USUALLY = 1_500  # Salesforce fills a page as far as it likes
CALLS_PER_JOB = 9
"""Window, creation, some looks, deletion."""


class Planner:
    """Plans for one org."""

    def __init__(self, org: Org, reader: Reader) -> None:
        self._org = org
        self._reader = reader
        self._shapes: dict[tuple[str, datetime], Shape] = {}

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Count what `read` would ask for, by the same conditions with `COUNT()`."""
        shape = self._shape(stream, window.now)
        steps = [Step(what="describe", calls=1, how=ALWAYS)]
        if not shape.fields:
            return Cost(steps=tuple(steps), records=0, notes=(str(shape.coverage),))
        records = 0
        state = dict(state)
        if window.since and "cursor" not in state:
            state["since"] = literal(window.since)
        if stream.deletes != "none" and is_census_due(state, window):
            steps.append(_page_step("census of ids", self._org.count(stream.object_name, [])))
        again = self._reader.reread(stream, shape, state, window)
        is_new = new_fields(shape, state)
        why_again = "all for new fields" if is_new else "formulas read again"
        backfill = state.get("backfill")
        spans = [ChangeWalk.of(span) for span in backfill["spans"]] if backfill else []
        if spans:
            how = "one per part of the history that is left"
            steps.append(Step(what="describe again", calls=len(spans), how=how))
        changes = list(change_walks(stream, state, window))
        for walk in (*spans, *changes, *([again] if again else [])):
            bounds = conditions(walk, walk.position, shape.cursor)
            due = self._org.count(stream.object_name, bounds)
            is_whole = walk in changes and walk.position is None and not spans
            parts = spans_for(shape, due) if is_whole else 1
            if parts > 1:
                # Its first page tells how long the history is; what changes is read once more.
                how = f"{due:,} records by COUNT(), in {parts} spans side by side"
                steps.append(Step(what="cutting a long history", calls=5 + 2 * parts, how=how))
            if due >= bulk.FROM_RECORDS and shape.fits_bulk:
                steps.append(_job_step(due))
            else:
                what = why_again if walk is again else "pages of changed records"
                steps.append(_page_step(what, due))
            records += due
        if shape.has_delete_log and "cursor" in state and deletions_from(state, window):
            steps.append(Step(what="delete log", calls=1, how=ALWAYS))
        if stream.deletes != "none":
            steps.append(Step(what="count", calls=1, how=ALWAYS))
        return Cost(
            steps=tuple(steps), records=records, records_how="COUNT(), those in the bin included"
        )

    def _shape(self, stream: Stream, now: datetime) -> Shape:
        """Describe an object once for the plans of one moment."""
        asked = (stream.name, now)
        if asked not in self._shapes:
            self._shapes[asked] = self._reader.shape(stream)
        return self._shapes[asked]

    def allowance(self) -> Allowance:
        """Read `limits`; logging in counts toward nothing."""
        told = self._org.ask(lambda client: client.limits()) or {}
        daily = told.get("DailyApiRequests", {})
        return Allowance(
            per_day=daily.get("Max"),
            left=daily.get("Remaining"),
            opening=(
                Step(what="clock", calls=1, how=ALWAYS, is_metered=False),
                Step(what="login", calls=1, how=ALWAYS, is_metered=False),
            ),
            how="`limits`: calls of the whole org in the last 24 hours",
        )


def _job_step(records: int) -> Step:
    """A job is created, looked at a few times, read page by page and deleted."""
    jobs = pages(records, bulk.JOB_RECORDS)
    calls = 1 + jobs * CALLS_PER_JOB + pages(records, bulk.PAGE_RECORDS)
    how = f"{records:,} records by COUNT(), in {jobs} bulk jobs of {bulk.PAGE_RECORDS:,} a page"
    return Step(what="bulk jobs", calls=calls, how=how)


def _page_step(what: str, records: int) -> Step:
    calls = pages(records, ROWS_PER_PAGE_USUALLY)
    how = f"{records:,} records by COUNT(), about {ROWS_PER_PAGE_USUALLY:,} a page"
    if records <= ROWS_PER_PAGE_USUALLY:
        how = f"{records:,} records by COUNT(), one page"
    return Step(what=what, calls=calls, how=how)
