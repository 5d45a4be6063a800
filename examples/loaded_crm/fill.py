"""Write a database as Fivetran leaves one of a Salesforce: `python fill.py crm.db`.

Belongs here: the tables' shape and the traps that real ones hold (soft deletes, a history table,
queues as owners, leads among contacts, rows without a stamp, text that is not UTF-8). The rows
are generated, and the same at each call. https://fivetran.com/docs/core-concepts
"""

from __future__ import annotations

import random
import sqlite3
import sys
from datetime import datetime, timedelta
from pathlib import Path

END = datetime(2026, 6, 30, 18)
ACCOUNTS, CONTACTS, OPPORTUNITIES, CASES, TASKS, USERS = 60, 220, 140, 160, 600, 6

TABLES = """
create table user (id text primary key, name text, email text, is_active boolean,
    _fivetran_deleted boolean, _fivetran_synced timestamp);
create table account (id text primary key, name text, website text, type text, industry text,
    parent_id text, owner_id text, created_date timestamp, tier_c text, renewal_date_c date,
    renewal_amount_c numeric, description text, _fivetran_deleted boolean,
    _fivetran_synced timestamp);
create table contact (id text primary key, first_name text, last_name text, email text, phone text,
    account_id text, owner_id text, created_date timestamp, description text,
    _fivetran_deleted boolean, _fivetran_synced timestamp);
create table opportunity (id text, account_id text, owner_id text, name text, stage_name text,
    amount numeric, is_closed boolean, is_won boolean, created_date timestamp, close_date date,
    _fivetran_start timestamp, _fivetran_end timestamp, _fivetran_active boolean,
    _fivetran_synced timestamp, primary key (id, _fivetran_start));
create table "case" (id text primary key, contact_id text, account_id text, owner_id text,
    created_date timestamp, closed_date timestamp, status text, priority text, origin text,
    subject text, _fivetran_deleted boolean, _fivetran_synced timestamp);
create table task (id text primary key, owner_id text, who_id text, account_id text, status text,
    task_subtype text, subject text, created_date timestamp, completed_date_time timestamp,
    _fivetran_deleted boolean, _fivetran_synced timestamp);
"""
FIRST = (
    "Ada Grace Alan Edsger Barbara Donald Radia Ken Frances Niklaus Zoë José Łukasz Siobhán".split()
)
LAST = (
    "Lovelace Hopper Turing Dijkstra Liskov Knuth Perlman Thompson Allen Wirth O'Brien Żak".split()
)
FOREVER = "9999-12-31 23:59:59"


