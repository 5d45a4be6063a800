"""What a stream of type `rest` declares, checked, and the placeholders inside it.

Belongs here: combinations that cannot be read, the `Stream` that a declaration becomes, and
`{cursor}`, `{end}` and `{parent.field}`. Does not belong here: the keys (`settings`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.base import DeleteStrategy, Stream
from connectors.errors import ConfigError, suggestion
from connectors.rest.settings import (
    Archived,
    ByCursor,
    ByKey,
    Census,
    RestStream,
    Settings,
    Tombstones,
)
from connectors.tables import duration

LEAST_SIZE = 2  # a page overlaps the one before it by a record
DAY = timedelta(days=1)

_TIME = re.compile(r"\{(cursor|end)(?::([^{}]+))?\}")
_PARENT = re.compile(r"\{([a-z]\w*)\.(\w+)\}")
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_WINDOW = re.compile(r"([0-9]+)/([0-9]+)([smhd])")
_STRATEGY: dict[type, DeleteStrategy] = {
    Tombstones: "tombstones",
    Archived: "archived",
    Census: "census",
}


def stream_of(name: str, declared: RestStream) -> Stream:
    """Return the declaration that the framework reads by."""
    is_timed = declared.incremental in ("updated_since", "newest_first")
    return Stream(
        name=name,
        key=key_of(declared),
        fields=fields_of(declared),
        cursor=declared.cursor,
        sync_mode="full" if declared.incremental == "full" else "incremental",
        lag=duration(declared.lag) if declared.incremental == "updated_since" else timedelta(0),
        lookback=duration(declared.lookback) if is_timed else timedelta(0),
        deletes=_STRATEGY[type(declared.deletes)] if declared.deletes else "none",
        object_name=declared.path,
        types=declared.types,
        pii={field: word for field, word in declared.pii.items() if word != "none"},
        text_fields=tuple(field for field, word in declared.pii.items() if word == "text"),
        zone=declared.timezone,
    )


def key_of(declared: RestStream) -> tuple[str, ...]:
    """Return the fields that identify a record."""
    return (declared.key,) if isinstance(declared.key, str) else tuple(declared.key)


def fields_of(declared: RestStream) -> tuple[str, ...]:
    """Return the allow-list; key, cursor and what came from a parent belong to it unnamed."""
    if "*" in declared.fields:
        return ("*",)
    cursor = [declared.cursor] if declared.cursor else []
    above = [added_name(*reference) for reference in references(declared)]
    return tuple(dict.fromkeys([*key_of(declared), *cursor, *above, *declared.fields]))


# Placeholders


def references(declared: RestStream) -> list[tuple[str, str]]:
    """Return (stream, field) of every record above that a stream is asked for."""
    texts = [text for _, text in _texts((declared.path, declared.params, declared.body))]
    return list(dict.fromkeys(found for text in texts for found in _PARENT.findall(text)))


def added_name(stream: str, field: str) -> str:
    """Return the field in which a record keeps what it was asked for: `_issues_id`."""
    return f"_{stream}_{field}"


def filled(value: Any, above: Mapping[tuple[str, str], str], quote: Callable[[str], str]) -> Any:
    """Return `value` with every `{parent.field}` filled in, each passed through `quote`."""

    def put(text: str) -> str:
        return _PARENT.sub(
            lambda m: quote(above[m[1], m[2]]) if m.groups() in above else m[0], text
        )

    return _mapped(value, put)


def timed(value: Any, start: datetime | None, end: datetime | None) -> Any:
    """Return `value` with `{cursor}` and `{end}` filled in.

    Without a time, an entry of `params` that wants it is left out; see `timed_body`.
    """
    given = {"cursor": start, "end": end}
    kept = {
        name: item
        for name, item in value.items()
        if all(given[word] is not None for word in _words(item))
    }
    return _with_times(kept, given)


def timed_body(value: Any, start: datetime | None, end: datetime | None, now: datetime) -> Any:
    """Return a body with its times; where there is none, 1970 and tomorrow: all there is."""
    return _with_times(
        value, {"cursor": start or datetime.fromtimestamp(0, UTC), "end": end or now + DAY}
    )


def has_time(declared: RestStream, word: str) -> bool:
    """Tell whether `{cursor}` or `{end}` stands in what is asked."""
    return word in _words((declared.params, declared.body))


def _with_times(value: Any, given: Mapping[str, datetime | None]) -> Any:
    def put(match: re.Match[str]) -> str:
        at = given[match[1]]
        return _written(at, match[2] or "iso", is_end=match[1] == "end") if at else ""

    return _mapped(value, lambda text: _TIME.sub(put, text))


def _written(at: datetime, form: str, *, is_end: bool) -> str:
    """Write a time: a beginning rounded down to what the form can say, an end rounded up."""
    if form == "unix_ms":
        return str(math.ceil(at.timestamp() * 1000) if is_end else int(at.timestamp() * 1000))
    pattern = {"iso": "%Y-%m-%dT%H:%M:%SZ", "unix": "%S"}.get(form, form)
    step = DAY
    for directive, length in (("%H", 3600), ("%M", 60), ("%S", 1), ("%f", 0)):
        if directive in pattern or (pattern == "%S" and length >= 1):
            step = timedelta(seconds=length)
    whole = datetime.min.replace(tzinfo=UTC)
    if step:
        over = (at - whole) % step
        at = at - over + (step if is_end and over else timedelta(0))
    return str(int(at.timestamp())) if form == "unix" else at.strftime(pattern)


def _words(value: Any) -> list[str]:
    return [word for _, text in _texts(value) for word, _ in _TIME.findall(text)]


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item, place)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _mapped(item, change) for name, item in value.items()}
    return [_mapped(item, change) for item in value] if isinstance(value, list) else value


# Checks


def windows_of(source: str, calls: list[str]) -> list[tuple[int, float]]:
    """Return `50/10s` as (50, 10.0)."""
    found = [_WINDOW.fullmatch(text) for text in calls]
    wrong = next((text for text, match in zip(calls, found, strict=True) if not match), None)
    if wrong is not None:
        raise ConfigError(
            f"sources.{source}.limits.calls: `{wrong}` is no limit. Write one like `50/10s`."
        )
    return [(int(m[1]), duration(m[2] + m[3]).total_seconds()) for m in found if m]


def check_declarations(source: str, settings: Settings) -> None:
    """Raise `ConfigError` if a stream cannot be read as it is declared."""
    for name, declared in settings.streams.items():
        place = f"sources.{source}.streams.{name}"
        checks = (_record_problems, _incremental_problems, _list_problems)
        for problem in (problem for check in checks for problem in check(place, declared)):
            raise problem
        _check_parents(place, name, settings.streams)


def _record_problems(place: str, declared: RestStream) -> Iterator[ConfigError]:
    if not declared.fields:
        yield ConfigError(
            f"{place}: `fields` is empty. Name what is to be kept, or write `['*']` for everything."
        )
    if not key_of(declared):
        yield ConfigError(f"{place}: `key` is empty. Name the fields that identify a record.")
    try:
        ZoneInfo(declared.timezone)
    except (KeyError, ValueError, OSError):
        zone = declared.timezone
        yield ConfigError(
            f"{place}: there is no time zone `{zone}`. Write one like `Europe/Berlin`."
        )
    taken = fields_of(declared)
    tops = {name.partition(".")[0] for name in taken} | set(taken)
    for word, named in (("types", declared.types), ("pii", declared.pii)):
        for name in named if taken != ("*",) else ():
            if name not in tops:
                yield ConfigError(
                    f"{place}: `{word}` names `{name}`, which `fields` does not."
                    f"{suggestion(name, sorted(tops))}"
                )


def _incremental_problems(place: str, declared: RestStream) -> Iterator[ConfigError]:
    kind = declared.incremental
    asks_since, asks_until = has_time(declared, "cursor"), has_time(declared, "end")
    if kind in ("updated_since", "newest_first") and declared.cursor is None:
        yield ConfigError(
            f"{place}: `incremental: {kind}` needs `cursor`, the field with the time of a record's "
            "last change."
        )
    if kind == "updated_since" and not asks_since:
        yield ConfigError(
            f"{place}: `incremental: updated_since` needs `{{cursor}}` in `params` or `body`, "
            "where the vendor wants to hear since when."
        )
    if kind != "updated_since" and (asks_since or asks_until):
        yield ConfigError(
            f"{place}: `{{cursor}}` and `{{end}}` are for `incremental: updated_since`."
        )
    if kind == "forward" and not isinstance(declared.paging, ByCursor | ByKey):
        yield ConfigError(
            f"{place}: `incremental: forward` goes on where paging ended, so `paging` must be of "
            "kind `cursor` or `keyset`."
        )
    if declared.slices is not None and not (asks_since and asks_until):
        yield ConfigError(
            f"{place}: `slices` needs `{{cursor}}` and `{{end}}` in `params` or `body`."
        )
    if declared.slices is not None and not _DAY.fullmatch(declared.slices.start):
        yield ConfigError(
            f"{place}: `slices.start` is `{declared.slices.start}`. Write a day like `2020-01-31`."
        )


def _list_problems(place: str, declared: RestStream) -> Iterator[ConfigError]:
    paging, deletes = declared.paging, declared.deletes
    if paging is not None and (paging.size is None) != (paging.size_param is None):
        yield ConfigError(f"{place}: `size` and `size_param` of `paging` go together.")
    if paging is not None and paging.size is not None and paging.size < LEAST_SIZE:
        yield ConfigError(
            f"{place}: `paging.size` is `{paging.size}`. Ask for {LEAST_SIZE} records at least."
        )
    if isinstance(deletes, Archived) and deletes.path is None and not deletes.params:
        yield ConfigError(
            f"{place}: `deletes` of kind `archived` needs `path` or `params` of the other list."
        )
    if references(declared) and (declared.count is not None or isinstance(deletes, Archived)):
        yield ConfigError(
            f"{place}: `count` and `deletes` of kind `archived` are for a list of its own, not for "
            "one per record of another stream."
        )


def _check_parents(place: str, name: str, streams: Mapping[str, RestStream]) -> None:
    """Check that what is above a stream exists, is one stream, and not below it."""
    above = name
    seen = {name}
    while parents := {stream for stream, _ in references(streams[above])}:
        unknown = next((parent for parent in parents if parent not in streams), None)
        if unknown is not None:
            raise ConfigError(
                f"{place}: `{{{unknown}...}}` names no stream of this source."
                f"{suggestion(unknown, streams)}"
            )
        if len(parents) > 1 or parents & seen:
            raise ConfigError(
                f"{place}: it is asked for each record of {' and '.join(sorted(parents))}, which "
                "must be one other stream that does not lead back here."
            )
        above = parents.pop()
        seen.add(above)
