"""SOQL: parsing and answering, with the vendor's refusals.

Belongs here: the part of the language integrations use: fields, parent fields, child
subqueries, FIELDS(), aggregates, WHERE, GROUP BY, ORDER BY, LIMIT, OFFSET.
Does not belong here: pages and locators (`http`). TYPEOF, HAVING, date functions,
geolocation and WITH are not spoken and are refused as malformed.

What differs from SQL, as the vendor has it: texts compare without regard to case, `!=`
and NOT IN keep rows with null, null sorts first in either direction, AND and OR do not
mix without parentheses.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, NoReturn

from sandbox.salesforce import schema
from sandbox.salesforce.org import ApiError, Org, Row, parse_datetime, wire_datetime
from sandbox.salesforce.schema import FieldDescription

MAX_LENGTH = 100_000
MAX_OFFSET = 2_000
FIELDS_ALL_LIMIT = 200

Getter = Callable[[Row], Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d(?![T\d]))
    | (?P<partial>\d{4}-\d\d-\d\dT\S*)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<relative>(?:LAST|NEXT)_N_DAYS:\d+)
    | (?P<name>[A-Za-z]\w*(?:\.[A-Za-z]\w*)*)
    | (?P<op><=|>=|!=|<>|[=<>(),])
    | (?P<bad>\S)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_AGGREGATES = {"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"}
_RELATIVE_DAYS = {
    "YESTERDAY", "TODAY", "TOMORROW", "THIS_MONTH", "LAST_MONTH", "THIS_YEAR", "LAST_YEAR",
}  # fmt: skip
_CLAUSES = {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "WITH", "FOR", "HAVING", "USING"}
_TEXT = {
    "string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox",
}  # fmt: skip
_NUMERIC = {"int", "double", "currency", "percent"}
_IDS = {"id", "reference"}
_NAME_ENTITY = ("Id", "Name", "Type", "FirstName", "LastName", "Email", "Phone", "Title",
                "IsActive", "Username")  # fmt: skip
"""What a reference to several objects (`Who`, `What`) offers."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def upper(self) -> str:
        return self.text.upper()


@dataclass
class Result:
    """What a query found.

    Attributes:
        total: matching rows, after LIMIT and OFFSET.
        rows: those rows, in order; empty for COUNT().
        project: makes the wire record of a row; the argument is the API version (`v59.0`).
        width: selected fields; wide rows make small pages.
        has_children: whether records carry child results.
        sobject: the object asked.
        columns: path and type of each selected field.
        is_ordered: whether the query asks for an order.
    """

    total: int
    rows: Sequence[Row]
    project: Callable[[Row, str], dict[str, Any]]
    width: int = 1
    has_children: bool = False
    sobject: str = ""
    columns: Sequence[tuple[str, str]] = ()
    is_ordered: bool = False


@dataclass
class _Select:
    """The parsed statement, names resolved."""

    sobject: str = ""
    via: str = ""
    """In a child subquery: the field that leads to the parent."""
    fields: list[tuple[tuple[str, ...], FieldDescription]] = field(default_factory=list)
    children: list[_Select] = field(default_factory=list)
    aggregates: list[tuple[str, str, Getter | None, str]] = field(default_factory=list)
    counts_rows: bool = False
    tests: list[Test] = field(default_factory=list)
    stamp_from: str = ""
    stamp_to: str = "~"
    group_by: list[tuple[str, Getter]] = field(default_factory=list)
    order_by: list[tuple[str, Getter, bool, bool]] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


def run(
    org: Org, text: str, now: datetime, *, include_deleted: bool = False, in_bulk: bool = False
) -> Result:
    """Answer a query.

    Args:
        text: the SOQL.
        now: the moment it is asked; decides what is visible and what TODAY is.
        include_deleted: `queryAll`: also the recycle bin, merge losers and archived
            activities.
        in_bulk: refuse what a Bulk API 2.0 job does not take.

    Raises:
        ApiError: with the vendor's code and words.
    """
    if len(text) > MAX_LENGTH:
        raise ApiError(400, "QUERY_TOO_COMPLICATED", "SOQL statements cannot be longer than "
                       "100000 characters.")  # fmt: skip
    select = _Parser(org, text, now).statement()
    if in_bulk:
        _refuse_in_bulk(org, select)
    return _Evaluation(org, now, include_deleted).answer(select)


