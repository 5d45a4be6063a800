"""What every connector is made of: streams, pages and the reader's contract.

Belongs here: the words of section "streams and pages" of the docs, as types.
Does not belong here: how pages are fetched (`session`, `pagination`), how they
are kept (`landing`), or what drives a sync (`sync`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol, get_args

import msgspec

from connectors.errors import ConfigError, suggestion

SyncMode = Literal["incremental", "full"]
"""`incremental`: asks for what changed. `full`: reads everything each time."""

DeleteStrategy = Literal["tombstones", "archived", "census", "reread", "none"]
"""How a stream learns that a record is gone.

`tombstones`: the vendor lists deleted records. `archived`: a listing of its own.
`census`: ids that a complete walk no longer shows. `reread`: a tail is read again.
`none`: the vendor never deletes, or never tells.
"""

State = dict[str, Any]
"""A stream's state: plain JSON values. It travels in the footer of the newest landing file."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One list of records of one kind, declared.

    Attributes:
        name: snake_case, plural; folder under `landing/<source>/` and part of every profile key.
        key: fields that identify a record; several make a JSON array as text.
        fields: allow-list of top-level fields (`a.b` reaches one level down). Everything
            else is removed before the record touches a file. `("*",)` takes everything: for
            a user's own files and tables only.
        cursor: field that carries the source's change stamp, if there is one.
        cursor_trusted: whether that stamp orders a record's versions (`_version`).
        sync_mode: see `SyncMode`.
        lag: never read the newest `lag` of changes: they may still be settling.
        lookback: read this much before the cursor again; late arrivals are counted.
        deletes: see `DeleteStrategy`.
        object_name: the vendor's own name, as used under `fields:` in rapport.yml.
        types: field -> declared type (text, integer, decimal, boolean, timestamp, date, json);
            fields not named are text. Custom fields add theirs from rapport.yml.
        pii: field -> class (direct, text, pseudonym); fields not named are `none`.
        text_fields: fields that hold free text, subject to text retention.
        coverage: what the API cannot give (an offered limit), in words, or None.
        zone: time zone of cursor stamps that carry none.
        reconciles: what of the source's is compared with what is held, and how often, in words.
        unreconciled: why nothing is; a vendor's stream has one of the two.
        spans: whether a long history is read in spans side by side (see `Backfill`): the vendor
            answers for a range, and lets calls be made faster than one after the other.
        pages_ahead: how many pages its reader asks for before the one it hands over is worked on.
            A crash costs these, too.
    """

    name: str
    key: tuple[str, ...]
    fields: tuple[str, ...]
    cursor: str | None = None
    cursor_trusted: bool = True
    sync_mode: SyncMode = "incremental"
    lag: timedelta = timedelta(0)
    lookback: timedelta = timedelta(0)
    deletes: DeleteStrategy = "none"
    object_name: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    pii: Mapping[str, str] = field(default_factory=dict)
    text_fields: tuple[str, ...] = ()
    coverage: str | None = None
    zone: str = "UTC"
    reconciles: str | None = None
    unreconciled: str | None = None
    spans: bool = False
    pages_ahead: int = 0


def by_field(**fields_of: str) -> dict[str, str]:
    """Turn `by_field(boolean="admin active", timestamp="created_at")` into field -> word."""
    return {field: word for word, fields in fields_of.items() for field in fields.split()}


PrivateFact = Literal["politics", "religion", "health", "children", "sports_fandom"]
PrivateClass = Literal["none", PrivateFact]
"""What a field tells of somebody's private life; only a field of `none` is taken."""


