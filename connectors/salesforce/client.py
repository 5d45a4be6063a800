"""How a Salesforce org is asked: the client library on our session, logins, limits, refusals.

Belongs here: single calls and what errors mean. Does not belong here: which rows are due
(`reads`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter

from connectors.budget import Usage
from connectors.errors import AuthError, BadRequest, ConfigError, RapportError, ServerError
from connectors.records import pick, split, values
from connectors.session import Limit, Session, with_renewal

if TYPE_CHECKING:
    from simple_salesforce.api import Salesforce as Client
    from simple_salesforce.exceptions import SalesforceAuthenticationFailed

    from connectors.salesforce import Settings

ROWS_PER_PAGE = 2_000
MAX_URL_BYTES = 15_000
"""Salesforce takes 16,384 with the headers, whose token alone is long."""
CONCURRENT_LIMIT_WAIT_S = 5.0
DAY_S = 24 * 3600.0
MOODS = (406, 420)
"""Answers of Salesforce's front end that mean no more than that it is busy."""


LOGIN_REASONS = (
    "invalid assertion",
    "audience is invalid",
    "expired authorization code",
    "user hasn't approved this consumer",
    "client identifier invalid",
    "user is not admin approved to access this app",
)


class _SessionEnded(AuthError):
    """The access token no longer holds; a new login may help."""


class QueryTimeout(ServerError):
    """A query that the org does not finish in time; a smaller one, or a job, may do."""


class Refused(BadRequest):
    """A refusal with the vendor's error codes, for callers that know what to do about one."""

    codes: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


