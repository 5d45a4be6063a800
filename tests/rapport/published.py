"""A small published warehouse, written by hand into the tables that the models' contracts name.

Belongs here: tables with the contracts' columns, and a company of a few hundred people to look
at, hostile names included. Does not belong here: any metric; the numbers are made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
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
        for pattern in ("dim_*", "fct_*", "bridge_*", "rel_*")
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
            "is_deleted": False,
        }
        for person in people
        for silo in str(person["silos"]).split(",")
    ]
    return {
        "dim_person": people,
        "dim_profile": profiles,
        "dim_organization": [
            {
                "organization_id": f"org_{i:016x}",
                "name": name(i + 1),
                "currency": "USD",
                "owner_name": name(i + 2),
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
                "is_staff": False, "is_bot": False, "as_of": AS_OF,
            }
            for i in range(40)
            if "forum" in silos
        ],
        "rel_data_trust": list(_trust(silos)),
        "fct_interaction": [
            {
                "interaction_id": f"{silos[0]}:posts:{i}", "silo": silos[0],
                "kind": ("question", "answer", "comment")[i % 3], "is_deleted": False,
                "occurred_at": datetime(2026, 11, 1) + timedelta(days=i - 20),
            }
            for i in range(60)
        ],
        "fct_case": [{"case_id": "crm:cases:1"}] if "support" in silos else [],
    }  # fmt: skip


def snapshot(as_of: date = AS_OF, basis: str = "as_known") -> dict[str, Any]:
    """Return the columns every snapshot carries."""
    return {
        "as_of": as_of, "basis": basis, "known_at": KNOWN_AT, "metric_version": "1",
        "coverage": 1.0,
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
            "top_person_share": 0.83,
            "open_cases": i % 4 if "support" in silos else None,
            "oldest_open_case_days": 12 if i % 4 else None,
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


def _trust(silos: Sequence[str]) -> Rows:
    for silo in silos:
        yield snapshot() | {
            "source": silo,
            "stream": "users",
            "field": "*",
            "profiles": 70,
            "linked_share": 0.64,
        }
    if "forum" in silos:
        for source, share in ((silos[0], 0.6), ("support", 0.25), ("*", 0.7)):
            yield snapshot() | {
                "source": source, "stream": "*", "field": "*",
                "active_forum_people": 40, "active_forum_people_share": share,
            }  # fmt: skip
