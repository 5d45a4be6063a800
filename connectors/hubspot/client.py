"""How a HubSpot account is asked: the client library on our session, tokens, limits, refusals.

Belongs here: single calls, each returning the answer's bytes, and what errors mean. Does not
belong here: which records are due, and what is made of them (`reads`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import requests

from connectors import redaction
from connectors.budget import Usage
from connectors.errors import AuthError, BadRequest, RapportError, ServerError
from connectors.hubspot.streams import scope_of
from connectors.pagination import batches, cursors
from connectors.records import members, pick, split, values
from connectors.session import Limit, Session, with_renewal

if TYPE_CHECKING:
    from hubspot import HubSpot as Client

    from connectors.hubspot import Settings

TOKEN_PATH = "/oauth/2026-03/token"
ACCOUNT_PATH = "/account-info/v3/details"
USAGE_PATH = "/account-info/v3/api-usage/daily"
CONSENT_PATH = "/communication-preferences/v4/statuses/batch/read?channel=EMAIL"
WIDE_CONSENT_PATH = (
    "/communication-preferences/v4/statuses/batch/unsubscribe-all/read?channel=EMAIL"
)
CAMPAIGNS_PATH = "/marketing/v3/campaigns?limit=100&properties=hs_name"
ROWS_PER_LIST = 100
ROWS_PER_SEARCH = 200
MAX_PROPERTIES_BYTES = 6_000  # of a list's address; more are read in a second call
BATCH_ATTEMPTS = 4  # for what fails inside an answer
ROLLING_LIMIT_WAIT_S = 10.0
SECOND_LIMIT_WAIT_S = 1.0
LOCKED_WAIT_S = 2.0
TOKEN_MARGIN_S = 60.0
LIMIT_HEADERS = "X-HubSpot-RateLimit"
NEXT = ("paging", "next", "after")
"""Where a page keeps the cursor of the next one."""


class _TokenExpired(AuthError):
    """The access token no longer holds; a new one may help."""


class ScopeMissing(AuthError):
    """The token may not see this stream."""


class _Ride(NamedTuple):
    """Stands where a client's API object keeps its HTTP: sends through our session.

    What an endpoint returns with `_preload_content=False` is then the answer's bytes.
    """

    send: Callable[..., bytes]

    def GET(self, url: str, *, headers: Any = None, query_params: Any = None, **_: Any) -> bytes:
        return self.send("GET", url, headers=headers, params=query_params)

    def POST(
        self, url: str, *, headers: Any = None, query_params: Any = None, body: Any = None, **_: Any
    ) -> bytes:
        return self.send("POST", url, headers=headers, params=query_params, json=body)


class Account:
    """Asks one account. See the module."""

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self.quota_left: int | None = None
        self._settings = settings
        self._client_and_end: tuple[Client, datetime | None] | None = None
        self._refresh_token = settings.refresh_token
        self.searches_per_s = settings.searches_per_s
        self.has_oauth = not settings.access_token
        session.hooks["response"].append(self._note_quota)

    # Records

    def list_page(
        self,
        kind: str,
        names: Sequence[str],
        after: str | None,
        *,
        archived: bool | None = None,
        limit: int = ROWS_PER_LIST,
    ) -> bytes:
        """Return a page of a list, read again in a batch if its properties do not fit a URL."""
        is_long = is_too_long(names)
        body = self.ask(
            lambda client: client.crm.objects.basic_api.get_page(
                kind,
                limit=limit,
                after=after,
                properties=["hs_object_id"] if is_long else list(names),
                archived=archived,
                _preload_content=False,
            )
        )
        if not is_long or not (rows := split(body, "results")):
            return body
        records: list[bytes] = []
        for whole in self.read_batch(kind, [str(id_of(row)) for row in rows], names):
            records += split(whole, "results")
        return msgspec.json.encode(
            {
                "results": [msgspec.Raw(row) for row in records],
                "paging": members(body).get("paging"),
            }
        )

    def read_batch(
        self,
        kind: str,
        ids: Sequence[str],
        names: Sequence[str],
        *,
        history: Sequence[str] = (),
        by: str = "",
    ) -> Iterator[bytes]:
        """Yield answers with the live records among these.

        Args:
            ids: at most `ROWS_PER_LIST`, with `history` half as many; or values of what is
                named in `by`, a property without doubles.
            history: properties that are told by version.
        """

        def call(inputs: Sequence[Any]) -> bytes:
            asked = {
                "properties": list(names),
                "propertiesWithHistory": list(history),
                "inputs": inputs,
                **({"idProperty": by} if by else {}),
            }
            return self.ask(
                lambda client: client.crm.objects.batch_api.read(
                    kind, asked, _preload_content=False
                )
            )

        return self.batch(call, [{"id": key} for key in ids])

    def batch(
        self, call: Callable[[Sequence[Any]], bytes], inputs: Sequence[Any]
    ) -> Iterator[bytes]:
        """Yield the answers of a batch call; what failed inside a 207 is asked for again.

        Args:
            call: asks for some inputs.
            inputs: texts, or objects with an `id`.

        Raises:
            ServerError: some inputs fail each time.
        """
        for attempt in range(BATCH_ATTEMPTS):
            if attempt:
                self.session.sleep(self.session.backoff_s * 2**attempt)
            body = call(inputs)
            yield body
            failed = _failed(body)
            inputs = [one for one in inputs if (one if type(one) is str else one["id"]) in failed]
            if not inputs:
                return
        raise ServerError(
            f"{self.session.place}: HubSpot answered a batch without {len(inputs)} of its records, "
            f"{BATCH_ATTEMPTS} times. Sync again later; nothing is lost.",
            place=self.session.place,
        )

    def search(
        self,
        kind: str,
        names: Sequence[str],
        filters: Sequence[Mapping[str, str]],
        limit: int = ROWS_PER_SEARCH,
    ) -> bytes:
        """Return the first page of a search, by id: at most 10,000 would follow it."""
        asked = {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(names),
            "limit": limit,
            "after": "0",
        }
        self.session.await_slot(self._searches, "the budget of searches")
        return self.ask(
            lambda client: client.crm.objects.search_api.do_search(
                kind, asked, _preload_content=False
            )
        )

    def count(self, kind: str, filters: Sequence[Mapping[str, str]]) -> int | None:
        """Return how many live records match."""
        count = pick(self.search(kind, ["hs_object_id"], filters, 1), "total")
        return int(count) if count is not None else None

    def links(self, kind: str, other: str, inputs: Sequence[Any]) -> bytes:
        """Return what records (`id`, and `after` for what follows) are linked to, a row each."""
        return self.ask(
            lambda client: client.crm.associations.v4.batch_api.get_page(
                kind, other, {"inputs": inputs}, _preload_content=False
            )
        )

    def consents(self, emails: Sequence[str]) -> bytes:
        """Return what is known of these addresses' consents; the client has an older form."""
        return self.ask_path("POST", CONSENT_PATH, json={"inputs": emails})

    def wide_consents(self, emails: Sequence[str]) -> bytes:
        """Return which of these addresses left all e-mail, of the account or of a unit of it."""
        return self.ask_path("POST", WIDE_CONSENT_PATH, json={"inputs": emails})

    def contacts_at(self, emails: Iterable[str]) -> dict[str, str]:
        """Return which live contacts have these addresses (lower case), as first or further one."""
        found: dict[str, str] = {}
        for some in batches(sorted(emails), ROWS_PER_LIST):
            names = ["email", "hs_additional_emails"]
            for body in self.read_batch("contacts", some, names, by="email"):
                for row in split(body, "results"):
                    told = values(row, "properties")[0] or {}
                    further = (told.get("hs_additional_emails") or "").split(";")
                    known = [email for email in (told.get("email"), *further) if email]
                    found |= dict.fromkeys(map(str.lower, known), str(id_of(row)))
        return found

    def properties(self, kind: str) -> list[dict[str, Any]]:
        """Return the properties that the account has, sensitive ones left out by the vendor."""
        body = self.ask(
            lambda client: client.crm.properties.core_api.get_all(kind, _preload_content=False)
        )
        return pick(body, "results") or []

    def schemas(self) -> list[dict[str, Any]]:
        """Return the account's own objects."""
        body = self.ask(lambda client: client.crm.schemas.core_api.get_all(_preload_content=False))
        return pick(body, "results") or []

    def pages_of(self, call: Callable[..., bytes]) -> Iterator[list[bytes]]:
        """Yield the pages of an endpoint called with (client, after)."""
        pages = cursors(
            lambda after: self.ask(partial(call, after=after)),
            *NEXT,
            place=self.session.place,
        )
        for body, _ in pages:
            yield split(body, "results")

    # Requests

    def ask(self, call: Callable[[Client], bytes]) -> bytes:
        """Return what an endpoint of the client library answers; renew the token once."""
        return with_renewal(lambda: call(self._client()), _TokenExpired, self._forget_token)

    def ask_path(self, method: str, path: str, **what: Any) -> bytes:
        """Ask what the client library does not know."""
        return self.ask(
            lambda client: self._send(
                method, path, headers={"Authorization": f"Bearer {client.access_token}"}, **what
            )
        )

    def _send(self, method: str, url: str, **what: Any) -> bytes:
        return self.session.fetch(method, url, refusal=self._refusal, **what)

    def _forget_token(self) -> None:
        if self._refresh_token is not None:  # else the same one is refused once more
            self._client_and_end = None

    def _client(self) -> Client:
        """Return the client library, with a token that holds for a minute at least."""
        if self._client_and_end is not None:
            client, end = self._client_and_end
            if end is None or datetime.now(UTC) < end:
                return client
        from hubspot import HubSpot as Client

        token, end = self._token()
        apis: dict[tuple[str, str], Any] = {}

        def api(package: Any, name: str, config: Mapping[str, Any]) -> Any:
            """Build an API object once, and put our session where it keeps its own HTTP."""
            place = (package.__name__, name)
            if place not in apis:
                configuration = package.Configuration(host=config["host"])
                configuration.access_token = config["access_token"]
                made = package.ApiClient(configuration=configuration)
                made.rest_client = _Ride(self._send)
                apis[place] = getattr(package, name)(api_client=made)
            return apis[place]

        client = Client(access_token=token, host=self.session.base_url, api_factory=api)
        self._client_and_end = (client, end)
        return client

    def _token(self) -> tuple[str, datetime | None]:
        """Return an access token, and when it stops being used; the client's own way is retired.

        https://developers.hubspot.com/changelog/v1-oauth-api-deprecation
        """
        settings = self._settings
        if settings.access_token:
            return settings.access_token, None
        body = self.session.fetch(
            "POST",
            TOKEN_PATH,
            data={
                "grant_type": "refresh_token",
                "client_id": settings.client_id,
                "client_secret": settings.client_secret,
                "refresh_token": self._refresh_token,
            },
            refusal=self._login_refusal,
        )
        token, lasts_s, refresh_token = values(body, "access_token", "expires_in", "refresh_token")
        if not isinstance(token, str):
            raise self._foreign()
        redaction.register([text for text in (token, refresh_token) if text])
        self._refresh_token = refresh_token or self._refresh_token
        end = datetime.now(UTC) + timedelta(seconds=float(lasts_s or 0) - TOKEN_MARGIN_S)
        return token, end

    @cached_property
    def _searches(self) -> Any:
        return self.session.budget_of("searches", ((self.searches_per_s, 1.0),))

    def _note_quota(self, answer: requests.Response, **_: Any) -> None:
        left = answer.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
        if left.isdigit():
            self.quota_left = int(left)

    # Refusals

    def _refusal(self, answer: requests.Response) -> RapportError:
        place, status = self.session.place, answer.status_code
        category = _word(answer.content, "category") or "without a category"
        told = f"HubSpot answered HTTP {status} `{category}`"
        if status == requests.codes.unauthorized:
            return _TokenExpired(
                f"{place}: {told}. The token of source `{self.name}` was refused: check "
                f"`{'refresh_token' if self._refresh_token else 'access_token'}`."
            )
        if status == requests.codes.forbidden:
            scope = scope_of(place.partition(".")[2])
            return ScopeMissing(
                f"{place}: {told}. The token of source `{self.name}` needs the scope `{scope}`."
            )
        return BadRequest(
            f"{place}: {told}. Compare `fields` and `objects` in rapport.yml with the account: "
            f"`rapport check {self.name}`.",
            place=place,
            status=status,
        )

    def _login_refusal(self, answer: requests.Response) -> RapportError:
        word = _word(answer.content, "error") or _word(answer.content, "status") or "without a code"
        return AuthError(
            f"{self.session.place}: HubSpot refused the refresh token with HTTP "
            f"{answer.status_code} `{word}`. Check `client_id`, `client_secret` and "
            f"`refresh_token` of source `{self.name}`."
        )

    def _foreign(self) -> ServerError:
        return ServerError(
            f"{self.session.place}: `{self.session.base_url}` answers something that is not "
            "HubSpot's API. Check `url` in rapport.yml.",
            place=self.session.place,
        )