class CustomField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A field beyond the allow-list, as `fields:` in rapport.yml names it.

    Attributes:
        name: the vendor's name of the field, custom (`Tier__c`) or standard.
        type: text, integer, decimal, boolean, timestamp, date or json.
        pii: none, pseudonym, direct or text.
        meaning: the unified column it fills, for example `renewal_date`.
        network: with `meaning: handle`, the source whose handle people wrote there.
        private: `none` where only the name suggests a private fact.
    """

    name: str
    type: Literal["text", "integer", "decimal", "boolean", "timestamp", "date", "json"] = "text"
    pii: Literal["none", "pseudonym", "direct", "text"] = "none"
    meaning: str | None = None
    network: str | None = None
    private: PrivateClass | None = None


def with_fields(stream: Stream, fields: Sequence[str | CustomField], *, inside: str = "") -> Stream:
    """Return `stream` with further fields; `inside` is what they lie in (`properties.`)."""
    more = [CustomField(name=field) if isinstance(field, str) else field for field in fields]
    named = [(f"{inside}{field.name}", field) for field in more]
    return replace(
        stream,
        fields=tuple(dict.fromkeys((*stream.fields, *(name for name, _ in named)))),
        types={**stream.types, **{name: f.type for name, f in named if f.type != "text"}},
        pii={**stream.pii, **{name: f.pii for name, f in named if f.pii != "none"}},
        text_fields=(*stream.text_fields, *(name for name, f in named if f.pii == "text")),
    )


def with_configured(
    source: str,
    streams: Iterable[Stream],
    fields: Mapping[str, Sequence[str | CustomField]],
    objects: Iterable[str],
    make: Callable[[str], Stream],
    *,
    inside: str = "",
) -> tuple[Stream, ...]:
    """Return the declared streams plus what `fields:` and `objects:` of rapport.yml add.

    Args:
        source: its name, for the error.
        make: returns the stream of a further object.
        inside: as for `with_fields`; streams without any field there take none.

    Raises:
        ConfigError: `fields` names an object that none can be added to.
    """
    found = {stream.object_name or stream.name: stream for stream in streams}
    found |= {name: make(name) for name in objects if name not in found}
    takes = [
        name for name, stream in found.items() if any(f.startswith(inside) for f in stream.fields)
    ]
    for name, more in fields.items():
        if name not in takes:
            raise ConfigError(
                f"{source}: `fields: {name}` names no object that fields can be added to."
                f"{suggestion(name, takes)} Name it under `objects` first."
            )
        found[name] = with_fields(found[name], more, inside=inside)
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """A record the source no longer has.

    Attributes:
        key: the record's `_key`.
        merged_into: the `_key` of the record that took its place, if it was merged.
        at: when the source says it happened, timezone-aware; None: when we noticed.
    """

    key: str
    merged_into: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A record that cannot be landed and goes to quarantine.

    Attributes:
        reason: `invalid_json`, `duplicate_name`, `lone_surrogate`, `nul`, `no_key`,
            `not_an_object`, `too_deep`, `ragged_row`, `no_cursor`.
        detail: where and why, in words, without the record's own text.
        key: the record's `_key`, if it can be told.
        text: the record as far as its fields are allowed.
    """

    reason: str
    detail: str
    key: str | None = None
    text: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """A history long enough to be read in spans, side by side, while changes go on being read.

    A span's state is like a stream's: JSON values, from any of which `read_span` goes on.

    Attributes:
        spans: their states at the beginning. Together they hold all that `read` would have
            brought up to `live`; no record changes from one of them into another.
        live: the stream's state as if all of that had been read: `read` goes on from it.
        after: where `read` goes on once the spans are read. Not where it has come to by then:
            what is deleted while its span is unread had nothing to delete when that was told.
            A census that it makes has to show every key by itself.
    """

    spans: Sequence[State]
    live: State
    after: State


