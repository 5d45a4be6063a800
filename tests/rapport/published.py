"""A small published warehouse, written by hand into the tables that the models' contracts name.

Belongs here: tables with the contracts' columns, and a company of a few hundred people to look
at, hostile names included. Does not belong here: any metric; the numbers are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from rapport.config import Config, load

ROOT = Path(__file__).resolve().parents[2]
AS_OF = date(2026, 11, 22)
KNOWN_AT = datetime(2026, 11, 23, 4, 0)
SILOS = ("crm", "forum", "support")

HOSTILE_NAMES = (
    "<script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "\"><svg onload=document.title='run'>",
    'O\'Brien "Bobby" & Söhne',
    "two\nlines\r\nand a tab\t",
    "\u202egnol eman\u2066",
    "x" * 10_240,
    "{{ 7 * 7 }}{% raw %}",
    "👩‍👩‍👧 Família 🌻",
    "]]></style><script>document.title='run'</script>",
    "\x1b[31mred\x1b[0m [bold]markup[/bold]",
)

Rows = Iterable[Mapping[str, Any]]


@cache
def columns(table: str) -> dict[str, str]:
    """Return column -> type of a mart or metric, as its contract declares them."""
    (path,) = ROOT.glob(f"dbt_project/models/*/{table}.yml")
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return {column["name"]: column["data_type"] for column in model["columns"]}


TABLES = tuple(
    sorted(
        path.stem
        for pattern in (
            "dim_*",
            "fct_*",
            "bridge_*",
            "rel_*",
            "identity_explanation",
            "ops_strategy_version",
        )
        for path in ROOT.glob(f"dbt_project/models/*/{pattern}.yml")
    )
)


def write(home: Path, tables: Mapping[str, Rows], as_of: date = AS_OF) -> Path:
    """Write `<home>/warehouse.duckdb`; tables not given are there and empty."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        for table in TABLES:
            shape = ", ".join(f'"{name}" {kind}' for name, kind in columns(table).items())
            connection.execute(f"create table {table} ({shape})")
            rows = list(tables.get(table, ()))
            if rows:
                names = {name: None for row in rows for name in row}
                given = pa.table({name: [row.get(name) for row in rows] for name in names})
                connection.register("given", given)
                connection.execute(f"insert into {table} by name select * from given")
        connection.execute(
            "create table publication as select ?::date as as_of, ?::timestamptz as known_at",
            [as_of, KNOWN_AT],
        )
    return path


