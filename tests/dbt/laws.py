"""What the macros that stand over a difference between the engines must give, as a table.

Belongs here: the cases, and asking dbt for all of them in one query. Does not belong here: which
engine answers (`test_laws`, `tests/spark/test_laws`).
"""

from __future__ import annotations

from collections.abc import Iterator

from dbt.cli.main import dbtRunner

from tests.dbt.build import PROJECT

EIGHT = 1704873600000000
"""2024-01-10 08:00 UTC in microseconds."""

TO_TEN = f"({' union all '.join(f'select {number} as v' for number in range(1, 11))}) as t"

# (call of a macro, argument as SQL, the text that must come)
CALLS: dict[str, list[tuple[str, str | None]]] = {
    "micros({{ try_timestamp(X) }})": [
        ("'2024-01-10T08:00:00Z'", str(EIGHT)),
        ("'2024-01-10T08:00:00.000+0000'", str(EIGHT)),
        ("'2024-01-10T08:00:00.123456Z'", str(EIGHT + 123456)),
        ("'2024-01-10T08:00:00.123456789Z'", str(EIGHT + 123456)),
        ("'2024-01-10 10:00:00.5+02:00'", str(EIGHT + 500000)),
        ("'2024-01-10T04:30:00-0330'", str(EIGHT)),
        ("'2024-01-10T08:00:00'", str(EIGHT)),
        ("'2024-01-10T08:00'", str(EIGHT)),
        ("'2024-01-10'", "1704844800000000"),
        ("'0001-01-01T00:00:00Z'", "-62135596800000000"),
        ("'2024-01-10T08'", None),
        ("'2024-01-10T08:00:00+2'", None),
        ("'2024-01-10T08:00:00 +02:00'", None),
        ("'2024-01-10T08:00:00UTC'", None),
        ("'2024-01-10T08:00:60Z'", None),
        ("'2023-02-29T08:00:00Z'", None),
        ("'yesterday'", None),
        ("'08:00'", None),
        ("''", None),
        ("cast(null as string)", None),
    ],
    "{{ try_date(X) }}": [
        ("'2024-02-29'", "2024-02-29"),
        ("'2024-02-29T23:59:59-0800'", "2024-02-29"),
        ("'2023-02-29'", None),
        ("'29.02.2024'", None),
    ],
    "{{ number_text(try_decimal(X)) }}": [
        ("'1.50'", "1.5"),
        ("' 2 '", "2"),
        ("'100'", "100"),
        ("'0'", "0"),
        ("'1e3'", "1000"),
        ("'1_000'", "1000"),
        ("'-.5'", "-0.5"),
        # halves of the last digit go away from zero
        ("'0.0000000005'", "0.000000001"),
        ("'-0.0000000005'", "-0.000000001"),
        ("'0.0000000004'", "0"),
        ("'12345678901234567890123456789.123456789'", "12345678901234567890123456789.123456789"),
        ("'123456789012345678901234567890'", None),
        ("'1,234'", None),
        ("'0x10'", None),
        ("'١'", None),
        ("'NaN'", None),
        ("''", None),
    ],
    # half a thing is no whole number: neither 2 nor 3
    "{{ typed_value('cast(' ~ X ~ ' as decimal(38, 9))', 'integer') }}": [
        ("2", "2"), ("2.5", None), ("3.5", None), ("-2.5", None), ("2.000000001", None),
        ("null", None),
    ],
    "{{ try_boolean(X) }}": [
        ("'true'", "true"), ("'FALSE'", "false"), ("'yes'", "true"), ("'n'", "false"),
        ("'1'", "true"), ("' true'", None), ("'true '", None), ("'2'", None), ("''", None),
    ],
    "{{ days_between('cast(' ~ X ~ ' as date)', \"cast('2024-03-01' as date)\") }}": [
        ("'2024-02-28'", "2"), ("'2023-03-01'", "366"), ("'2024-03-01'", "0"),
        ("'2024-03-02'", "-1"),
    ],
    # 23:59 and 00:01 are two minutes, not a day
    "{{ seconds_between(try_timestamp(X), try_timestamp(\"'2024-03-01T00:01:00Z'\")) }}": [
        ("'2024-02-29T23:59:00Z'", "120"), ("'2024-03-01T00:00:59.000001Z'", "0"),
        ("'2024-03-01T00:01:00.9Z'", "0"), ("'2024-03-01T00:01:02Z'", "-2"),
    ],
    "{{ utc_day(try_timestamp(X)) }}": [
        ("'2024-02-29T23:59:59.999999Z'", "2024-02-29"),
        ("'2024-02-29T23:30:00-0100'", "2024-03-01"),
    ],
    "micros({{ end_of_day('cast(' ~ X ~ ' as date)') }})": [("'2024-01-09'", "1704844800000000")],
    "{{ days_after('cast(' ~ X ~ ' as date)', -1) }}": [("'2024-03-01'", "2024-02-29")],
    "{{ lower_case(X) }}": [
        ("'STRASSE'", "strasse"), ("'Straße'", "straße"), ("'STRAẞE'", "straße"),
        ("'ΝΙΚΟΣ'", "νικοσ"), ("'İSTANBUL'", "istanbul"), ("'ÀÉ🙂'", "àé🙂"),
    ],
    "{{ mailbox(X) }}": [
        ("'Ann.Lee+news@Gmail.com'", "annlee@gmail.com"),
        ("'ΝΙΚΟΣ+a@Example.com'", "νικοσ@example.com"),
        ("'no address'", None),
        ("'a@b'", None),
    ],
    # the first is taken away, not every one
    "{{ web_domain(X) }}": [
        ("'https://www.www.Example.com:80/a'", "www.example.com"),
        ("'http://http.example'", "http.example"),
        ("'example'", None),
    ],
    "{{ custom_value(X, \"'a'\") }}": [
        ("'{\"a\": \"x\\'\\'y\"}'".replace("\\'\\'", "’"), "x’y"),
        ("'{\"a\": null}'", None),
        ("'{\"b\": 1}'", None),
        ("'{\"a\": {\"b\":[1]}}'", '{"b":[1]}'),
        ("cast(null as string)", None),
    ],
    "{{ number_text(custom_number(X, \"'a'\")) }}": [
        ("'{\"a\": 1234567890123456.78}'", "1234567890123456.78"), ("'{\"a\": \"12\"}'", "12"),
        ("'{\"b\": 1}'", None),
    ],
    "{{ json_text(X) }}": [
        ("'a \"b\" ü🙂/'", '"a \\"b\\" ü🙂/"'),
        ("chr(9) || chr(10) || chr(13) || chr(8) || chr(12) || chr(92)", r'"\t\n\r\b\f\\"'),
        ("chr(1) || chr(31) || chr(127)", '"\\u0001\\u001F\x7f"'),
        ("cast(null as string)", None),
    ],
    "{{ is_json(X) }}": [
        ("'{\"a\": [1, null]}'", "true"), ("'[draft'", "false"), ("'12'", "true"),
        ("'hello'", "false"), ("'{} {}'", "false"), ("'{}] [{}'", "false"),
        ("'1, 2'", "false"), ("'1, \"v\": 2'", "false"), ("'{}} {'", "false"), ("''", "false"),
    ],
    "(select {{ joined('v', 'k') }} from {{ X }})": [
        ("(select 'b' as v, 2 as k union all select 'a', 10 union all select 'c', 1) as t",
         "c, b, a"),
        ("(select 'b' as v, 2 as k union all select null, 1) as t", "b"),
    ],
    # null in a text makes it null, among several it is left out
    "'a' || {{ 'cast(' ~ X ~ ' as string)' }}": [("null", None), ("'b'", "ab")],
    "concat_ws(';', 'a', {{ 'cast(' ~ X ~ ' as string)' }}, 'b')": [("null", "a;b")],
    # nobody's share is unknown, not an error and not infinite
    "cast({{ share('1', X) }} as decimal(9, 2))": [("0", None), ("4", "0.25"), ("null", None)],
    # everybody's wait is over: the logarithm of nobody is not asked for
    "(select median_wait from ({{ product_limit(X, ['g'], 'wait', 'is_over') }}) as waits)": [
        ("(select 1 as g, 5 as wait, true as is_over) as one", "5"),
        ("(select 1 as g, 5 as wait, false as is_over) as one", None),
    ],
    # a tenth less with each 30 days
    "{{ faded(7, X) }}": [("0", "7.000000"), ("30", "6.300000"), ("90", "5.103000")],
    "{{ in_days(X) }}": [("86400", "1.0"), ("4320", "0.1"), ("null", None)],
    # ranks 6 to 10 of ten: (40 - 27.5) / sqrt(5 * 5 * 11 / 12); with each in a stratum of its own
    # nobody has somebody to be compared with
    "(select z from ({{ rank_sum(X, ['g'], 's', 'v', 'is_one') }}) as tested)": [
        (f"(select 1 as g, 1 as s, v, v > 5 as is_one from {TO_TEN}) as r", "2.611"),
        (f"(select 1 as g, v as s, v, v > 5 as is_one from {TO_TEN}) as r", None),
        (f"(select 1 as g, 1 as s, 3 as v, v > 5 as is_one from {TO_TEN}) as r", None),
    ],
    "(select {{ sorted_list('v') }} from {{ X }})": [
        ("(select 'b' as v union all select 'a' union all select null) as t", "a,b"),
        ("(select cast(null as string) as v) as t", None),
    ],
    "(select cast(sum(v) as decimal(18, 2)) from {{ X }})": [
        (
            "(select cast(t as decimal(18, 2)) as v from (select '0.10' as t union all"
            " select '0.20' union all select '90071992547409.93') as told) as t",
            "90071992547410.23",
        ),
    ],
    "(select cast({{ exact_median('v') }} as decimal(9, 2)) from {{ X }})": [
        ("(select 1 as v union all select 2 union all select 4) as t", "2.00"),
        ("(select 1 as v union all select 2) as t", "1.50"),
        # what lies between two is rounded once, at its end
        ("(select cast(t as decimal(9, 2)) as v from (select '5.55' as t union all select '5.56')"
         " as told) as t", "5.56"),
    ],
    "(select cast({{ whole_median('v') }} as decimal(9, 2)) from {{ X }})": [
        ("(select 4 as v union all select 1 union all select 2) as t", "2.00"),
        ("(select 2 as v union all select null union all select 1) as t", "1.50"),
        ("(select cast(null as int) as v) as t", None),
    ],
    "(select cast({{ exact_quantile('v', 0.25) }} as decimal(9, 2)) from {{ X }})": [
        ("(select 1 as v union all select 2 union all select 4) as t", "1.50"),
        ("(select cast(t as decimal(9, 2)) as v from (select '0.01' as t union all select '0.07')"
         " as told) as t", "0.03"),
    ],
    # a null is last where it is said so
    "(select min(f) from (select first_value(v) over (order by v nulls last) f from {{ X }}) w)": [
        ("(select cast(null as int) as v union all select 3) as t", "3"),
    ],
}  # fmt: skip