class _Parser:
    def __init__(self, org: Org, text: str, now: datetime) -> None:
        self.org = org
        self.text = text
        self.now = now
        self.tokens = [
            _Token(str(m.lastgroup), m[str(m.lastgroup)], m.start(str(m.lastgroup)))
            for m in _TOKEN.finditer(text)
        ]
        self.tokens.append(_Token("end", "<EOF>", len(text)))
        self.at = 0
        self.current = ""
        """The object whose statement is being read."""

    # Tokens

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def next(self) -> _Token:
        token = self.tokens[self.at]
        self.at += token.kind != "end"
        return token

    def takes(self, *words: str) -> bool:
        """Go past these words if they come next."""
        ahead = self.tokens[self.at : self.at + len(words)]
        if [t.upper for t in ahead] == list(words) and ahead[0].kind != "string":
            self.at += len(words)
            return True
        return False

    def expect(self, word: str) -> None:
        if not self.takes(word):
            self.unexpected()

    def unexpected(self) -> NoReturn:
        token = self.token
        self.refuse("MALFORMED_QUERY", f"unexpected token: '{token.text}'", token)

    def refuse(self, code: str, message: str, token: _Token) -> NoReturn:
        """Raise with the place pointed at, as the vendor does."""
        before = self.text[max(0, token.start - 40) : token.start]
        line = before + self.text[token.start : token.start + 40]
        pointer = f"\n{line}\n{' ' * len(before)}^\nERROR at Row:1:Column:{token.start + 1}\n"
        raise ApiError(400, code, pointer + message)

    # Statement

    def statement(self) -> _Select:
        select = self.select(parent=None)
        if self.token.kind != "end":
            self.unexpected()
        return select

    def select(self, parent: str | None) -> _Select:
        """Parse SELECT …; in a child subquery `parent` is the object around it."""
        self.expect("SELECT")
        start = self.at
        # FROM names the object that gives the fields their meaning: look there first.
        self.skip_to_from()
        select = _Select()
        self.from_clause(select, parent)
        outer, self.current = self.current, select.sobject
        after_from = self.at
        self.at = start
        takes_all = self.select_list(select)
        self.expect("FROM")
        self.at = after_from
        if self.takes("WHERE"):
            self.where(select)
        if self.takes("GROUP", "BY"):
            self.group_by(select)
        if self.takes("ORDER", "BY"):
            self.order_by(select)
        if self.takes("LIMIT"):
            select.limit = self.number()
        if self.takes("OFFSET"):
            select.offset = self.number()
            if select.offset > MAX_OFFSET:
                raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE",
                               f"Maximum SOQL offset allowed is {MAX_OFFSET}")  # fmt: skip
        if takes_all and (select.limit is None or select.limit > FIELDS_ALL_LIMIT):
            raise ApiError(400, "MALFORMED_QUERY",
                           "The SOQL FIELDS function must have a LIMIT of at most 200")  # fmt: skip
        self.check_grouping(select)
        self.current = outer
        return select

    def skip_to_from(self) -> None:
        depth = 0
        while self.token.kind != "end":
            if self.token.text == "(":
                depth += 1
            elif self.token.text == ")":
                depth -= 1
                if depth < 0:
                    self.unexpected()
            elif depth == 0 and self.token.kind == "name" and self.token.upper == "FROM":
                self.next()
                return
            self.next()
        self.unexpected()

    def from_clause(self, select: _Select, parent: str | None) -> None:
        """Resolve the object and, in a child subquery, the way to `parent`."""
        token = self.next()
        if token.kind != "name":
            self.at -= token.kind != "end"
            self.unexpected()
        if parent is None:
            if not self.org.has(token.text):
                self.refuse(
                    "INVALID_TYPE",
                    f"sObject type '{token.text}' is not supported. If you are attempting to use a "
                    "custom object, be sure to append the '__c' after the entity name. Please "
                    "reference your WSDL or the describe call for the appropriate names.",
                    token,
                )
            select.sobject = self.org.sobject(token.text).name
        else:
            select.sobject, select.via = self.child_relationship(parent, token)
        if self.token.kind == "name" and self.token.upper not in _CLAUSES:
            self.next()  # an alias; its use as a prefix is resolved as the object's own name

    def child_relationship(self, parent: str, token: _Token) -> tuple[str, str]:
        found = [
            (sobject.name, described["name"])
            for sobject in self.org.sobjects()
            for described in sobject.references()
            if parent in described["referenceTo"]
            and described.get("childRelationshipName", "").lower() == token.text.lower()
        ]
        if not found:
            self.refuse(
                "INVALID_TYPE",
                f"Didn't understand relationship '{token.text}' in FROM part of query call. "
                "If you are attempting to use a custom relationship, be sure to append the '__r' "
                "after the custom relationship name. Please reference your WSDL or the describe "
                "call for the appropriate names.",
                token,
            )
        return found[0]

    def select_list(self, select: _Select) -> bool:
        """Parse the selected items; return whether FIELDS() asks for custom fields."""
        takes_all = False
        chosen: set[tuple[str, ...]] = set()
        while True:
            token = self.token
            if self.takes("("):
                select.children.append(self.select(parent=select.sobject))
                self.expect(")")
            elif token.kind != "name":
                self.unexpected()
            elif token.upper == "FIELDS" and self.tokens[self.at + 1].text == "(":
                takes_all |= self.fields_function(select)
            elif token.upper in _AGGREGATES and self.tokens[self.at + 1].text == "(":
                self.aggregate(select)
            else:
                path, described, _ = self.field()
                if path in chosen:
                    message = f"duplicate field selected: {'.'.join(path)}"
                    raise ApiError(400, "INVALID_FIELD", message)
                chosen.add(path)
                select.fields.append((path, described))
            if not self.takes(","):
                return takes_all

    def fields_function(self, select: _Select) -> bool:
        self.next()
        self.expect("(")
        which = self.next()
        self.expect(")")
        if which.upper not in {"ALL", "STANDARD", "CUSTOM"}:
            self.refuse("MALFORMED_QUERY", f"unexpected token: '{which.text}'", which)
        for name, described in self.org.readable_fields(select.sobject).items():
            if which.upper == "ALL" or described["custom"] == (which.upper == "CUSTOM"):
                select.fields.append(((name,), described))
        return which.upper != "STANDARD"

    def aggregate(self, select: _Select) -> None:
        function = self.next().upper
        self.expect("(")
        if self.takes(")"):
            if function != "COUNT":
                self.unexpected()
            select.counts_rows = True
            return
        name_token = self.token
        _, described, getter = self.field()
        if not described["aggregatable"] or (
            function in {"SUM", "AVG"} and described["type"] not in _NUMERIC
        ):
            message = f"field {name_token.text} does not support aggregate operator {function}"
            self.refuse("MALFORMED_QUERY", message, name_token)
        self.expect(")")
        alias = f"expr{len(select.aggregates)}"
        if self.token.kind == "name" and self.token.upper not in _CLAUSES:
            alias = self.next().text
        select.aggregates.append((function, alias, getter, described["type"]))

    def check_grouping(self, select: _Select) -> None:
        if select.counts_rows and (select.fields or select.aggregates):
            raise ApiError(400, "MALFORMED_QUERY", "Grouped query cannot select COUNT()")
        if not select.aggregates and not select.group_by:
            return
        grouped = {name for name, _ in select.group_by}
        for path, _ in select.fields:
            if ".".join(path) not in grouped:
                message = f"Field must be grouped or aggregated: {'.'.join(path)}"
                raise ApiError(400, "MALFORMED_QUERY", message)

    def number(self) -> int:
        token = self.token
        if token.kind != "number" or not token.text.isdigit():
            self.unexpected()
        return int(self.next().text)

    # Fields

    def field(self) -> tuple[tuple[str, ...], FieldDescription, Getter]:
        """Parse a field path; return it canonically, with its description and a getter."""
        token = self.token
        if token.kind != "name" or token.upper in _CLAUSES:
            self.unexpected()
        self.next()
        parts = token.text.split(".")
        if len(parts) > 1 and parts[0].lower() == self.current.lower():
            parts = parts[1:]
        return self.resolve(self.current, parts, token)

    def resolve(
        self, sobject: str, parts: list[str], token: _Token
    ) -> tuple[tuple[str, ...], FieldDescription, Getter]:
        readable = self.org.readable_fields(sobject)
        if len(parts) == 1:
            name = self.org.sobject(sobject).by_lower_name.get(parts[0].lower())
            if name is None or name not in readable:
                self.no_such_column(parts[0], sobject, token)
            return (name,), readable[name], _getter(name, readable[name])
        for described in readable.values():
            relationship = described["relationshipName"]
            if relationship and relationship.lower() == parts[0].lower():
                break
        else:
            self.refuse(
                "INVALID_FIELD",
                f"Didn't understand relationship '{parts[0]}' in field path. If you are attempting "
                "to use a custom relationship, be sure to append the '__r' after the custom "
                "relationship name. Please reference your WSDL or the describe call for the "
                "appropriate names.",
                token,
            )
        targets = described["referenceTo"]
        if len(targets) > 1:
            path, parent_field, get = self.name_entity(parts[1:], token)
        else:
            path, parent_field, get = self.resolve(targets[0], parts[1:], token)
        key, org = described["name"], self.org

        def through(row: Row) -> Any:
            parent = org.find(row[key])
            return None if parent is None else get(parent)

        return (relationship, *path), parent_field, through

    def name_entity(
        self, parts: list[str], token: _Token
    ) -> tuple[tuple[str, ...], FieldDescription, Getter]:
        """Resolve a field of a reference that may lead to several objects."""
        wanted = {name.lower(): name for name in _NAME_ENTITY}.get(parts[0].lower())
        if len(parts) > 1 or wanted is None:
            self.no_such_column(parts[0], "Name", token)
        described = schema.describe_field({"name": wanted, "type": "string", "length": 255})
        if wanted == "Type":
            return (wanted,), described, lambda row: self.org.type_of(row["Id"])
        return (wanted,), described, lambda row: row.get(wanted)

    def no_such_column(self, name: str, sobject: str, token: _Token) -> NoReturn:
        self.refuse(
            "INVALID_FIELD",
            f"No such column '{name}' on entity '{sobject}'. If you are attempting to use a "
            "custom field, be sure to append the '__c' after the custom field name. Please "
            "reference your WSDL or the describe call for the appropriate names.",
            token,
        )

    # WHERE

    def where(self, select: _Select) -> None:
        """Parse the condition; bounds of SystemModstamp at its top level are kept apart."""
        tests = [self.term(select)]
        if self.token.upper == "OR":
            while self.takes("OR"):
                tests.append(self.term(None))
            select.stamp_from, select.stamp_to = "", "~"
            select.tests = [_any(tests)]
        else:
            while self.takes("AND"):
                tests.append(self.term(select))
            select.tests = tests
        if self.token.upper in {"AND", "OR"}:
            self.unexpected()

    def condition(self) -> Test:
        tests = [self.term(None)]
        if self.token.upper == "OR":
            while self.takes("OR"):
                tests.append(self.term(None))
            return _any(tests)
        while self.takes("AND"):
            tests.append(self.term(None))
        return tests[0] if len(tests) == 1 else _all(tests)

    def term(self, bounded: _Select | None) -> Test:
        if self.takes("NOT"):
            inner = self.term(None)
            return lambda row: not inner(row)
        if self.takes("("):
            test = self.condition()
            self.expect(")")
            return test
        return self.comparison(bounded)

    def comparison(self, bounded: _Select | None) -> Test:
        token = self.token
        path, described, get = self.field()
        name = ".".join(path)
        if not described["filterable"]:
            self.refuse(
                "INVALID_FIELD", f"field '{name}' can not be filtered in a query call", token
            )
        operator = self.next()
        if operator.upper == "LIKE":
            return self.like(described, name, get)
        if operator.upper == "IN" or (operator.upper == "NOT" and self.takes("IN")):
            return self.membership(described, name, get, negated=operator.upper == "NOT")
        if operator.kind != "op" or operator.text not in (*_COMPARE, "<>"):
            self.at -= 1
            self.unexpected()
        op = "!=" if operator.text == "<>" else operator.text
        if self.token.kind == "relative" or self.token.upper in _RELATIVE_DAYS:
            return self.relative(described, get, op)
        value = self.literal(described, name)
        if value is None and op not in {"=", "!="}:
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on null value")
        if bounded is not None and path == ("SystemModstamp",) and value is not None:
            if op in {">=", ">", "="}:
                bounded.stamp_from = max(bounded.stamp_from, value)
            if op in {"<=", "<", "="}:
                bounded.stamp_to = min(bounded.stamp_to, value + "~")
        return _COMPARE[op](get, value, described["type"] in _TEXT)

    def like(self, described: FieldDescription, name: str, get: Getter) -> Test:
        if described["type"] not in _TEXT:
            kind = "id" if described["type"] in _IDS else described["type"]
            message = f"invalid operator on {kind} field"
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", message)
        pattern = re.compile(
            "".join(
                {"%": ".*", "_": "."}.get(part, re.escape(part))
                for part in str(self.literal(described, name))
            ),
            re.IGNORECASE | re.DOTALL,
        )
        return lambda row: (text := get(row)) is not None and pattern.fullmatch(text) is not None

    def membership(
        self, described: FieldDescription, name: str, get: Getter, *, negated: bool
    ) -> Test:
        self.expect("(")
        if self.token.upper == "SELECT":
            start = self.token
            inner = self.select(parent=None)
            selects_an_id = [d["type"] in _IDS and len(path) == 1 for path, d in inner.fields]
            if selects_an_id != [True] or inner.children or inner.aggregates or inner.counts_rows:
                self.refuse(
                    "MALFORMED_QUERY", "The inner select field must be an ID or reference", start
                )
            found = _Evaluation(self.org, self.now, False).answer(inner)
            (path, _) = inner.fields[0]
            values = {row[path[0]] for row in found.rows}
        else:
            values = {self.literal(described, name)}
            while self.takes(","):
                values.add(self.literal(described, name))
        self.expect(")")
        if described["type"] in _TEXT:
            folded = {value and str(value).lower() for value in values}
            return lambda row: (((v := get(row)) and v.lower()) in folded) != negated
        return lambda row: (get(row) in values) != negated

    def relative(self, described: FieldDescription, get: Getter, op: str) -> Test:
        if described["type"] not in {"date", "datetime"}:
            self.unexpected()
        word = self.next()
        try:
            first, end = _days_of(word.upper, self.now)
        except OverflowError:
            self.refuse("MALFORMED_QUERY", f"Invalid date: {word.text}", word)
        if described["type"] == "datetime":
            low, high = wire_datetime(first), wire_datetime(end)
        else:
            low, high = first.date().isoformat(), end.date().isoformat()
        tests: dict[str, Callable[[str], bool]] = {
            "=": lambda v: low <= v < high,
            "!=": lambda v: not low <= v < high,
            "<": lambda v: v < low,
            "<=": lambda v: v < high,
            ">": lambda v: v >= high,
            ">=": lambda v: v >= low,
        }
        test = tests[op]
        return lambda row: (v := get(row)) is not None and test(v)

    def literal(self, described: FieldDescription, name: str) -> Any:
        """Parse a value and bring it to the field's wire form."""
        token, kind = self.next(), described["type"]
        if token.kind == "name" and token.upper == "NULL":
            return None
        if kind in _TEXT or kind in _IDS:
            if token.kind != "string":
                self.wrong_type(name, "string", quotes=True)
            text = _unquoted(token.text)
            if kind in _TEXT:
                return text
            if text and (len(text) not in {15, 18} or not text.isalnum()):
                message = f"invalid ID field: {text}"
                raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", message)
            return schema.long_id(text) if text else None
        if kind == "boolean":
            if token.upper not in {"TRUE", "FALSE"} or token.kind != "name":
                self.wrong_type(name, "boolean")
            return token.upper == "TRUE"
        if kind == "datetime":
            if token.kind != "datetime":
                self.wrong_type(name, "dateTime")
            try:
                moment = parse_datetime(token.text)
            except ValueError:
                self.refuse("MALFORMED_QUERY", f"Invalid date: {token.text}", token)
            return wire_datetime(moment).replace(".000", f".{moment.microsecond // 1000:03d}")
        if kind == "date":
            if token.kind != "date":
                self.wrong_type(name, "date")
            try:
                return date.fromisoformat(token.text).isoformat()
            except ValueError:
                self.refuse("MALFORMED_QUERY", f"Invalid date: {token.text}", token)
        if token.kind != "number":
            self.wrong_type(name, "double" if kind != "int" else "int")
        return float(token.text)

    def wrong_type(self, name: str, kind: str, *, quotes: bool = False) -> NoReturn:
        token = self.tokens[self.at - 1]
        if token.kind in {"end", "op", "bad", "partial"}:
            self.refuse("MALFORMED_QUERY", f"unexpected token: '{token.text}'", token)
        how = "should be enclosed" if quotes else "should not be enclosed"
        self.refuse(
            "INVALID_FIELD",
            f"value of filter criterion for field '{name}' must be of type {kind} and {how} in "
            "quotes",
            token,
        )

    # GROUP BY, ORDER BY

    def group_by(self, select: _Select) -> None:
        while True:
            token = self.token
            path, described, get = self.field()
            if not described["groupable"]:
                message = f"field '{'.'.join(path)}' can not be grouped in a query call"
                self.refuse("MALFORMED_QUERY", message, token)
            select.group_by.append((".".join(path), get))
            if not self.takes(","):
                return

    def order_by(self, select: _Select) -> None:
        while True:
            token = self.token
            path, described, get = self.field()
            if not described["sortable"]:
                message = f"field '{'.'.join(path)}' can not be sorted in a query call"
                self.refuse("MALFORMED_QUERY", message, token)
            descending = self.takes("DESC")
            if not descending:
                self.takes("ASC")
            nulls_last = self.takes("NULLS", "LAST")
            if not nulls_last:
                self.takes("NULLS", "FIRST")
            if described["type"] in _TEXT:
                get = _folded(get)
            select.order_by.append((".".join(path), get, descending, nulls_last))
            if not self.takes(","):
                return


