"""The keys of a source of type `rest` in rapport.yml.

Belongs here: what may be said. Does not belong here: what cannot go together (`declared`), or what
it makes us ask for (`client`, `reads`).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from connectors.tables import Duration, Scalar


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """A block of keys; `kind` says which keys it may have."""


class Bearer(_Part, kw_only=True, tag="bearer"):
    """`Authorization: Bearer ...`.

    Attributes:
        token: the token.
    """

    token: str


class Basic(_Part, kw_only=True, tag="basic"):
    """User and password in every request.

    Attributes:
        user: name of the user.
        password: its password, or what the vendor wants in its place.
    """

    user: str
    password: str = ""


class KeyInHeader(_Part, kw_only=True, tag="header"):
    """A key in a header of its own.

    Attributes:
        name: of the header.
        api_key: the key, with what stands before it (`Token ...`).
    """

    name: str
    api_key: str


class KeyInQuery(_Part, kw_only=True, tag="query"):
    """A key in the address. It never reaches a log or a state.

    Attributes:
        name: of the parameter.
        api_key: the key.
    """

    name: str
    api_key: str


class OAuth2(_Part, kw_only=True, tag="oauth2"):
    """Tokens that are asked for: with a refresh token, else by client credentials.

    Attributes:
        token_url: where tokens are given; a path starts at `url`.
        client_id: of our application.
        client_secret: of our application.
        refresh_token: the first one; one that replaces it is stored before it is used.
        scope: what is asked for, if the vendor wants to hear it.
    """

    token_url: str
    client_id: str
    client_secret: str
    refresh_token: str | None = None
    scope: str | None = None


Auth = Bearer | Basic | KeyInHeader | KeyInQuery | OAuth2


class RestLimits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How the vendor limits calls, where the usual (429, `Retry-After`) is not all.

    Attributes:
        calls: how many calls may be made in how long: `[50/10s, 200/1m]`.
        status: answers that mean "too many calls", besides 429.
        wait_s: where the answer's body tells the wait in seconds (`extras.wait_seconds`).
        wait_ms: where it tells it in milliseconds (`retry_after_ms`).
        remaining: header that tells how many calls are left; at 0 nobody calls until `reset`.
        reset: header that tells when there are new ones: seconds left, Unix time or a date.
        quota_status: answer that means that the calls of this day are used up.
    """

    calls: list[str] = []
    status: list[int] = []
    wait_s: str | None = None
    wait_ms: str | None = None
    remaining: str | None = None
    reset: str | None = None
    quota_status: int | None = None


class Listed(_Part, kw_only=True):
    """What all kinds of paging may say.

    Attributes:
        size: records to ask for in a page.
        size_param: parameter that takes `size`.
        more: where a page tells whether there is another: `has_more`, or `not finished`.
        total: where a page tells how many records there are in all pages.
        short: a page that has less records than another ends the list: saves the last call.
            Not for vendors that filter a page after cutting it.
    """

    size: int | None = None
    size_param: str | None = None
    more: str | None = None
    total: str | None = None
    short: bool = False


class ByPage(Listed, kw_only=True, tag="page"):
    """Pages have numbers.

    Attributes:
        param: parameter that takes the number.
        first: number of the first page.
    """

    param: str = "page"
    first: int = 1


class ByOffset(Listed, kw_only=True, tag="offset"):
    """A page begins behind so many records.

    Attributes:
        param: parameter that takes their number.
    """

    param: str = "offset"


class ByLink(Listed, kw_only=True, tag="link"):
    """A page holds the address of the next one.

    Attributes:
        next: where it lies; absent: in the header `Link`, as `rel="next"`.
    """

    next: str | None = None


class ByCursor(Listed, kw_only=True, tag="cursor"):
    """A page holds a token that asks for the next one.

    Attributes:
        next: where it lies.
        param: parameter that takes it.
    """

    next: str
    param: str


class ByKey(Listed, kw_only=True, tag="keyset"):
    """The next page begins behind the last record of this one.

    Attributes:
        field: what the records are ordered by.
        param: parameter that takes the last one's.
    """

    field: str
    param: str