def fill(path: Path) -> None:
    """Write the database anew."""
    path.unlink(missing_ok=True)
    chance = random.Random(7)

    def identifier(prefix: str, number: int) -> str:
        return f"{prefix}Ux{number:010d}AAA"

    def before(days: float, at: datetime = END) -> datetime:
        return at - timedelta(days=days * chance.random(), seconds=chance.randrange(60))

    def stamp(at: datetime) -> str:
        return at.isoformat(sep=" ", timespec="milliseconds")

    def marks() -> tuple[bool, str]:
        """Return whether a row is deleted, and when it was synced: whole loads share a stamp."""
        return chance.random() < 0.04, stamp(END - timedelta(hours=6 * chance.randrange(200)))

    users = [identifier("005", n) for n in range(USERS)]
    accounts = [identifier("001", n) for n in range(ACCOUNTS)]
    contacts = [identifier("003", n) for n in range(CONTACTS)]
    account_of = {contact: chance.choice(accounts) for contact in contacts}
    rows: dict[str, list[tuple[object, ...]]] = {"user": [], "account": [], "contact": []}

    for n, user in enumerate(users):
        name = f"{FIRST[n]} {LAST[-n - 1]}"
        email = f"{FIRST[n].lower()}@ourcompany.example"
        rows["user"].append((user, name, email, n < 5, False, stamp(before(50))))
    for n, account in enumerate(accounts):
        kind = chance.choice(["Customer", "Customer", "Prospect", "Partner", None])
        renewal = (END + timedelta(days=chance.randrange(-30, 300))).date().isoformat()
        rows["account"].append((
            account, f"Company {n:02d}", f"company{n:02d}.example", kind,
            chance.choice(["Software", "Retail", None]), accounts[n - 1] if n % 9 == 8 else None,
            chance.choice(users), stamp(before(1500)), chance.choice(["gold", "silver", None]),
            renewal if kind == "Customer" else None,
            f"{chance.randrange(1, 900)}00.10" if kind == "Customer" else None,
            "Call before noon", *marks(),
        ))  # fmt: skip
    for n, contact in enumerate(contacts):
        first, last = chance.choice(FIRST), chance.choice(LAST)
        company = accounts.index(account_of[contact])
        email = f"{first}.{last}{n}@company{company:02d}.example".replace("'", "")
        rows["contact"].append((
            contact, first, last, chance.choice([email, email.upper(), f" {email} ", None]),
            f"+1 415 555 {n:04d}" if n % 3 else None, account_of[contact], chance.choice(users),
            stamp(before(900)), "met at the fair", *marks(),
        ))  # fmt: skip

    rows["opportunity"] = []
    for n in range(OPPORTUNITIES):
        created = before(500)
        at, is_last = created, False
        stages = ["Prospecting", "Negotiation", chance.choice(["Closed Won", "Closed Lost"])]
        stages = stages[: chance.randrange(1, 4)]
        is_deleted, _ = marks()
        common = (identifier("006", n), chance.choice(accounts), chance.choice(users), f"Deal {n}")
        amount = chance.choice([f"{chance.randrange(1, 90_000)}.50", None])
        for number, stage in enumerate(stages):
            is_last = number == len(stages) - 1
            following = at + (END - at) * chance.random()
            closed = stage.startswith("Closed")
            rows["opportunity"].append((
                *common, stage, amount, closed, stage == "Closed Won", stamp(created),
                following.date().isoformat(), stamp(at), FOREVER if is_last else stamp(following),
                is_last and not is_deleted, stamp(END - (END - following) * chance.random()),
            ))  # fmt: skip
            at = following

    rows["case"] = []
    for n in range(CASES):
        contact = chance.choice([*contacts, None])
        opened = before(300)
        closed = opened + (END - opened) * chance.random() if n % 4 else None
        owner = identifier("00G", 1) if n % 7 == 0 else chance.choice(users)
        rows["case"].append((
            identifier("500", n), contact, account_of.get(contact or ""), owner, stamp(opened),
            stamp(closed) if closed else None, "Closed" if closed else "New",
            chance.choice(["High", "Medium", None]), chance.choice(["Phone", "Email", "Web"]),
            "It does not start", *marks(),
        ))  # fmt: skip

    rows["task"] = []
    for n in range(TASKS):
        contact = chance.choice(contacts)
        who = identifier("00Q", n) if n % 11 == 0 else contact
        created = before(300)
        is_done = n % 5 != 0
        done = stamp(created + (END - created) * chance.random() / 9) if is_done and n % 2 else None
        rows["task"].append((
            identifier("00T", n), chance.choice(users), who, account_of[contact],
            "Completed" if is_done else "Open", chance.choice(["Call", "Email", "Task"]),
            "<script>alert('hello')</script>", stamp(created), done, *marks(),
        ))  # fmt: skip

    with sqlite3.connect(path) as database:
        database.executescript(TABLES)
        for table, values in rows.items():
            places = ", ".join("?" * len(values[0]))
            database.executemany(f'insert into "{table}" values ({places})', values)
        # A load that broke off, and a name in another encoding.
        database.execute("update contact set _fivetran_synced = null where id = ?", [contacts[3]])
        database.execute(
            "update account set name = cast(x'4D6F62656CFC' as text) where id = ?", [accounts[5]]
        )
    database.close()


if __name__ == "__main__":
    fill(Path(sys.argv[1] if len(sys.argv) > 1 else "crm.db"))