class Org:
    """Asks one org. See the module."""

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self.api_version = settings.api_version
        self._settings = settings
        self._domain = _domain(name, settings)
        self._logged_in: Client | None = None
        session.base_url = f"https://{self._domain}.salesforce.com"
        if settings.url:
            session.trust_env = False
            session.mount("https://", _Redirect(settings.url))

    def count(self, object_name: str, conditions: Sequence[str]) -> int:
        """Return how many records match, those in the bin included."""
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        soql = f"SELECT COUNT() FROM {object_name}{where}"
        count = pick(self.get(self.query(soql)), "totalSize")
        if count is None:
            raise self.foreign()
        return int(count)

    def earliest(self, object_name: str, cursor: str) -> str | None:
        """Return the first stamp of any record, those in the bin included; None without one."""
        body = self.get(self.query(f"SELECT MIN({cursor}) earliest FROM {object_name}"))
        found: list[str | None] = [values(row, "earliest")[0] for row in split(body, "records")]
        return found[0] if found else None

    def deleted(self, object_name: str, start: datetime, end: datetime) -> str:
        """Return the path of the delete log of a span; seconds are cut off by the vendor."""
        bounds = {"start": start, "end": end}
        span = {k: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for k, at in bounds.items()}
        path = f"/services/data/v{self.api_version}/sobjects/{object_name}/deleted/"
        return f"{path}?{urlencode(span)}"

    def query(self, soql: str) -> str:
        """Return the path of a query over all rows, those in the bin too."""
        return f"/services/data/v{self.api_version}/queryAll/?{urlencode({'q': soql})}"

    def get(self, path: str, rows: int | None = None) -> bytes:
        """Return a page of a query; a session that ran out is renewed once.

        Args:
            rows: how many a page may have, at most; the vendor takes 200 and more.
        """
        wish = f"batchSize={rows or ROWS_PER_PAGE}"

        def fetch() -> bytes:
            client = self.client()
            return self.session.fetch(
                "GET",
                f"https://{client.sf_instance}{path}",
                headers=client.headers | {"Sforce-Query-Options": wish},
                refusal=lambda answer: self._refusal(answer.status_code, answer.content),
            )

        return with_renewal(fetch, _SessionEnded, self._log_out)

    def answer(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        """Return the answer of a call that is not JSON; a session that ran out is renewed once."""

        def ask() -> requests.Response:
            client = self.client()
            answer: requests.Response = self.session.request(
                "GET", f"https://{client.sf_instance}{path}", headers={**client.headers, **headers}
            )
            if answer.status_code >= requests.codes.bad_request:
                raise self._refusal(answer.status_code, answer.content)
            return answer

        return with_renewal(ask, _SessionEnded, self._log_out)

    def _log_out(self) -> None:
        self._logged_in = None

    def client(self) -> Client:
        """Return the logged-in client; log in first if there is none."""
        if self._logged_in is None:
            from simple_salesforce.api import Salesforce as Client
            from simple_salesforce.exceptions import SalesforceAuthenticationFailed

            settings = self._settings
            key = _signing_key(self.name, settings.private_key) if settings.private_key else None
            try:
                with warnings.catch_warnings():  # it would print the key of the app
                    warnings.simplefilter("ignore")
                    self._logged_in = Client(
                        username=settings.username,
                        consumer_key=settings.client_id,
                        consumer_secret=None if key else settings.client_secret,
                        privatekey=key,
                        domain=self._domain,
                        version=settings.api_version,
                        session=self.session,
                    )
            except (AttributeError, ValueError):
                raise self.foreign() from None
            except SalesforceAuthenticationFailed as refusal:
                if isinstance(refusal.code, int):  # no JSON, only a status
                    raise self.foreign() from None
                if key is not None:
                    raise AuthError(
                        f"{self.session.place}: Salesforce refused the signed login with "
                        f"`{refusal.code}: {_reason(refusal)}`. Check `client_id`, `username`, "
                        f"`private_key` and `domain` of source `{self.name}`, that the app has "
                        "the key's certificate, and that its policy admits the user beforehand."
                    ) from None
                raise AuthError(
                    f"{self.session.place}: Salesforce refused the login with "
                    f"`{refusal.code}`. Check `client_id`, `client_secret` and `domain` of "
                    f"source `{self.name}`, and that the app has a run-as user."
                ) from None
        return self._logged_in

    def ask(self, call: Callable[[Client], Any]) -> Any:
        """Return what the client library answers, None for what the user cannot see."""
        from simple_salesforce.exceptions import SalesforceError, SalesforceResourceNotFound

        try:
            return call(self.client())
        except SalesforceResourceNotFound:
            return None
        except SalesforceError as refusal:
            raise self._refusal(refusal.status, msgspec.json.encode(refusal.content)) from None
        except (KeyError, TypeError, ValueError):  # how the library takes foreign answers
            raise self.foreign() from None

    def ask_renewed(self, call: Callable[[Client], Any]) -> Any:
        """Return what `ask` does, for parts of the library that do not log in again."""
        return with_renewal(lambda: self.ask(call), _SessionEnded, self._log_out)

    def foreign(self) -> ServerError:
        """Return the error for an answer that is not Salesforce's."""
        return ServerError(
            f"{self.session.place}: `{self._domain}` answers something that is not Salesforce's "
            "API. Check `domain` and `url` in rapport.yml, or try again after a maintenance.",
            place=self.session.place,
        )

    def described(self, object_name: str) -> dict[str, Any]:
        """Return what describe says of an object, empty if this user cannot see it.

        Its `fields` are by name, and only those that this user can see.
        """
        # Not `client.Account.describe()`: on a steady 401 that logs in for ever.
        told = self.ask(lambda client: client.restful(f"sobjects/{object_name}/describe")) or {}
        return told | {"fields": {field["name"]: field for field in told.get("fields", ())}}

    def _refusal(self, status: int, body: bytes) -> RapportError:
        place, errors = self.session.place, _errors(body)
        codes = tuple(error["errorCode"] for error in errors)
        told = f"HTTP {status} `{', '.join(codes) or 'without a code'}`"
        if "QUERY_TIMEOUT" in codes:
            return QueryTimeout(
                f"{place}: Salesforce gave up on a query ({told}). Run the sync again later.",
                place=place,
                status=status,
            )
        if status in (requests.codes.unauthorized, requests.codes.forbidden):
            kind = _SessionEnded if "INVALID_SESSION_ID" in codes else AuthError
            return kind(
                f"{place}: Salesforce answered {told}. The run-as user of source "
                f"`{self.name}` needs `API Enabled` and read access to the object."
            )
        refused = Refused(
            f"{place}: Salesforce refused a query with {told}. "
            "Compare `fields` and `objects` in rapport.yml with what the org describes.",
            place=place,
            status=status,
        )
        refused.codes = codes
        refused.messages = tuple(str(error.get("message", "")) for error in errors)
        return refused


def limits(answer: requests.Response) -> Limit | None:
    """Tell a spent day from a short jam: both come as 403, neither with `Retry-After`.

    406 and 420 go away when asked again (airbytehq/airbyte, source-salesforce).
    """
    if answer.status_code in MOODS:
        return Limit(None, reason=f"HTTP {answer.status_code}")
    if answer.status_code != requests.codes.forbidden:
        return None
    if "REQUEST_LIMIT_EXCEEDED" not in {e["errorCode"] for e in _errors(answer.content)}:
        return None
    if b"Concurrent" in answer.content:
        return Limit(CONCURRENT_LIMIT_WAIT_S, reason="too many long calls at once")
    return Limit(None, spent=True, reason="the org's API calls of the last 24 hours")


def usages(answer: requests.Response) -> Iterator[Usage]:
    """Read `Sforce-Limit-Info: api-usage=18/15000`: calls of the org in the last 24 hours.

    An administrator may let an app have fewer (`per-app-api-usage=17/250(appName=x)`): what ends
    first counts.
    https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm
    """
    told = re.findall(r"api-usage=(\d+)/(\d+)", answer.headers.get("Sforce-Limit-Info", ""))
    pairs = [(max(0, int(limit) - int(used)), int(limit)) for used, limit in told]
    if pairs:
        left, limit = min(pairs)
        yield Usage(limit=limit, left=left, seconds=DAY_S)


class _Redirect(HTTPAdapter):
    """Sends calls to another address: simple-salesforce can say nothing but https."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        asked = urlsplit(str(request.url))
        request.headers["Host"] = asked.netloc
        request.url = asked._replace(scheme=self._to.scheme, netloc=self._to.netloc).geturl()
        return super().send(request, *args, **more)


def _signing_key(name: str, text: str) -> str:
    r"""Return a private key as PEM; an environment often carries its line ends as `\n`."""
    from jwt.algorithms import RSAAlgorithm
    from jwt.exceptions import PyJWTError

    pem = text.replace("\\n", "\n").strip() + "\n"
    try:
        RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
    except (PyJWTError, ValueError, TypeError):
        raise ConfigError(
            f"{name}: `private_key` is not an RSA key in PEM. Give the text that begins with "
            "`-----BEGIN PRIVATE KEY-----`, without a passphrase."
        ) from None
    return pem


def _reason(refusal: SalesforceAuthenticationFailed) -> str:
    """Return which of the few reasons for a refused assertion this is, never foreign text."""
    told = refusal.auth_message
    return next((known for known in LOGIN_REASONS if known in told), "no known reason")


def _errors(body: bytes) -> list[dict[str, Any]]:
    """Return what a refusal says: `[{"errorCode": ..., "message": ...}]`."""
    try:
        errors = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return []
    errors = errors if isinstance(errors, list) else [errors]
    return [error for error in errors if isinstance(error, dict) and "errorCode" in error]


def _domain(name: str, settings: Settings) -> str:
    """Return My Domain as simple-salesforce wants it: without scheme and `.salesforce.com`."""
    domain = re.sub(r"^https?://|\.salesforce\.com/?$", "", settings.domain or "")
    if domain in ("login", "test") and not settings.private_key:
        raise ConfigError(
            f"{name}: `domain: {domain}` does not know the client credentials flow. "
            "Write your My Domain, for example `acme.my`."
        )
    if not (settings.client_secret or (settings.username and settings.private_key)):
        raise ConfigError(
            f"{name}: `client_secret` is missing. Add it, or `username` with `private_key`."
        )
    if not domain and not settings.url:
        raise ConfigError(f"{name}: `domain` is missing. Write your My Domain, like `acme.my`.")
    return domain or "org.my"