def limits(answer: requests.Response) -> Limit | None:
    """Tell the limits apart: none brings `Retry-After`, and only the day's is worth giving up.

    https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
    """
    if answer.status_code == requests.codes.locked:
        return Limit(LOCKED_WAIT_S, reason="HubSpot has locked the records")
    if answer.status_code == 477:  # the account moves to another data center
        wait = answer.headers.get("Retry-After", "")
        return Limit(float(wait) if wait.isdigit() else None, reason="the account is being moved")
    if answer.status_code != requests.codes.too_many_requests or "Retry-After" in answer.headers:
        return None
    told = " ".join(_word(answer.content, name) for name in ("policyName", "message")).upper()
    if "DAILY" in told:
        return Limit(None, spent=True, reason="the account's API calls of this day")
    if "TEN_SECONDLY" in told:
        return Limit(ROLLING_LIMIT_WAIT_S, reason="the calls of 10 seconds")
    return Limit(SECOND_LIMIT_WAIT_S, reason="the calls of a second")


def usages(answer: requests.Response) -> Iterator[Usage]:
    """Read what is left of the calls of 10 seconds, and for a private app of the day's.

    https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
    """
    for limit, left, span_ms in (
        ("Max", "Remaining", answer.headers.get(f"{LIMIT_HEADERS}-Interval-Milliseconds", "")),
        ("Daily", "Daily-Remaining", "86400000"),
    ):
        told = [answer.headers.get(f"{LIMIT_HEADERS}-{name}", "") for name in (limit, left)]
        if all(word.isdigit() for word in (*told, span_ms)):
            yield Usage(limit=int(told[0]), left=int(told[1]), seconds=int(span_ms) / 1000)


