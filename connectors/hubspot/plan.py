"""What reading a HubSpot account would cost, by questions that cost little.

Belongs here: counting, with a search's total, what `reads` would ask for by the same conditions.
Short lists have no total: they are looked at, which is all it takes to read them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from connectors.base import State, Stream, Window
from connectors.errors import AuthError, BadRequest
from connectors.hubspot import behavior, forms, mailings, members
from connectors.hubspot.beside import (
    INPUTS_PER_ASSOCIATION_CALL,
    INPUTS_PER_CONSENT_CALL,
    INPUTS_PER_HISTORY_CALL,
    Beside,
    is_whole_due,
)
from connectors.hubspot.client import (
    ROWS_PER_LIST,
    ROWS_PER_SEARCH,
    USAGE_PATH,
    Account,
    ScopeMissing,
    filtered,
    is_too_long,
)
from connectors.hubspot.objects import COUNT_EVERY, change_filters, is_list_due
from connectors.hubspot.reads import Reader
from connectors.hubspot.streams import (
    BEHAVIOR,
    EMAIL_EVENTS,
    HISTORY,
    MEMBERSHIPS,
    OPTIONAL,
    STREAMS,
    has_properties,
    scope_of,
    wanted,
)
from connectors.incremental import ChangeWalk, change_walks, is_due
from connectors.planning import ALWAYS, Allowance, Cost, Step, pages
from connectors.records import split, values

Filters = Sequence[Mapping[str, str]]

_COUNTED = ("sent", "delivered", "open", "click", "bounce", "unsubscribed", "spamreport", "reply")
"""Counters of an e-mail that are events of recipients, too."""


class Planner:
    """Plans for one account."""

    def __init__(
        self,
        account: Account,
        reader: Reader,
        beside: Beside,
        members_of: Sequence[str] = (),
        events: Sequence[str] = (),
    ) -> None:
        self._account = account
        self._members_of = members_of
        self._events = events
        self._reader = reader
        self._lying_beside = beside
        self._searches = ((account.searches_per_s, 1.0),)
        # Streams and both reads of a plan share questions: those of its moment are asked once.
        self._moment: object = None
        self._counts: dict[object, int] = {}
        self._lists: dict[str, tuple[int, int]] = {}

    def allowance(self) -> Allowance:
        """Read today's usage; an app that uses OAuth has no daily quota of its own.

        https://developers.hubspot.com/docs/api-reference/account-account-info-v3
        """
        windows = self._account.session.calls_per_window
        opening: tuple[Step, ...] = (Step(what="clock", calls=1, how=ALWAYS, is_metered=False),)
        if self._account.has_oauth:
            opening += (Step(what="token", calls=1, how=ALWAYS, is_metered=False),)
        try:
            usage = split(self._account.ask_path("GET", USAGE_PATH), "results")
        except (AuthError, BadRequest):
            usage = []
        told = [values(row, "usageLimit", "currentUsage") for row in usage]
        if not told or told[0][0] is None:
            how = (
                "cannot tell the calls of a day: the account does not show its usage to this token"
            )
            return Allowance(windows=windows, opening=opening, how=how)
        most, used = told[0]
        return Allowance(
            per_day=most,
            left=None if used is None else max(0, most - used),
            windows=windows,
            opening=opening,
            how="the account's usage: calls of all its private apps since midnight there",
        )

    def plan(self, stream: Stream, state: State, window: Window) -> Cost:
        """Return what `Reader.read` with these arguments would cost."""
        if self._moment != window.now:
            self._moment, self._counts, self._lists = window.now, {}, {}
        try:
            if stream.sync_mode == "full":
                return self._short_list(stream, window)
            if stream.name == "form_submissions":
                return self._submissions(stream, state, window)
            if stream.name == BEHAVIOR:
                return self._behavior(stream, state, window)
            if stream.name == EMAIL_EVENTS:
                return self._email_events(stream, state, window)
            if stream.name == MEMBERSHIPS:
                return self._memberships(state, window)
            if not has_properties(stream):
                return self._beside(stream, state, window)
            return self._objects(stream, state, window)
        except ScopeMissing:
            if stream.name not in OPTIONAL:
                raise
            look = Step(what="look", calls=1, how=ALWAYS)
            note = f"not visible: needs the scope `{scope_of(stream.name)}`"
            return Cost(steps=(look,), records=0, notes=(note,))

    def _short_list(self, stream: Stream, window: Window) -> Cost:
        if stream.name not in self._lists:
            *shown, last = self._reader.read(stream, {}, window)
            if last.notes:  # it only tells which scope is missing
                raise ScopeMissing(stream.name)
            self._lists[stream.name] = len(shown), sum(len(page.records) for page in shown)
        calls, records = self._lists[stream.name]
        how = "it has no count, so it was looked at"
        step = Step(what="pages of a short list", calls=calls, how=how)
        return Cost(steps=(step,), records=records, records_how=how)

    def _memberships(self, state: State, window: Window) -> Cost:
        listed = list(self._reader.lists())
        told, _ = members.chosen(listed, self._members_of)
        due = members.due(told, state, members.is_whole_due(state, window))
        sizes = [int(tells[0] or 0) for tells in due.values()]
        how = f"{len(due):,} of {len(told):,} lists to read, by what they tell"
        read = sum(pages(size, members.ROWS_PER_PAGE) for size in sizes)
        return Cost(
            steps=(
                Step(what="pages of lists", calls=len(listed), how="they were looked at"),
                Step(what="pages of members", calls=read, how=how),
            ),
            records=sum(sizes),
            records_how="the lists' own counts",
        )

    def _submissions(self, stream: Stream, state: State, window: Window) -> Cost:
        pages, n, taken = forms.newest(self._account, stream, state, window)
        looked = "they have no count, so they were looked at"
        return Cost(
            steps=(
                Step(what="pages of forms", calls=pages, how=looked),
                Step(what="newest submissions", calls=n, how=f"{n:,} forms, a page each"),
                Step(what="who they were", calls=min(n, taken), how="the addresses of a page"),
            ),
            records=taken,
            records_how="those on the first page of each form",
            notes=(
                "how much was submitted is not told: each further "
                f"{forms.ROWS_PER_PAGE} take a call, and their addresses another",
            ),
        )

    def _behavior(self, stream: Stream, state: State, window: Window) -> Cost:
        looks = records = 0
        notes: list[str] = []
        for name in self._events:
            known = (state.get("types") or {}).get(name) or {}
            for walk in change_walks(stream, known, window):
                rows, after = next(behavior.pages(self._account, name, walk))
                looks, records = looks + 1, records + len(rows)
                if after is not None:
                    notes.append(
                        f"more than {len(rows):,} of `{name}`, which are not counted: each further "
                        f"{ROWS_PER_LIST} take a call"
                    )
        how = "the first page of each type was looked at"
        step = Step(what="pages of events", calls=looks, how=how)
        return Cost(steps=(step,), records=records, records_how=how, notes=tuple(notes))

    def _email_events(self, stream: Stream, state: State, window: Window) -> Cost:
        steps: list[Step] = []
        notes: list[str] = []
        records = 0
        for walk in change_walks(stream, state, window):
            rows, _ = next(mailings.pages(self._account, walk))
            told = [values(row, "recipient")[0] for row in rows]
            found, addresses, how = len(rows), len({*told}), "the newest page was looked at"
            if found == mailings.ROWS_PER_PAGE and walk.start is None and not walk.position:
                found, how = self._counted_events(window), "the counters of the e-mails"
                addresses = min(found, self._count("contacts", [filtered("email", "HAS_PROPERTY")]))
            elif found == mailings.ROWS_PER_PAGE:
                notes.append(
                    f"more than {found:,} events, the log does not tell how many: each further "
                    f"{found:,} take a call, and every {ROWS_PER_LIST} addresses another"
                )
            read = pages(found, mailings.ROWS_PER_PAGE)
            steps.append(Step(what="pages of events", calls=read, how=how))
            asked = math.ceil(addresses / ROWS_PER_LIST)
            who = f"{addresses:,} addresses, {ROWS_PER_LIST} at once"
            steps.append(Step(what="who they were", calls=asked, how=who))
            records += found
        return Cost(steps=tuple(steps), records=records, records_how=how, notes=tuple(notes))

    def _counted_events(self, window: Window) -> int:
        """Return how many events the counters of all e-mails to many tell of."""
        emails = next(stream for stream in STREAMS if stream.name == "marketing_emails")
        counters = [
            ((values(row, "stats")[0] or {}).get("counters") or {})
            for page in self._reader.read(emails, {}, window)
            for row in page.records
        ]
        return sum(told.get(name) or 0 for told in counters for name in _COUNTED)

    def _objects(self, stream: Stream, state: State, window: Window) -> Cost:
        kind = stream.object_name
        steps: list[Step] = []
        records = 0
        is_first = "cursor" not in state and "walk" not in state
        is_list = is_list_due(stream, state, window)
        for walk in change_walks(stream, state, window):
            step, found = self._pages(kind, walk, is_list, is_long=is_too_long(wanted(stream)))
            steps.append(step)
            records += found
        if not is_first:
            known = state.get("archived")
            how = "one page" if known is None else f"{known:,} records when it was last read"
            calls = pages(known or 0, ROWS_PER_LIST)
            steps.append(Step(what="pages of the archive", calls=calls, how=how))
        if not is_list and (records or is_due(state, "counted_at", COUNT_EVERY, window)):
            steps.append(Step(what="count", calls=1, how=ALWAYS, windows=self._searches))
        return Cost(
            steps=tuple(steps),
            records=records,
            records_how="the totals of searches, which may be some minutes behind",
            notes=()
            if is_first or "archived" in state
            else ("the archive shows no total: beyond 100 records it takes more pages",),
        )

    def _beside(self, stream: Stream, state: State, window: Window) -> Cost:
        kinds, _ = self._lying_beside.of(stream)
        is_whole = is_whole_due(self._lying_beside, stream, state, window)
        steps: list[Step] = []
        notes: list[str] = []
        records = 0
        for walk in change_walks(stream, state, window):
            start = walk.position or {}
            first = kinds.index(start["kind"]) if start.get("kind") in kinds else 0
            for kind in kinds[first:]:
                here = start if kind == start.get("kind") else {}
                try:
                    step, found = self._pages(kind, walk, is_whole or "list" in start, here=here)
                    steps.append(step)
                    step, answers = self._answers(stream, kind, found, walk, is_whole)
                except ScopeMissing:
                    scope = self._lying_beside.scope_of(stream, kind)
                    notes.append(f"{kind}: not visible: needs the scope `{scope}`")
                    steps.append(Step(what=f"look at {kind}", calls=1, how=ALWAYS))
                    continue
                steps.append(step)
                records += answers
        return Cost(
            steps=tuple(steps),
            records=records,
            records_how="one for each record and kind of links or property, at the most",
            notes=(*notes, "records with more links than fit one answer take further calls"),
        )

    def _answers(
        self, stream: Stream, kind: str, found: int, walk: ChangeWalk, is_whole: bool
    ) -> tuple[Step, int]:
        """Return the calls for what lies beside `found` records, and how many records it makes."""
        if stream.name == HISTORY:
            n = len(self._lying_beside.history[kind])
            calls = math.ceil(found / INPUTS_PER_HISTORY_CALL)
            how = f"{found:,} records, {INPUTS_PER_HISTORY_CALL} at once"
            return Step(what=f"history of {kind}", calls=calls, how=how), found * n
        if stream.name == "associations":
            # pages are gathered as long as one more is sure to fit
            per_page = ROWS_PER_LIST if is_whole else ROWS_PER_SEARCH
            fit = 1 + (INPUTS_PER_ASSOCIATION_CALL - ROWS_PER_SEARCH) // per_page
            size = min(fit * per_page, INPUTS_PER_ASSOCIATION_CALL)
            n = len(self._lying_beside.linked[kind])
            calls = math.ceil(found / size) * n
            how = (
                f"{found:,} records, {size:,} at once, links to {n} kind{'s' * (n != 1)} of others"
            )
            return Step(what=f"links of {kind}", calls=calls, how=how), found * n
        given = [filtered("email", "HAS_PROPERTY")]
        filters = given if is_whole else [*given, *change_filters(kind, walk)]
        addresses = self._count(kind, filters) if found else 0
        calls = 2 * math.ceil(addresses / INPUTS_PER_CONSENT_CALL)
        how = f"{addresses:,} addresses, {INPUTS_PER_CONSENT_CALL} at once, of each kind and of all"
        return Step(what="what they said", calls=calls, how=how), addresses

    def _pages(
        self,
        kind: str,
        walk: ChangeWalk,
        is_list: bool,
        *,
        is_long: bool = False,
        here: Mapping[str, str | None] | None = None,
    ) -> tuple[Step, int]:
        """Return the calls for the records of a walk from where it stands, and their number."""
        position = (walk.position or {}) if here is None else here
        if "list" in position or (is_list and "search" not in position):
            above = position.get("list") or "0"
            found = self._count(kind, [filtered("hs_object_id", "GT", above)])
            calls = pages(found, ROWS_PER_LIST) * (1 + is_long)
            how = f"{found:,} records by search, {ROWS_PER_LIST} a page"
            return Step(what=f"pages of all {kind}", calls=calls, how=how), found
        found = self._count(kind, change_filters(kind, walk, above=position.get("search") or "0"))
        how = f"{found:,} records by search, {ROWS_PER_SEARCH} a page"
        calls = pages(found, ROWS_PER_SEARCH)
        what = f"searches of changed {kind}"
        return Step(what=what, calls=calls, how=how, windows=self._searches), found

    def _count(self, kind: str, filters: Filters) -> int:
        key = (kind, *(tuple(condition.items()) for condition in filters))
        if key not in self._counts:
            self._counts[key] = self._account.count(kind, filters) or 0
        return self._counts[key]