def configure(home: Path, text: str = "", *, strategy: bool = False) -> Config:
    """Return a configuration for `home` (YAML in `text` is added to it)."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "rapport.yml"
    path.write_text(f"{text}\nhome: .\n", encoding="utf-8")
    if strategy:
        (home / "strategy.yml").write_text(
            "version: 2026-11\n"
            'vision: {statement: "A place where makers help <b>makers</b>.", '
            "archetype: community}\n",
            encoding="utf-8",
        )
    return load(path)


def company(
    names: Sequence[str] = HOSTILE_NAMES,
    *,
    verdicts: bool = True,
    silos: Sequence[str] = SILOS,
    size: int = 70,
) -> dict[str, list[dict[str, Any]]]:
    """Return rows of a company whose people and organizations bear `names`, over and over."""

    def name(i: int) -> str:
        return names[i % len(names)]

    people = [
        {
            "person_id": f"per_{i:016x}",
            "display_name": name(i),
            "is_staff": i >= size,
            "is_bot": False,
            "organization_id": f"org_{i % 60:016x}",
            "silos": ",".join(silos[: 1 + i % len(silos)]),
            "n_silos": 1 + i % len(silos),
            "is_linked": i % len(silos) > 0,
            "n_profiles": 1 + i % len(silos),
        }
        for i in range(size + 3)
    ]
    profiles = [
        {
            "profile_key": f"{silo}:people:{person['person_id']}",
            "source": silo,
            "silo": silo,
            "stream": "people",
            "entity": "person",
            "person_id": person["person_id"],
            "display_name": person["display_name"],
            "native_id": person["person_id"],
            "email": f"{person['person_id']}@acme.example",
            "first_seen_at": datetime(2024, 1, 1),
            "is_deleted": False,
        }
        for person in people
        for silo in str(person["silos"]).split(",")
    ]
    return {
        "dim_person": people,
        "dim_profile": profiles,
        "identity_explanation": list(_pairs(people, silos)),
        "dim_organization": [
            {
                "organization_id": f"org_{i:016x}",
                "name": name(i + 1),
                "currency": "USD",
                "owner_name": name(i + 2) if i % 4 else None,
            }
            for i in range(60)
        ],
        "rel_organization": list(_organizations(verdicts, silos, size)),
        "rel_disengagement": list(_disengagement(verdicts, size)),
        "rel_community_health": list(_health(verdicts)) if "forum" in silos else [],
        "rel_activity_daily": [
            {
                "actor_key": f"per_{i:016x}", "person_id": f"per_{i:016x}", "role": "actor",
                "day": AS_OF - timedelta(days=i), "silo": "forum", "behavior": "answer",
                "is_staff": False, "is_bot": False, "events": 1, "as_of": AS_OF,
            }
            for i in range(40)
            if "forum" in silos
        ],
        "rel_data_trust": list(_trust(silos)),
        **_answers(verdicts, name),
        "rel_engagement": list(_engagement(verdicts, size)),
        "rel_engagement_segment": list(_segments(verdicts, name)),
        "rel_cadence": list(_cadence(name)),
        "fct_interaction": list(_interactions(silos, size)),
        "fct_case": [
            {
                "case_id": "crm:cases:1", "organization_id": f"org_{0:016x}", "status": name(1),
                "opened_at": datetime(2026, 11, 2), "is_closed": False, "is_deleted": False,
            }
        ]
        if "support" in silos
        else [],
        "fct_deal": [
            {
                "deal_id": "crm:deals:1", "organization_id": f"org_{0:016x}", "name": name(0),
                "stage": name(2), "amount": 1250, "currency": "USD", "is_closed": False,
                "is_deleted": False, "created_at": datetime(2026, 1, 2),
            }
        ],
        "bridge_person_organization": [
            {
                "person_id": f"per_{i:016x}", "organization_id": f"org_{i % 60:016x}",
                "title": name(i + 3), "basis": "record", "is_current": i % 5 > 0,
                "is_primary": True, "stay_from": datetime(2024, 1, 1),
                "valid_from": datetime(2024, 1, 1),
                "valid_to": None if i % 5 else datetime(2026, 1, 1),
            }
            for i in range(size)
        ],
        "dim_custom_field": [
            {
                "entity": "organization", "entity_id": f"org_{0:016x}", "profile_key": "crm:a:1",
                "source": "crm", "field": field, "type": "text", "value_text": name(i),
                "pii": pii,
            }
            for i, (field, pii) in enumerate((("Tier__c", "none"), ("Handle__c", "direct")))
        ],
    }  # fmt: skip


def snapshot(as_of: date = AS_OF, basis: str = "as_known") -> dict[str, Any]:
    """Return the columns every snapshot carries."""
    return {
        "as_of": as_of, "basis": basis, "known_at": KNOWN_AT, "metric_version": "1",
        "coverage": 1.0,
    }  # fmt: skip


def _pairs(people: Sequence[Mapping[str, Any]], silos: Sequence[str]) -> Rows:
    """Join the profiles of each person in a row, and suggest the next person."""
    for i, person in enumerate(people):
        one = person["person_id"]
        keys = [f"{silo}:people:{one}" for silo in str(person["silos"]).split(",")]
        for steps, (left, right) in enumerate(pairwise(keys), start=1):
            yield {
                "entity": "person", "left_id": one, "right_id": one, "left_key": left,
                "right_key": right, "state": "live", "rule_id": "own_mailbox",
                "words": "same e-mail address", "evidence": f"p***@{person['display_name']}",
                "tier": 6, "far_key": right, "steps": steps, "confidence": 0.9**steps,
            }  # fmt: skip
        other = people[(i + 1) % len(people)]["person_id"]
        yield {
            "entity": "person", "left_id": one, "right_id": other, "left_key": keys[0],
            "right_key": f"{silos[0]}:people:{other}", "state": "refused", "rule_id": "rare_name",
            "words": "same full name", "tier": 9,
            "refusal": f"kept apart by identity/links.csv:2: {person['display_name']}",
        }  # fmt: skip


def _organizations(verdicts: bool, silos: Sequence[str], size: int) -> Rows:
    for i in range(60):
        known = i % 9 != 5
        yield snapshot() | {
            "organization_id": f"org_{i:016x}",
            "owner_person_id": f"per_{size + i % 3:016x}" if i % 4 else None,
            "usual_gap_days": 3 + i % 11,
            "current_gap_days": 9 + 3 * i if i < 55 else None,
            "gap_ratio": 3,
            **{f"people_active_90d_{silo}": (i % 4 if silo in silos else None) for silo in SILOS},
            "is_single_threaded": i % 3 == 0,
            "top_person_id": f"per_{i:016x}",
            "champion_person_id": f"per_{i:016x}" if i % 3 else None,
            "top_person_share": 0.83,
            "people_known": 3,
            "people_active_90d": 3,
            "requests_90d": 5,
            "unanswered_90d": 3 if i % 2 else 0,
            "open_cases": i % 4 if "support" in silos else None,
            "oldest_open_case_days": 12 if i % 4 and "support" in silos else None,
            "score": 8 + i,
            "n": 100 - i,
            "champion_left": i == 0,
            "verdict": ("at risk" if i < 32 else "watch") if verdicts else None,
            "reason_1": f"usually in touch every {3 + i % 11} days, now {9 + 3 * i} days quiet",
            "reason_2": "3 messages of theirs without an answer" if i % 2 else None,
            "reason_3": "only one person there is in contact with us" if i % 3 == 0 else None,
            "renewal_date": AS_OF + timedelta(days=40 - 3 * i) if known else None,
            "days_to_renewal": 40 - 3 * i if known else None,
            "renewal_amount": 1250 * i if known else None,
        }


def _disengagement(verdicts: bool, size: int) -> Rows:
    for i in range(size):
        level = ("slowing", "look in") if i % 3 else ("quiet", "get in touch personally")
        yield snapshot() | {
            "person_id": f"per_{i:016x}",
            "organization_id": f"org_{i % 60:016x}" if i % 5 else None,
            "owner_person_id": f"per_{size + i % 3:016x}" if i % 4 else None,
            "first_quiet_silo": "forum" if i % 4 else None,
            "active_days": 120 - i,
            "gaps": 119 - i,
            "usual_gap_days": 2 + i % 9,
            "current_gap_days": 24 + 2 * i,
            "gap_ratio": 5,
            "level": level[0] if verdicts else None,
            "save_rank": 1 + i // 3 if verdicts and i < 60 else None,
            "action": level[1] if verdicts else None,
            "reason_1": f"usually every {2 + i % 9} days, now {24 + 2 * i} days quiet",
            "reason_2": "forum went quiet first, 31 days ago" if i % 4 else None,
            "reason_3": f"active on {120 - i} days of the last 365",
        }


def _health(verdicts: bool) -> Rows:
    for step in range(13, -1, -1):
        wave = (step * 37) % 23
        active, churned, questions = 420 + 9 * (13 - step) + wave, 60 + wave, 130 + wave
        values = {
            "window_days": 28,
            "active": active,
            "new_members": 48 + wave,
            "retained": active - 66 - 2 * wave,
            "resurrected": 18 + wave,
            "churned": churned,
            "quick_ratio": (66 + 2 * wave) / churned,
            "questions": questions,
            "questions_7d": questions - 31,
            "answered_7d_share": 0.62 + wave / 100,
            "median_first_response_hours": 3.2 + wave / 4,
            "p90_first_response_hours": 40 + wave,
            "newcomer_questions_7d": 20 + wave,
            "newcomer_answered_7d_share": 0.5 + wave / 100,
            "answers": 300 + wave,
            "answered_share": 0.7,
            "questions_364d": 1500,
            "answered_share_364d": 0.9,
            "median_first_response_hours_364d": 5.5,
            "member_answers_share": 0.81,
            "helpers": 50 + wave,
            "top_helper_share": 0.11 + wave / 400,
            "helper_absence_factor": 6 + wave % 3,
            "verdict": "helpful, but shrinking" if verdicts else None,
            "reason_1": "24 of 120 questions got no answer within 7 days",
            "n": active,
        }
        basis = "backcast" if step else "as_known"
        base = snapshot(AS_OF - timedelta(days=28 * step), basis)
        if step == 12:
            values = {"n": None}
        yield (
            base
            | {"segment_type": "all", "segment": "all"}
            | values
            | ({"coverage": 0.3} if step in (11, 10) else {})
        )
        for place in ("forum/help", "forum/<b>show</b>", "forum/ideas"):
            yield base | {"segment_type": "place", "segment": place} | values


def _engagement(verdicts: bool, size: int) -> Rows:
    for i in range(size):
        yield snapshot() | {
            "person_id": f"per_{i:016x}", "score": 200 - i, "percentile": 100 - i,
            "level": 1 + i % 4 if verdicts else None,
            "previous_level": 2 + i % 4 if verdicts and i < 20 else None,
            "reason_1": f"answered {40 - i} times in 90 days", "active_days_90d": 4,
        }  # fmt: skip


def _segments(verdicts: bool, name: Callable[[int], str]) -> Rows:
    for i, (rule, segment) in enumerate((("all", "all"), ("tier", name(0)), ("tier", name(1)))):
        yield snapshot() | {
            "segment_type": rule, "segment": segment, "people": 70 - i, "people_364d": 60,
            "people_90d": 50, "people_28d": 40, "p25_score": 1, "median_score": 2 + i,
            "p75_score": 9, "n": 60, "moved_up": 3, "held": 50, "moved_down": 7,
            **dict.fromkeys(
                ("people_leading", "people_contributing", "people_participating",
                 "people_exploring"), 15 if verdicts else None),
        }  # fmt: skip


def _cadence(name: Callable[[int], str]) -> Rows:
    for rule, segment in (("all", "all"), ("tier", name(0))):
        for ordinal in range(2, 9):
            yield snapshot() | {
                "step": "contribution", "segment_type": rule, "segment": segment,
                "ordinal": ordinal, "started": 100, "reached": 100 - 10 * ordinal,
                "reached_share": 1 - ordinal / 10, "p25_days": 3, "median_days": 9 * ordinal,
                "p75_days": 20 * ordinal, "trip_wire_days": 40, "waiting": 10,
                "past_trip_wire": 4, "reason_1": "2nd contribution: reached by 80 of 100",
                "n": 100,
            }  # fmt: skip


def filled(table: str, number: int, text: str = "", **given: object) -> dict[str, Any]:
    """Return a row with something in every column: numbers that no other column or row has.

    Shares and chances lie between 0 and 1; columns of words hold `text`.
    """
    row: dict[str, Any] = {}
    for place, (name, kind) in enumerate(columns(table).items()):
        distinct = 1_000 * number + 13 * place + 7
        if kind == "varchar":
            row[name] = text
        elif kind == "boolean":
            row[name] = place % 2 == 0
        elif kind == "date":
            row[name] = AS_OF - timedelta(days=distinct % 700)
        elif kind == "timestamptz":
            row[name] = datetime(2026, 1, 1) + timedelta(hours=distinct % 7_000)
        elif unit(table, name) in ("share", "probability"):
            row[name] = distinct % 997 / 1_000
        else:
            row[name] = distinct
    return row | snapshot() | given


@cache
def unit(table: str, column: str) -> str:
    """Return what the contract of a table counts a column in; empty if in nothing."""
    (path,) = ROOT.glob(f"dbt_project/models/*/{table}.yml")
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    (found,) = [one for one in model["columns"] if one["name"] == column]
    return str(found["config"]["meta"].get("unit", ""))


def _answers(verdicts: bool, name: Callable[[int], str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables behind goals, tiers, ties, journeys, qualities, lifetimes and money."""

    def person(i: int) -> str:
        return f"per_{i:016x}"

    def some(table: str, n: int, rows: Callable[[int], Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [filled(table, i, name(i), **rows(i)) for i in range(n)]

    return {
        "rel_scoreboard": [
            filled(
                "rel_scoreboard", step, name(step), goal=f"community.{metric}", unit=unit_,
                relationship="community", why=name(1), metric_table="rel_community_health",
                metric=metric, direction="at least", target=target, segment_type="all",
                segment="all", status=status, actual=actual - step / 100, actual_1_ago=actual / 2,
                owner=name(2), horizon="short", due_on=date(2027, 6, 30), gap=target - actual,
                as_of=AS_OF - timedelta(days=28 * step),
            )
            for metric, unit_, target, actual, status in (
                ("answered_7d_share", "share", 0.9, 0.62, "off course"),
                ("helper_absence_factor", "people", 15.0, 12.0, "on course"),
            )
            for step in range(3)
        ] + [
            {"as_of": AS_OF, "basis": "as_known", "goal": "press", "relationship": "press",
             "why": name(0), "segment_type": "all", "segment": "all", "status": "no goal",
             "action": "set a goal", "n": 0, "coverage": 0.0},
        ] if verdicts else [],
        "ops_strategy_version": [
            {"number": 1, "version": name(0), "since": datetime(2026, 9, 1), "until": KNOWN_AT,
             "fingerprint": "a",
             "changes": f"vision.statement is {name(1)}; levels is 1; b is 2; c is 3"},
            {"number": 2, "version": name(0), "since": KNOWN_AT, "until": None,
             "fingerprint": "b", "changes": "levels is 3, was 1"},
        ],
        "rel_tier": some("rel_tier", 6, lambda i: {
            "person_id": person(i), "programme": "guild", "tier": "helper" if i % 2 else None,
            "tier_rank": i % 2, "status": ("at risk", "none")[i % 2 == 0], "perks": name(3),
            "owner_person_id": person(70) if i % 4 == 1 else None, "next_gap": (7 + i) / 100,
        }) if verdicts else [],
        "rel_tier_flow": [
            filled("rel_tier_flow", i, name(i), programme="guild", from_tier=tier, to_tier=tier,
                   movement="held", people=3)
            for i, tier in enumerate(("none", "helper"))
        ] if verdicts else [],
        "rel_disengagement_check": some("rel_disengagement_check", 3, lambda i: {
            "population": ("everybody", "came again", "drifting")[i], "horizon_days": 28 * (i + 1),
        }),
        "rel_bond_organization": some("rel_bond_organization", 5, lambda i: {
            "organization_id": f"org_{i:016x}", "other_organization_id": "us",
            "absence_factor": 1, "top_person_id": person(i), "top_other_person_id": person(71),
            "owner_person_id": person(72) if i % 2 else None,
        }),
        "rel_importance": some("rel_importance", 6, lambda i: {
            "person_id": person(i) if i else person(72), "party_kind": "customer" if i else "staff",
            "importance": 90 - i / 8, "reach_part": 61 + i / 8, "attention_part": 51 + i / 8,
            "bridge_part": 41 + i / 8, "engagement_part": 31 + i / 8, "buying_percentile": 21 + i,
            "quadrant": ("buying", "important beyond buying")[i % 2] if verdicts else None,
        }),
        "rel_bond": some("rel_bond", 4, lambda i: {
            "person_id": person(i), "other_person_id": person(i + 1),
            "kind_pair": "customer-staff", "strength": 9 - i / 8, "specificity_bits": 10 - i,
        }),
        "rel_journey": [
            filled("rel_journey", 10 * i + place, name(i), process="crm: cases", window_days=window,
                   from_step=before, to_step=after, removal_rank=removal, mean_people=1 + place / 8)
            for i, window in enumerate((28, 364))
            for place, (before, after, removal) in enumerate((
                ("all", "all", None), ("they: opened", name(4), 1),
                ("we: comment", "they: closed", None),
            ))
        ],
        "rel_journey_case": some("rel_journey_case", 5, lambda i: {
            "journey_id": f"crm:cases:{i}", "process": "crm: cases", "person_id": person(i),
            "organization_id": f"org_{i:016x}", "waits_for": "us" if i < 3 else "them",
        }),
        "rel_track": [
            filled("rel_track", 10 * i + place, name(i), quality=quality, party_kind=kind,
                   indicator=indicator, given_by=giver, direction=direction, unit=unit_,
                   value=None if lit_by else (30 + 7 * i + place) / 100, lit_by=lit_by,
                   previous_value=(20 + 7 * i + place) / 100, z=2 + place,
                   n=0 if lit_by else 300 + 10 * i + place, effect=effect,
                   **({"action": None, "owner": None} if not verdicts else {}))
            for i, kind in enumerate(("customer", "staff"))
            for place, (quality, indicator, giver, direction, unit_, lit_by, effect) in enumerate((
                ("trust", "promises_kept", "us", "supports", "share", None, "weakened"),
                ("respect", "response_hours", "us", "erodes", "hours", None, "strengthened"),
                ("kindness", "reactions_unkind", "anyone", "erodes", "share", name(5), None),
            ))
        ],
        "rel_lifetime": [
            filled("rel_lifetime", 10 * i + place, name(place), step=step, cohort_type=cohort_type,
                   cohort=name(place) if cohort_type == "plan" else str(place),
                   quiet_days=quiet, is_chosen=quiet == 180)
            for i, step in enumerate(("any act", "purchase"))
            for place, (cohort_type, quiet) in enumerate((
                ("all", 90), ("all", 180), ("arrival_84d", 180), ("plan", 180),
            ))
        ],
        "rel_value_segment": some("rel_value_segment", 3, lambda i: {
            "segment_type": "all" if i == 0 else "plan", "currency": "USD",
        }),
        "rel_value": some("rel_value", 4, lambda i: {
            "party_id": person(i) if i else f"org_{0:016x}", "person_id": person(i) if i else None,
            "organization_id": f"org_{0:016x}", "currency": "USD",
        }),
        "rel_value_model": some("rel_value_model", 2, lambda i: {
            "model": ("bg_nbd", "gamma_gamma")[i], "state": ("fitted", "too few")[i],
        }),
    }  # fmt: skip


def _interactions(silos: Sequence[str], size: int) -> Rows:
    """Sixty public acts of people outside, and sixty letters of ours to organizations."""
    for i in range(60):
        yield {
            "interaction_id": f"{silos[0]}:posts:{i}", "silo": silos[0], "channel": silos[0],
            "kind": ("question", "answer", "comment")[i % 3], "is_deleted": False,
            "direction": "peer", "is_staff_actor": False, "is_bot_actor": False,
            "actor_person_id": f"per_{i % 6:016x}", "target_person_id": f"per_{i:016x}",
            "organization_id": f"org_{i % 6:016x}", "place": "help",
            "occurred_at": datetime(2026, 11, 1) + timedelta(days=i - 40),
        }  # fmt: skip
        yield {
            "interaction_id": f"crm:emails:{i}", "silo": "crm", "channel": "email",
            "kind": "email", "is_deleted": False, "direction": "outbound",
            "is_staff_actor": True, "is_bot_actor": False,
            "actor_person_id": f"per_{size + i % 3:016x}",
            "target_person_id": f"per_{40 + i % 20:016x}", "organization_id": f"org_{i:016x}",
            "occurred_at": datetime(2026, 11, 1) + timedelta(days=i - 40),
        }  # fmt: skip


def _trust(silos: Sequence[str]) -> Rows:
    for silo in silos:
        yield snapshot() | {
            "source": silo,
            "stream": "users",
            "field": "*",
            "profiles": 70,
            "rows_held": 80,
            "quarantined": 1,
            "missing": 0,
            "source_count": 80,
            "freshness_hours": 3.0,
            "is_finished": True,
            "coverage_text": "nothing <b>older</b> than 30 days",
            "linked_share": 0.64,
        }
        yield snapshot() | {
            "source": silo, "stream": "users", "field": "email", "filled_share": 0.5,
            "profiles": 70,
        }  # fmt: skip
    if "forum" in silos:
        for source, share in ((silos[0], 0.6), ("support", 0.25), ("*", 0.7)):
            yield snapshot() | {
                "source": source, "stream": "*", "field": "*",
                "active_forum_people": 40, "active_forum_people_share": share,
            }  # fmt: skip