class _Evaluation:
    """Answers parsed statements at one moment."""

    def __init__(self, org: Org, now: datetime, include_deleted: bool) -> None:
        self.org = org
        self.now = now
        self.include_deleted = include_deleted

    def answer(self, select: _Select) -> Result:
        found = self.matching(select)
        end = None if select.limit is None else select.offset + select.limit
        if select.counts_rows:
            return Result(sum(1 for _ in islice(found, end)), (), lambda row, version: row)
        if select.aggregates or select.group_by:
            rows = _aggregated(select, list(found))[select.offset : end]
            return Result(len(rows), rows, lambda row, version: row, width=len(select.aggregates))
        # In the order rows are kept in, reading can stop at the limit.
        rows = list(islice(self.ordered(select, found), select.offset, end))
        return Result(
            len(rows),
            rows,
            self.projection(select),
            width=len(select.fields),
            has_children=bool(select.children),
            sobject=select.sobject,
            columns=[(".".join(path), d["type"]) for path, d in select.fields],
            is_ordered=bool(select.order_by),
        )

    def matching(self, select: _Select) -> Iterator[Row]:
        """Yield the rows that match, by (SystemModstamp, Id)."""
        table = self.org.table(select.sobject)
        rows = table.visible(self.now)
        low = bisect_left(rows, select.stamp_from, key=_stamp) if select.stamp_from else 0
        high = len(rows)
        if select.stamp_to != "~":
            high = bisect_left(rows, select.stamp_to, key=_stamp)
        found: Iterable[Row] = rows[low:high]
        if table.sobject.archives:
            found = self.archived(found)
        elif not self.include_deleted and "IsDeleted" in table.blank:
            found = (row for row in found if not row["IsDeleted"])
        for test in select.tests:
            found = filter(test, found)
        return iter(found)

    def archived(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Yield activities with IsArchived as it is by now; `query` leaves those out."""
        cutoff = self.org.archive_cutoff(self.now)
        for row in rows:
            if self.org.is_archived(row, cutoff):
                if self.include_deleted:
                    yield row | {"IsArchived": True}
            elif self.include_deleted or not row["IsDeleted"]:
                yield row

    def ordered(self, select: _Select, found: Iterable[Row]) -> Iterable[Row]:
        if not select.order_by:
            # No order is promised; by Id is what one mostly sees.
            return sorted(found, key=_id)
        as_kept = [("SystemModstamp", False), ("Id", False)]
        wanted = [(name, descending) for name, _, descending, _ in select.order_by]
        if wanted == as_kept[: len(wanted)]:
            return found
        rows = list(found)
        for _, get, descending, nulls_last in reversed(select.order_by):
            rows = _sorted(rows, get, descending, nulls_last)
        return rows

    def projection(self, select: _Select) -> Callable[[Row, str], dict[str, Any]]:
        """Return the function that makes wire records of this statement's rows."""
        sobject = select.sobject
        plain = all(len(path) == 1 and d["type"] != "address" for path, d in select.fields)
        if plain and not select.children:
            names = [path[0] for path, _ in select.fields]

            def flat(row: Row, version: str) -> dict[str, Any]:
                record: dict[str, Any] = {"attributes": attributes(sobject, row["Id"], version)}
                for name in names:
                    record[name] = row[name]
                return record

            return flat
        branches = _tree(select.fields)
        children = [self.child_results(child) for child in select.children]

        def nested(row: Row, version: str) -> dict[str, Any]:
            record: dict[str, Any] = {"attributes": attributes(sobject, row["Id"], version)}
            self.fill(record, sobject, row, branches, version)
            for name, results in children:
                record[name] = results(row["Id"], version)
            return record

        return nested

    def fill(
        self, record: dict[str, Any], sobject: str, row: Row, tree: dict[str, Any], version: str
    ) -> None:
        """Put the fields of a (sub)tree of paths into a record."""
        fields = self.org.sobject(sobject).fields
        for name, branch in tree.items():
            if branch is None:
                described = fields.get(name)
                if described is not None and described["type"] == "address":
                    record[name] = address(row, name)
                else:
                    record[name] = row.get(name)
                continue
            described = next(f for f in fields.values() if f["relationshipName"] == name)
            parent = self.org.find(row[described["name"]])
            if parent is None:
                record[name] = None
                continue
            target = self.org.type_of(parent["Id"])
            shown = "Name" if len(described["referenceTo"]) > 1 else target
            nested: dict[str, Any] = {
                "attributes": attributes(target, parent["Id"], version) | {"type": shown}
            }
            self.fill(nested, target, parent, branch, version)
            if "Type" in branch and shown == "Name":
                nested["Type"] = target
            record[name] = nested

    def child_results(
        self, select: _Select
    ) -> tuple[str, Callable[[str, str], dict[str, Any] | None]]:
        described = self.org.sobject(select.sobject).fields[select.via]
        by_parent: dict[str, list[Row]] = defaultdict(list)
        for row in self.ordered(select, self.matching(select)):
            if row[select.via] is not None:
                by_parent[row[select.via]].append(row)
        project = self.projection(select)

        def results(parent: str, version: str) -> dict[str, Any] | None:
            rows = by_parent.get(parent, [])[select.offset :][: select.limit]
            if not rows:
                return None
            records = [project(row, version) for row in rows]
            return {"totalSize": len(records), "done": True, "records": records}

        return described["childRelationshipName"], results


def _refuse_in_bulk(org: Org, select: _Select) -> None:
    """Refuse what only the other interfaces answer, object by object and clause by clause."""
    if select.sobject in org.not_in_bulk:
        message = f"Entity '{select.sobject}' is not supported by the Bulk API."
        raise ApiError(400, "INVALIDENTITY", message)
    kinds = {described["type"] for _, described in select.fields}
    if kinds & {"address", "location"}:
        message = "Selecting compound data not supported in Bulk Query"
        raise ApiError(400, "FEATURENOTENABLED", message)
    if "base64" in kinds:
        message = "Binary fields not supported in Bulk Query"
        raise ApiError(400, "FEATURENOTENABLED", message)
    if select.children:
        message = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type"
        raise ApiError(400, "FEATURENOTENABLED", message)
    if select.counts_rows or select.aggregates or select.group_by or select.offset:
        message = "GROUP BY, OFFSET and aggregates are not supported in Bulk Query"
        raise ApiError(400, "API_ERROR", message)


def attributes(sobject: str, id: str, version: str) -> dict[str, str]:
    """Return the `attributes` every record starts with."""
    return {"type": sobject, "url": f"/services/data/{version}/sobjects/{sobject}/{id}"}


def address(row: Row, name: str) -> dict[str, Any] | None:
    """Return a compound address, null when all its components are."""
    stem = name.removesuffix("Address")
    parts = ("City", "Country", "GeocodeAccuracy", "Latitude", "Longitude", "PostalCode",
             "State", "Street")  # fmt: skip
    found = {part[0].lower() + part[1:]: row[stem + part] for part in parts}
    return found if any(value is not None for value in found.values()) else None


def _tree(fields: Iterable[tuple[tuple[str, ...], FieldDescription]]) -> dict[str, Any]:
    """Return paths as nested dicts, in the order first named; a leaf is None."""
    tree: dict[str, Any] = {}
    for path, _ in fields:
        branch = tree
        for part in path[:-1]:
            branch = branch.setdefault(part, {})
        branch[path[-1]] = None
    return tree


def _aggregated(select: _Select, rows: list[Row]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[Row]] = {} if select.group_by else {(): rows}
    for row in rows if select.group_by else ():
        groups.setdefault(tuple(get(row) for _, get in select.group_by), []).append(row)
    names = [name.rpartition(".")[2] for name, _ in select.group_by]
    shown = {".".join(path) for path, _ in select.fields}
    answer = []
    for key, members in groups.items():
        record: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        for (full, _), name, value in zip(select.group_by, names, key, strict=True):
            if full in shown:
                record[name] = value
        for function, alias, get, kind in select.aggregates:
            record[alias] = _aggregate(function, get, members, kind)
        answer.append(record)
    for full, _, descending, nulls_last in reversed(select.order_by):
        name = full.rpartition(".")[2]
        answer = _sorted(answer, _member(name), descending, nulls_last)
    return answer


def _sorted(rows: list[Row], get: Getter, descending: bool, nulls_last: bool) -> list[Row]:
    """Return rows in order; null goes to one end whatever the direction."""
    present = sorted((row for row in rows if get(row) is not None), key=get, reverse=descending)
    absent = [row for row in rows if get(row) is None]
    return present + absent if nulls_last else absent + present


def _aggregate(function: str, get: Getter | None, rows: list[Row], kind: str) -> Any:
    values = [v for row in rows if get is not None and (v := get(row)) is not None]
    match function:
        case "COUNT":
            return len(values)
        case "COUNT_DISTINCT":
            return len(set(values))
        case _ if not values:
            return None
        case "MIN":
            return min(values)
        case "MAX":
            return max(values)
        case "SUM":
            return sum(values)
        case _:
            return sum(values) / len(values)


def _days_of(word: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the half-open range of moments a date word stands for, in UTC."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    if ":" in word:
        which, days = word.split(":")
        length = timedelta(days=int(days))
        if which.startswith("LAST"):
            return today - length, today + day
        return today + day, today + day + length
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    match word:
        case "YESTERDAY":
            return today - day, today
        case "TOMORROW":
            return today + day, today + 2 * day
        case "THIS_MONTH":
            return month, (month + 32 * day).replace(day=1)
        case "LAST_MONTH":
            return (month - day).replace(day=1), month
        case "THIS_YEAR":
            return year, year.replace(year=year.year + 1)
        case "LAST_YEAR":
            return year.replace(year=year.year - 1), year
        case _:
            return today, today + day


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1], flags=re.DOTALL)