# A moment as microseconds since 1970 is the same text on any engine.
MICROS = {"duckdb": "epoch_us(", "spark": "unix_micros("}


def laws() -> Iterator[tuple[str, str, str | None]]:
    """Yield (name, SQL with macros, the text that must come)."""
    for call, cases in CALLS.items():
        for argument, answer in cases:
            quoted = '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'
            yield f"{call} of {argument}", call.replace("X", quoted), answer


def broken(target: str, *arguments: str) -> dict[str, tuple[str | None, str | None]]:
    """Return law -> (what must come, what came) of all laws that the target does not keep."""
    expected = list(laws())
    query = "\nunion all\n".join(
        f"select {number} as law, cast({sql} as {{{{ dbt.type_string() }}}}) as came"
        for number, (_, sql, _) in enumerate(expected)
    ).replace("micros(", MICROS[target])
    done = dbtRunner().invoke(
        [
            *("--quiet", "show", "--inline", query, "--limit", "-1", "--output", "json"),
            *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
            *("--target", target),
            *arguments,
        ]
    )
    if done.exception is not None:
        raise done.exception
    [result] = done.result.results
    assert result.agate_table is not None, result.message
    came = {int(number): text for number, text in result.agate_table.rows}
    return {
        name: (answer, came[number])
        for number, (name, _, answer) in enumerate(expected)
        if came[number] != answer
    }