Paging = ByPage | ByOffset | ByLink | ByCursor | ByKey


class Slices(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Time in pieces, for vendors that show only so many records or days at once.

    Attributes:
        start: the day that the first sync begins with, `2020-01-31`.
        length: of a piece: `1d`, `30d`.
    """

    start: str
    length: Duration


class Tombstones(_Part, kw_only=True, tag="tombstones"):
    """Records tell that they, or others, are deleted.

    Attributes:
        field: the field that tells.
        values: what it then holds; absent: anything but empty, false and 0.
        key: field with the key of the record that is gone, if it is not this one.
    """

    field: str
    values: list[Scalar] | None = None
    key: str | None = None


class Archived(_Part, kw_only=True, tag="archived"):
    """Deleted records have a list of their own.

    Attributes:
        path: where it is, if not at the stream's own path.
        params: its parameters, besides those of the stream.
    """

    path: str | None = None
    params: dict[str, Any] = {}


class Census(_Part, kw_only=True, tag="census"):
    """What a complete walk no longer shows is deleted.

    Attributes:
        every: how often a stream that reads only what is new is walked completely.
    """

    every: Duration = "7d"


Incremental = Literal["full", "updated_since", "newest_first", "forward"]
Kind = Literal["text", "integer", "decimal", "boolean", "timestamp", "date", "json"]
Pii = Literal["none", "direct", "text", "pseudonym"]


class RestStream(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One entry of `streams:`.

    Attributes:
        path: behind `url`. `{issues.id}` asks once for each record of the stream `issues`.
        params: of the address; `{cursor}` and `{end}` stand for what is due.
        body: makes each call a POST of this JSON; paging then puts its parameters into it.
        records: where an answer holds its list (`data.items`); `$`: it is the list. `data.*`: the
            values in `data` are records, each with the name it has there as field `@name`.
        key: fields that identify a record.
        fields: what is taken, `a.b` reaches one level down; `["*"]` takes everything.
        types: field -> integer, decimal, boolean, timestamp, date or json; else text.
        pii: field -> direct, text or pseudonym; else none.
        paging: how the next page is asked for; absent: there is one page.
        cursor: field with the time of a record's last change.
        incremental: `updated_since`: asks for what changed, with `{cursor}` in `params` or `body`;
            `newest_first`: reads a list by `cursor`, down to what is known; `forward`: goes on
            where paging ended; `full`: reads everything each time.
        lag: the newest part of time that is left for the next sync (`90s`, `15m`, `2h`, `1d`).
        lookback: how much before the cursor is read again, for records that appear late.
        slices: read time in pieces.
        deletes: how it shows that a record is gone; absent: it never shows.
        count: where the first page of the whole list tells how many records there are.
        timezone: zone of times without one, as `Europe/Berlin`.
        map: to which unified table the records lead.
    """

    path: str
    params: dict[str, Any] = {}
    body: dict[str, Any] | None = None
    records: str
    key: str | list[str]
    fields: list[str]
    types: dict[str, Kind] = {}
    pii: dict[str, Pii] = {}
    paging: Paging | None = None
    cursor: str | None = None
    incremental: Incremental = "full"
    lag: Duration = "0s"
    lookback: Duration = "15m"
    slices: Slices | None = None
    deletes: Tombstones | Archived | Census | None = None
    count: str | None = None
    timezone: str = "UTC"
    map: Any = None


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Keys of a source of type `rest`.

    Attributes:
        url: address that all paths start from.
        auth: how we prove who we are; absent: we do not.
        headers: sent with every call.
        limits: how the vendor limits calls.
        check: path that `rapport check` asks; best one that a lost credential cannot read.
        hooks: a Python file of yours, for what the keys here cannot say.
        streams: name -> what is read.
        folder: where relative paths start; set to the folder of rapport.yml.
    """

    url: str
    auth: Auth | None = None
    headers: dict[str, str] = {}
    limits: RestLimits = msgspec.field(default_factory=RestLimits)
    check: str | None = None
    hooks: str | None = None
    streams: dict[str, RestStream]
    folder: str = "."