@dataclass(frozen=True, kw_only=True)
class Page:
    """What one step of a reader brought, and the state that holds once it is landed.

    Attributes:
        records: each record's own bytes (JSON), in the source's order.
        tombstones: records the source reports as gone. A record that still comes along with
            its tombstone belongs on the same page.
        state: the stream's state after this page; None keeps the previous one. A reader
            must be able to go on from any state it has yielded, so that a crash costs at
            most one checkpoint of pages. Values inside it must not change afterwards.
        seen_keys: for `census`: keys shown by this page that carry no record.
        census_complete: this page ends a complete walk: keys held but not seen since the
            walk began are deleted.
        census_leaves: beginnings of keys that this walk could not show: those held stay.
        source_count: how many live records the source itself counts in this stream, in all,
            when it says so.
        rejected: records that the reader itself could not make out (a ragged row of a file).
        notes: what a user should know about this page, in words (a guessed encoding).
        backfill: what is still to be read is a long history: the rest of this reader is not
            asked for, its spans are.
    """

    records: Sequence[bytes] = ()
    tombstones: Sequence[Tombstone] = ()
    state: State | None = None
    seen_keys: Sequence[str] = ()
    census_complete: bool = False
    census_leaves: tuple[str, ...] = ()
    source_count: int | None = None
    rejected: Sequence[Rejected] = ()
    notes: Sequence[str] = ()
    backfill: Backfill | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a sync is asked for: the server's clock and the user's `--since` / `--until`.

    Attributes:
        held_count: counts the live records landed before this sync, for readers that compare
            it with what the source counted then; None: nobody counts.
        may_span: whether a long history may be handed over as a `Backfill`; not while one is read.
        before: the state that a full refresh sets aside. One that breaks off makes no census: a
            reader whose deletions come of what its state holds must go on holding that.
    """

    now: datetime
    since: datetime | None = None
    until: datetime | None = None
    full_refresh: bool = False
    held_count: Callable[[], int] | None = None
    may_span: bool = False
    before: State = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of `rapport check`.

    Attributes:
        ok: whether a sync would work.
        account: who we are at the vendor, without personal data.
        detail: version, scopes or what is missing, in words.
        clock_skew_s: vendor's clock minus ours, in seconds.
        quota_left: calls left today, if the vendor tells.
    """

    ok: bool
    account: str
    detail: str
    clock_skew_s: float | None = None
    quota_left: int | None = None


LinkBasis = Literal[
    "self_declared_form", "verified_sign_in", "ticket_supplied", "verified_same_email",
    "staff_asserted",
]  # fmt: skip
"""What somebody's claim to a profile rests on: they wrote it into a form of ours, signed in with
it, gave it in a ticket, both sides proved one e-mail address, or one of us says so."""

LINK_BASES: tuple[LinkBasis, ...] = get_args(LinkBasis)
VOLUNTEERED: tuple[LinkBasis, ...] = LINK_BASES[:3]
"""What people gave us themselves."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a source's terms and the law ask of us, as data beside the connector.

    Attributes:
        is_own_space: the organization runs the place itself (its CRM, its forum): there a proven
            address or a sign-in is a fair basis, and rules join profiles. On somebody else's
            network a profile joins a person only by a claim.
        link_bases: what a claim may rest on to join a profile of this source to a person.
        text_retention_days: days after which free text is removed; None: kept.
        terms_url: the vendor's terms.
        terms_date: the day they were read, `YYYY-MM-DD`.
        approval_required: whether the vendor must agree before data is fetched.
        spend_cap: most money a sync may cost, in the vendor's currency; None: it is free.
    """

    is_own_space: bool = True
    link_bases: tuple[LinkBasis, ...] = LINK_BASES
    text_retention_days: int | None = None
    terms_url: str = ""
    terms_date: str = ""
    approval_required: bool = False
    spend_cap: Decimal | None = None


class Source(Protocol):
    """One configured account at a vendor.

    A connector module offers `TYPE`, `SILO`, `Settings` (a `msgspec.Struct`: the keys it
    takes in rapport.yml), `STREAMS` (declarations), `POLICY` and
    `connect(name, settings, session)`, which returns an object of this shape. If it has an
    attribute `session`, a sync takes the server's clock and its counters from there.

    Optional: `read_span(stream, state)`, which yields the pages of one span of a `Backfill`, in
    several threads at once (each page's state is the span's); `discover()` (see
    `connectors.discovery`), `plan(stream, state, window)` and `allowance()` (see
    `connectors.planning`). A source without them is said to be unable to tell.
    """

    type: ClassVar[str]
    name: str

    def streams(self) -> Sequence[Stream]:
        """Return the streams of this account, custom fields and objects included."""

    def check(self) -> Check:
        """Ask the vendor one cheap question; raise `AuthError` or `Unreachable`."""

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield pages from where `state` ends (`{}`: from the beginning).

        At-least-once: look-back repeats records. The last page's state says that the walk
        is done. Raises the errors of `connectors.errors`.
        """