def is_too_long(names: Sequence[str]) -> bool:
    """Tell whether so many properties do not fit the address of a list."""
    return sum(len(name) + len("&properties=") for name in names) > MAX_PROPERTIES_BYTES


def filtered(name: str, operator: str, value: str = "") -> dict[str, str]:
    """Return a condition of a search."""
    condition = {"propertyName": name, "operator": operator}
    return condition | {"value": value} if value else condition


def ms(at: datetime) -> str:
    """Return a moment as filters want it."""
    return str(int(at.timestamp() * 1000))


def id_of(record: bytes) -> int:
    """Return a record's id; ids are compared as numbers."""
    key = values(record, "id")[0]
    return int(key) if str(key).isdigit() else 0


def _failed(body: bytes) -> set[str]:
    """Return the inputs that a 207 says nothing final about: there is none, it is wrong."""
    return {
        str(key)
        for error in pick(body, "errors") or ()
        if error.get("category") not in _FINAL
        for keys in (error.get("context") or {}).values()
        for key in (keys if isinstance(keys, list) else [keys])
    }


_FINAL = ("OBJECT_NOT_FOUND", "VALIDATION_ERROR")


def _word(body: bytes, name: str) -> str:
    try:
        word = msgspec.json.decode(body)[name]
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError):
        return ""
    return str(word)[:80]


def spliced(record: bytes, **more: str) -> bytes:
    """Put what the address told in front of a record's own bytes."""
    return msgspec.json.encode({**more, **members(record)})
