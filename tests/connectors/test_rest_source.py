"""A declared source: credentials, limits, lists per record, hooks, and what cannot be declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from connectors import discover, open_source, plan_source, redaction, sync_stream
from connectors.base import Window
from connectors.errors import AuthError, ConfigError, QuotaSpent, RapportError, ServerError
from connectors.landing import Landing
from connectors.rest.declared import timed
from connectors.rest.settings import RestStream, Settings
from connectors.session import Session
from tests.connectors.rest_api import Product
from tests.connectors.test_rest_walks import MANNERS, SINCE, held

THINGS: dict[str, Any] = {
    "path": "/redmine", "records": "issues", "key": "id", "fields": ["title", "updated_at"],
    "paging": {"kind": "offset", "size": 9, "size_param": "limit", "total": "total_count"},
}  # fmt: skip


@pytest.fixture
def product() -> Iterator[Product]:
    made = Product()
    for number in range(3):
        made.table.add(f"old {number}")
    yield made
    made.close()


def opened(product: Product, home: Path, streams: Any = None, **settings: Any) -> Any:
    given = {"url": product.url, "streams": streams or {"things": THINGS}, **settings}
    source = open_source("src", "rest", given, home=home, folder=home)
    source.session.backoff_s = 0.001
    return source


def sync(source: Any, home: Path, stream: str = "things", **options: Any) -> Any:
    [declared] = [one for one in source.streams() if one.name == stream]
    return sync_stream(source, declared, home, **options)


# Credentials


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"kind": "bearer", "token": "t-12345678"}, "Authorization", "Bearer t-12345678"),
        ({"kind": "basic", "user": "me", "password": "secret-1"}, "Authorization",
         "Basic bWU6c2VjcmV0LTE="),
        ({"kind": "header", "name": "X-Key", "api_key": "Token k-12345678"}, "X-Key",
         "Token k-12345678"),
    ],
)  # fmt: skip
def test_a_credential_travels_in_its_header(
    product: Product, tmp_path: Path, auth: dict[str, str], header: str, value: str
) -> None:
    sync(opened(product, tmp_path, auth=auth), tmp_path)
    assert product.asked[0][2][header] == value


def test_a_key_in_the_address_reaches_no_state_and_no_message(
    product: Product, tmp_path: Path
) -> None:
    key = "k-in-query-1234"
    stream = MANNERS["link in the body"] | {"key": "id", "fields": ["title"]}
    product.table.most = 2
    source = opened(
        product, tmp_path, {"things": stream},
        auth={"kind": "query", "name": "api_key", "api_key": key},
    )  # fmt: skip
    sync(source, tmp_path, checkpoint_bytes=1)
    assert len(product.asked) == 2
    assert all(asked["api_key"] == key for _, asked, _ in product.asked)
    for path in (tmp_path / "landing").rglob("*.parquet"):
        assert key.encode() not in path.read_bytes()
    assert key not in redaction.mask(f"https://x/?api_key={key}")


def token_server(product: Product, *, rotates: bool) -> list[str]:
    """Give tokens that hold for two calls; with `rotates` a refresh token works once."""
    valid = {"access": "", "refresh": "first-refresh", "left": 0}
    spent: list[str] = []

    def answer(method: str, path: str, asked: dict[str, str], headers: dict[str, str]) -> Any:
        if path == "/token":
            if asked["grant_type"] == "refresh_token":
                if asked["refresh_token"] != valid["refresh"]:
                    return 400, {}, {"error": "invalid_grant"}
                spent.append(asked["refresh_token"])
            number = len(spent)
            valid.update(access=f"access-token-{number}", left=2)
            told = {"access_token": valid["access"], "expires_in": 3600}
            if rotates:
                valid["refresh"] = told["refresh_token"] = f"refresh-token-{number}"
            return 200, {}, told
        if method == "HEAD":
            return None
        if headers.get("Authorization") != f"Bearer {valid['access']}" or valid["left"] < 1:
            return 401, {}, {"error": "expired"}
        valid["left"] -= 1
        return None

    product.special = answer
    return spent


OAUTH = {"kind": "oauth2", "token_url": "/token", "client_id": "app", "client_secret": "s-12345678"}


def test_a_refresh_token_that_works_once_is_kept_before_it_is_needed(
    product: Product, tmp_path: Path
) -> None:
    product.table.most = 1
    spent = token_server(product, rotates=True)
    auth = OAUTH | {"refresh_token": "first-refresh"}
    stream = {"things": MANNERS["cursor"] | {"key": "id", "fields": ["title"]}}
    for number in range(6):
        product.table.add(f"more {number}")
    sync(opened(product, tmp_path, stream, auth=auth), tmp_path)
    assert len(spent) > 3
    # another process: rapport.yml still says the first one
    sync(opened(product, tmp_path, stream, auth=auth), tmp_path)
    assert held(tmp_path) == product.table.truth()
    [kept] = (tmp_path / "tokens").glob("*.json")
    assert kept.stat().st_mode & 0o077 == 0
    with pytest.raises(AuthError, match="HTTP 400 from `token_url`"):
        sync(opened(product, tmp_path / "other", stream, auth=auth), tmp_path / "other")


def test_client_credentials_need_no_refresh_token(product: Product, tmp_path: Path) -> None:
    token_server(product, rotates=False)
    sync(opened(product, tmp_path, auth=OAUTH), tmp_path)
    assert held(tmp_path) == product.table.truth()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {}, {}), "the answer of `token_url` has no `access_token`"),
        ((200, {}, {"access_token": "refused-token"}), "A token that was just given is refused"),
    ],
)
def test_a_token_that_does_not_come_or_hold_is_an_error(
    product: Product, tmp_path: Path, answer: Any, said: str
) -> None:
    product.special = lambda method, path, *_: (
        None if method == "HEAD" else answer if path == "/token" else (401, {}, {})
    )
    with pytest.raises(AuthError, match=said):
        sync(opened(product, tmp_path, auth=OAUTH), tmp_path)


def test_no_credential_goes_to_another_host(product: Product, tmp_path: Path) -> None:
    product.special = lambda method, *_: (
        None if method == "HEAD" else (200, {}, {"results": [{"id": 1}], "next": "http://evil/x"})
    )
    stream = {"things": MANNERS["link in the body"] | {"key": "id", "fields": ["title"]}}
    with pytest.raises(ServerError, match="the next page is at `evil`"):
        sync(opened(product, tmp_path, stream), tmp_path)


# Limits


@pytest.mark.parametrize(
    ("limits", "answer"),
    [
        ({"wait_ms": "retry_after_ms"}, (429, {}, {"errcode": "M_LIMIT_EXCEEDED",
                                                   "retry_after_ms": 120})),
        ({"wait_s": "extras.wait_seconds"}, (429, {}, {"extras": {"wait_seconds": 0.12}})),
        ({"status": [403], "reset": "X-Reset"}, (403, {"X-Reset": "0.12"}, {})),
    ],
)  # fmt: skip
def test_each_form_of_a_limit_is_waited_for(
    product: Product, tmp_path: Path, limits: dict[str, Any], answer: Any
) -> None:
    left = [answer]
    product.special = lambda method, *_: left.pop() if left and method != "HEAD" else None
    result = sync(opened(product, tmp_path, limits=limits), tmp_path)
    assert held(tmp_path) == product.table.truth()
    assert 0.12 <= result.waits_s < 0.4


def test_with_no_call_left_nobody_calls_before_there_are_new_ones(
    product: Product, tmp_path: Path
) -> None:
    product.table.most = 2
    told = {"X-Left": "0", "X-Reset": "0.6"}
    product.special = lambda method, path, asked, _: (
        None if method == "HEAD" else (200, told, product.redmine(asked))
    )
    source = opened(product, tmp_path, limits={"remaining": "X-Left", "reset": "X-Reset"})
    assert sync(source, tmp_path).waits_s >= 0.1


def test_a_spent_day_ends_a_sync_early_and_keeps_what_came(
    product: Product, tmp_path: Path
) -> None:
    product.table.most = 2
    product.special = lambda *_: (402, {}, {}) if len(product.asked) > 1 else None
    result = sync(opened(product, tmp_path, limits={"quota_status": 402}), tmp_path)
    assert result.ended_early
    assert result.rows == 2
    assert issubclass(QuotaSpent, RapportError)


# Lists per record


def comments(product: Product) -> None:
    """Give each thing two comments; one of thing 2 was written when it changed last."""

    def answer(method: str, path: str, *_: Any) -> Any:
        if not path.startswith("/things/"):
            return None
        number = int(path.split("/")[2])
        if number not in product.table.rows:
            return 404, {}, {}
        title = product.table.rows[number]["title"]
        rows = [{"id": f"{number}-{part}", "title": f"{title} {part}"} for part in "ab"]
        return 200, {}, {"thing": {"comments": rows}}

    product.special = answer


COMMENTS = {
    "path": "/things/{things.id}/comments", "records": "thing.comments", "key": "id",
    "fields": ["title"],
}  # fmt: skip


def test_a_list_per_record_is_read_for_those_that_changed(product: Product, tmp_path: Path) -> None:
    comments(product)
    streams = {
        "things": THINGS | SINCE | {"params": {"since": "{cursor}"}, "deletes": None},
        "comments": COMMENTS | {"deletes": {"kind": "census", "every": "30d"}},
    }
    source = opened(product, tmp_path, streams)
    product.table.now = product.table.now.replace(hour=13)
    assert sync(source, tmp_path, "comments").rows == 6
    product.table.now = product.table.now.replace(hour=14)
    product.table.edit(2, "edited")
    product.table.now = product.table.now.replace(hour=15)
    product.asked.clear()
    assert sync(source, tmp_path, "comments").rows == 2
    assert [path for path, *_ in product.asked] == ["/redmine", "/things/2/comments"]
    product.table.delete(3)
    result = sync(source, tmp_path, "comments", full_refresh=True)
    assert result.deletes == 2


@pytest.mark.parametrize("stop", range(1, 7))
def test_lists_per_record_go_on_after_a_kill(product: Product, tmp_path: Path, stop: int) -> None:
    comments(product)
    product.table.most = 2
    source = opened(product, tmp_path, {"things": THINGS, "comments": COMMENTS})

    def kill(progress: Any) -> None:
        if progress.pages > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync(source, tmp_path, "comments", on_progress=kill, checkpoint_bytes=1)
    sync(source, tmp_path, "comments")
    asked = [path for path, *_ in product.asked if path.startswith("/things/")]
    assert set(asked) == {f"/things/{n}/comments" for n in (1, 2, 3)}
    assert len(asked) <= 4


def test_a_record_knows_what_it_was_asked_for(product: Product, tmp_path: Path) -> None:
    comments(product)
    source = opened(product, tmp_path, {"things": THINGS, "comments": COMMENTS})
    [declared] = [one for one in source.streams() if one.name == "comments"]
    assert declared.fields == ("id", "_things_id", "title")
    pages = list(source.read(declared, {}, Window(now=product.table.now)))
    first = json.loads(pages[0].records[0])
    assert first == {"_things_id": "1", "id": "1-a", "title": "old 0 a"}


# Hooks


def hooked(product: Product, home: Path, text: str) -> Any:
    (home / "mine.py").write_text(text, encoding="utf-8")
    return opened(product, home, hooks="mine.py")


def test_hooks_have_their_say_at_four_points(product: Product, tmp_path: Path) -> None:
    product.special = lambda method, path, asked, headers: (
        (200, {}, b'{"issues": [{"id": 1, "title": "a", "price": 1.10}], "total_count": 1}')
        if method != "HEAD"
        else None
    )
    source = hooked(
        product,
        tmp_path,
        "def request(stream, call):\n"
        "    call['headers']['X-Tenant'] = stream\n"
        "    return call\n"
        "def page(stream, page):\n"
        "    page['issues'].append({'id': 2, 'title': 'by hook'})\n"
        "    return page\n"
        "def record(stream, record):\n"
        "    return None if record['id'] == 2 else [record, record | {'id': 3, 'title': "
        "str(record['price'])}]\n"
        "def state(stream, state):\n"
        "    return {}\n",
    )
    sync(source, tmp_path)
    assert held(tmp_path) == {"1": "a", "3": "1.10"}
    assert product.asked[-1][2]["X-Tenant"] == "things"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def record(stream, record):\n    return record['no such']\n",
         r"src\.things: the hook `record` of `mine\.py` raised KeyError in line 2\. Mend it"),
        ("import no_such_module\n", r"`mine\.py` cannot be run: it raised ModuleNotFoundError"),
        ("def recrod(stream, record): ...\n", r"`mine\.py` has none of the functions request"),
    ],
)  # fmt: skip
def test_an_error_in_a_hook_names_it(
    product: Product, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        sync(hooked(product, tmp_path, text), tmp_path)


def test_a_hook_file_that_is_not_there_is_named(product: Product, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no Python file `gone\.py`"):
        sync(opened(product, tmp_path, hooks="gone.py"), tmp_path)


# What is never read silently


@pytest.mark.parametrize(
    ("body", "change", "said"),
    [
        ({"items": []}, {}, r"no list at `issues` \(`records`\)\. It has: `items`\."),
        ([], {}, r"no list at `issues` \(`records`\)\. It has: a list, which is `\$`"),
        ({"issues": []}, {}, r"the answer has nothing at `total_count` \(`paging\.total`\)"),
        ({"issues": [{"id": 1}], "total_count": 7}, {}, "the list ends after 1 records, although"),
        (
            {"issues": [{"id": n, "updated_at": f"2026-01-0{n}T00:00:00Z"} for n in range(1, 8)],
             "total_count": 7},
            {"cursor": "updated_at", "incremental": "newest_first"},
            "the list does not show the newest first by `updated_at`",
        ),
        (
            {"issues": [{"name": "x"}]},
            {"paging": {"kind": "keyset", "field": "id", "param": "after"}},
            "no record of a page has a `id` to go on from",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_as_declared_is_an_error(
    product: Product, tmp_path: Path, body: Any, change: Any, said: str
) -> None:
    product.special = lambda method, *_: None if method == "HEAD" else (200, {}, body)
    source = opened(product, tmp_path, {"things": THINGS | change})
    with pytest.raises(ServerError, match=said):
        sync(source, tmp_path)


@pytest.mark.parametrize(
    ("records", "wrapped"),
    [
        ("*", lambda rooms: rooms),
        ("joined.*", lambda rooms: {"joined": rooms, "next": None}),
        ("rooms.joined.*", lambda rooms: {"rooms": {"joined": rooms}}),
    ],
)
def test_the_values_of_an_object_are_records_that_know_their_names(
    product: Product, tmp_path: Path, records: str, wrapped: Any
) -> None:
    rooms = {"!a:acme": {"topic": "Looms", "secret": 1}, "!b": {}, "c": {"@name": "own"}, "d": 7}
    product.special = lambda *_: (200, {}, wrapped(rooms))
    declared = {"path": "/rooms", "records": records, "key": "@name", "fields": ["topic", "value"]}
    source = opened(product, tmp_path, {"things": declared})
    assert sync(source, tmp_path).rows == 4
    landed = Landing(tmp_path).stream("src", "things").files()
    told = [row for file in landed for row in pq.read_table(file).column("record").to_pylist()]
    assert [json.loads(text) for text in told] == [
        {"@name": "!a:acme", "topic": "Looms"},
        {"@name": "!b"},
        {"@name": "own"},
        {"@name": "d", "value": 7},
    ]
    product.special = lambda *_: (200, {}, wrapped([]))
    with pytest.raises(ServerError, match=r"no list at `.*` \(`records`\)"):
        sync(source, tmp_path)


def test_a_broken_value_of_an_object_goes_to_quarantine_alone(
    product: Product, tmp_path: Path
) -> None:
    body = b'{"rooms":{"a":{"topic":"x"},"b":{"topic":"\\ud800"},"c":{"topic":"z"}}}'
    product.special = lambda *_: (200, {}, body)
    declared = {"path": "/rooms", "records": "rooms.*", "key": "@name", "fields": ["topic"]}
    result = sync(opened(product, tmp_path, {"things": declared}), tmp_path)
    assert (result.rows, result.quarantined) == (2, 1)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, "The credential was refused or lacks a permission: check `auth` of source `src`"),
        (404, "Check `path`, `params` and `paging` in rapport.yml"),
    ],
)
def test_a_refusal_says_what_to_look_at(
    product: Product, tmp_path: Path, status: int, said: str
) -> None:
    product.special = lambda method, *_: None if method == "HEAD" else (status, {}, {})
    with pytest.raises(RapportError, match=said):
        sync(opened(product, tmp_path), tmp_path)


# What cannot be declared


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fields": []}, "`fields` is empty"),
        ({"key": []}, "`key` is empty"),
        ({"timezone": "Berlin"}, "there is no time zone `Berlin`"),
        ({"types": {"titel": "text"}}, r"`types` names `titel`.* Did you mean `title`\?"),
        ({"incremental": "newest_first"}, "`incremental: newest_first` needs `cursor`"),
        ({"incremental": "updated_since", "cursor": "updated_at"}, r"needs `\{cursor\}` in"),
        ({"params": {"since": "{cursor}"}}, r"`\{cursor\}` and `\{end\}` are for"),
        ({"incremental": "forward"}, "must be of kind `cursor` or `keyset`"),
        ({"slices": {"start": "2026-01-01", "length": "1d"}}, r"`slices` needs `\{cursor\}`"),
        (
            SINCE | {"params": {"since": "{cursor}", "until": "{end}"},
                     "slices": {"start": "January", "length": "1d"}},
            r"`slices\.start` is `January`",
        ),
        ({"paging": {"kind": "offset", "size": 5}}, "`size` and `size_param` of `paging` go"),
        ({"paging": {"kind": "page", "size": 1, "size_param": "n"}}, r"`paging\.size` is `1`"),
        ({"deletes": {"kind": "archived"}}, "of kind `archived` needs `path` or `params`"),
        ({"path": "/x/{thing.id}"}, r"`\{thing\.\.\.\}` names no stream of this source"),
        ({"path": "/x/{things.id}"}, "which must be one other stream that does not lead back"),
        ({"paging": {"kind": "ofset"}}, "`streams.things.paging.kind`|paging"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_to_write(
    product: Product, tmp_path: Path, change: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        opened(product, tmp_path, {"things": THINGS | change})


def test_a_count_is_for_a_list_of_its_own(product: Product, tmp_path: Path) -> None:
    streams = {"things": THINGS, "comments": COMMENTS | {"count": "total"}}
    with pytest.raises(ConfigError, match="are for a list of its own"):
        opened(product, tmp_path, streams)


def test_a_limit_that_is_none_is_refused(product: Product, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"`ten` is no limit\. Write one like `50/10s`"):
        opened(product, tmp_path, limits={"calls": ["ten"]})


def test_there_are_25_keys() -> None:
    named = [field.name for struct in (Settings, RestStream)
             for field in msgspec.structs.fields(struct) if field.name != "folder"]  # fmt: skip
    assert len(named) == 25


# Times


@pytest.mark.parametrize(
    ("form", "start", "end"),
    [
        ("", "2026-01-31T09:12:30Z", "2026-01-31T10:00:01Z"),
        (":unix", "1769850750", "1769853601"),
        (":unix_ms", "1769850750000", "1769853600500"),
        (":%Y-%m-%d", "2026-01-31", "2026-02-01"),
        (":%Y-%m-%d %H:%M", "2026-01-31 09:12", "2026-01-31 10:01"),
    ],
)
def test_a_beginning_is_rounded_down_and_an_end_up(form: str, start: str, end: str) -> None:
    asked = {"a": f">={{cursor{form}}}", "b": f"{{end{form}}}"}
    at = datetime(2026, 1, 31, 9, 12, 30, tzinfo=UTC)
    until = datetime(2026, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC)
    assert timed(asked, at, until) == {"a": f">={start}", "b": end}
    assert timed(asked, None, until) == {"b": end}


# Beside reading


def test_discover_writes_lines_that_take_what_is_left_out(product: Product, tmp_path: Path) -> None:
    source = opened(product, tmp_path, {"things": THINGS | {"fields": ["title"]}})
    [found] = discover(source).streams
    assert [field.name for field in found.not_taken] == ["updated_at"]
    assert "    - updated_at  # timestamp; none (guess: nothing suggests a person)" in found.lines
    assert "  types: {updated_at: timestamp}" in found.lines


def test_plan_tells_pages_where_the_vendor_counts(product: Product, tmp_path: Path) -> None:
    product.table.most = 2
    [told] = plan_source(
        opened(product, tmp_path), opened(product, tmp_path).streams(), tmp_path
    ).streams
    assert told.next is not None
    assert (told.next.cost.calls, told.next.cost.records) == (2, 3)
    comments(product)
    source = opened(product, tmp_path, {"things": THINGS, "comments": COMMENTS})
    below = plan_source(source, source.streams(), tmp_path).streams[1]
    assert below.next is not None
    assert below.next.cost.calls == 2 + 3
    stream = {"things": MANNERS["cursor"] | {"key": "id", "fields": ["title"]}}
    source = opened(product, tmp_path, stream)
    [told] = plan_source(source, source.streams(), tmp_path).streams
    assert told.next is None
    assert told.note.startswith("cannot tell: the source does not count")


def test_secrets_inside_blocks_are_masked(tmp_path: Path) -> None:
    settings = {
        "url": "http://127.0.0.1:1", "streams": {"things": THINGS},
        "auth": {"kind": "header", "name": "X-Key", "api_key": "Token nested-secret-1"},
        "headers": {"Authorization": "nested-secret-2"},
    }  # fmt: skip
    session: Session = open_source("src", "rest", settings, home=tmp_path).session  # type: ignore[attr-defined]
    masked = redaction.mask("nested-secret-1 nested-secret-2 things")
    assert "nested" not in masked
    assert "things" in masked
    assert "X-Key" not in session.secrets
