"""Search as the portal does it: filters, one sort, offsets, and an end at 10,000.

Belongs here: what a search body means and which records it finds, by the index.
Does not belong here: what the index knows when (`portal.Table`), HTTP (`http`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.hubspot import schema
from sandbox.hubspot.portal import ApiError, Portal, Record, Table

LIMIT_DEFAULT, LIMIT_MAX = 10, 200
GROUPS_MAX, FILTERS_MAX, FILTERS_IN_ALL_MAX = 5, 6, 18
BODY_CHARACTERS_MAX = 3_000

Value = str | int | Decimal | None
Test = Callable[[Record], bool]

_KEYS = {"filterGroups", "sorts", "query", "properties", "limit", "after"}
_ORDERED = ("number", "date", "datetime")


def matching(portal: Portal, table: Table, body: Mapping[str, Any]) -> list[int]:
    """Return the ids that a search finds, in its order, all of them.

    Raises:
        ApiError: 400, the body makes no sense.
    """
    if unknown := set(body) - _KEYS:
        raise _wrong(f"Unknown properties in the request: {', '.join(sorted(unknown))}")
    groups = body.get("filterGroups") or []
    filters = [_list(_dict(group).get("filters")) for group in _list(groups)]
    if len(filters) > GROUPS_MAX or any(len(group) > FILTERS_MAX for group in filters):
        raise _wrong(f"at most {GROUPS_MAX} filterGroups of {FILTERS_MAX} filters")
    if sum(map(len, filters)) > FILTERS_IN_ALL_MAX:
        raise _wrong(f"at most {FILTERS_IN_ALL_MAX} filters in all")
    tests = [[_test(portal, table, one) for one in group] for group in filters]
    words = str(body.get("query") or "").lower().split()
    found = [
        record
        for record in table.indexed()
        if (not tests or any(all(test(record) for test in group) for group in tests))
        and _has_words(table, record, words)
    ]
    sorts = _list(body.get("sorts") or [])
    if sorts:
        _sort(portal, table, found, sorts[0])
    return [record.id for record in found]


def page(body: Mapping[str, Any], results_max: int) -> tuple[int, int]:
    """Return (offset, limit) of a search body; ApiError 400 beyond the vendor's bounds."""
    limit, after = body.get("limit", LIMIT_DEFAULT), body.get("after")
    if isinstance(limit, str) and limit.isdigit():
        limit = int(limit)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= LIMIT_MAX:
        raise _wrong(f"limit must be between 1 and {LIMIT_MAX}")
    text = str(after if after is not None else 0) or "0"
    if not text.isdigit():
        raise _wrong(f"Invalid input JSON: after `{text}` is not an integer")
    offset = int(text)
    if offset + limit > results_max:
        raise _wrong("There was a problem with the request.")
    return offset, limit


def _wrong(message: str) -> ApiError:
    return ApiError(400, "VALIDATION_ERROR", message)


def _list(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong("Invalid input JSON")
    return value


def _dict(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong("Invalid input JSON")
    return value


def _has_words(table: Table, record: Record, words: Sequence[str]) -> bool:
    if not words:
        return True
    text = " ".join(record.properties.get(name, "") for name in table.kind.searched).lower()
    return all(word in text for word in words)


def _sort(portal: Portal, table: Table, records: list[Record], sort: Any) -> None:
    """Sort in place by the one sort that counts; records without the value come last."""
    if isinstance(sort, str):
        name, down = sort.removeprefix("-"), sort.startswith("-")
    else:
        name = str(_dict(sort).get("propertyName", ""))
        down = str(sort.get("direction", "ASCENDING")).upper() == "DESCENDING"
    read = _reader(portal, table, name)
    with_value = [(value, record) for record in records if (value := read(record)) is not None]
    without = [record for record in records if read(record) is None]
    with_value.sort(key=lambda pair: pair[0], reverse=down)
    records[:] = [record for _, record in with_value] + without


def _reader(portal: Portal, table: Table, name: str) -> Callable[[Record], Any]:
    """Return what reads a property so that its values compare as its type does."""
    kind = table.kind
    described = kind.properties.get(name)
    if described is None:
        raise _wrong("There was a problem with the request.")
    if name == "hs_object_id":
        return lambda record: record.id
    if name == kind.stamp:
        return lambda record: schema.epoch_ms(record.updated_at)
    if name == kind.born:
        return lambda record: schema.epoch_ms(record.created_at)
    type = described["type"]

    def read(record: Record) -> Value:
        text = portal.value(table, record, name)
        return None if text is None else _comparable(type, text)

    return read


def _comparable(type: str, text: str) -> str | int | Decimal | None:
    """Return a value, of a record or of a filter, in the form its type compares in."""
    try:
        if type == "number":
            return Decimal(text)
        if type in ("date", "datetime"):
            if re.fullmatch(r"-?\d+", text):
                return int(text)
            moment = datetime.fromisoformat(text)
            return schema.epoch_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (InvalidOperation, ValueError):
        raise _wrong("There was a problem with the request.") from None
    return text.lower()


def _test(portal: Portal, table: Table, one: Any) -> Test:
    """Return what a filter asks of a record."""
    if not isinstance(one, dict) or "propertyName" not in one or "operator" not in one:
        raise _wrong("Invalid input JSON")
    name, operator = str(one["propertyName"]), str(one["operator"])
    read = _reader(portal, table, name)
    type = table.kind.properties[name]["type"]

    def given(key: str) -> Any:
        value = one.get(key)
        if value is None or isinstance(value, (list, dict)):
            raise _wrong(f"operator {operator} requires {key}")
        return _comparable(type, str(value))

    if operator == "HAS_PROPERTY":
        return lambda record: read(record) is not None
    if operator == "NOT_HAS_PROPERTY":
        return lambda record: read(record) is None
    if operator in ("IN", "NOT_IN"):
        values = one.get("values")
        if not isinstance(values, list) or not values:
            raise _wrong(f"operator {operator} requires values")
        # The vendor wants texts in lower case here and lowers them nowhere.
        texts = type not in _ORDERED
        wanted = {str(value) if texts else _comparable(type, str(value)) for value in values}
        if operator == "IN":
            return lambda record: read(record) in wanted
        return lambda record: read(record) is not None and read(record) not in wanted
    if operator == "BETWEEN":
        low, high = given("value"), given("highValue")
        return lambda record: (value := read(record)) is not None and low <= value <= high
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        pattern = re.compile(
            r"(?<![\w])" + re.escape(str(given("value"))).replace(r"\*", r"[\w]*") + r"(?![\w])"
        )
        has = operator == "CONTAINS_TOKEN"
        return lambda record: bool(pattern.search(str(read(record) or ""))) == has
    compare = _COMPARISONS.get(operator)
    if compare is None:
        raise _wrong(f"Invalid input JSON: unknown operator {operator}")
    value = given("value")
    if operator == "NEQ":
        return lambda record: read(record) != value
    return lambda record: (held := read(record)) is not None and compare(held, value)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda held, value: held == value,
    "NEQ": lambda held, value: held != value,
    "LT": lambda held, value: held < value,
    "LTE": lambda held, value: held <= value,
    "GT": lambda held, value: held > value,
    "GTE": lambda held, value: held >= value,
}