def _getter(name: str, described: FieldDescription) -> Getter:
    if described["type"] == "address":
        return lambda row: address(row, name)
    return lambda row: row[name]


def _member(name: str) -> Getter:
    return lambda record: record.get(name)


def _folded(get: Getter) -> Getter:
    return lambda row: None if (v := get(row)) is None else v.lower()


def _stamp(row: Row) -> str:
    return str(row["SystemModstamp"])


def _id(row: Row) -> str:
    return str(row["Id"])


def _any(tests: Sequence[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _all(tests: Sequence[Test]) -> Test:
    return lambda row: all(test(row) for test in tests)


def _equals(get: Getter, value: Any, is_text: bool) -> Test:
    if is_text and value is not None:
        folded = value.lower()
        return lambda row: (v := get(row)) is not None and v.lower() == folded
    return lambda row: get(row) == value


def _differs(get: Getter, value: Any, is_text: bool) -> Test:
    equals = _equals(get, value, is_text)
    return lambda row: not equals(row)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Getter, Any, bool], Test]:
    def make(get: Getter, value: Any, is_text: bool) -> Test:
        if is_text:
            get, value = _folded(get), value.lower()
        return lambda row: (v := get(row)) is not None and compare(v, value)

    return make


_COMPARE: dict[str, Callable[[Getter, Any, bool], Test]] = {
    "=": _equals,
    "!=": _differs,
    "<": _ordering(lambda a, b: a < b),
    "<=": _ordering(lambda a, b: a <= b),
    ">": _ordering(lambda a, b: a > b),
    ">=": _ordering(lambda a, b: a >= b),
}
