"""The shop's database: one SQLite file, as the back end of a small shop keeps it.

Belongs here: its tables, the file, and the entry of a rapport.yml that reads it.
Does not belong here: who buys what, and what is wrong with the rows (`sandbox.shop_life`).

Nothing here is made for who reads it: an order is known by the system it was made in and a
number that the systems share, the job of the night leaves `updated_at` alone, customers are
really deleted. Times are UTC text in whole seconds, money is text with its digits.

The tables are in memory but for the time in which they are served from a file. Its readers see
what was committed last, also while time moves: the journal is write-ahead.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

FILE_NAME = "shop.db"

SCHEMA = """
create table customers (
    id integer primary key,
    email text,
    name text,
    is_confirmed integer not null,
    onboarding text,
    created_at text not null
);
create table orders (
    system text not null,
    number integer not null,
    customer_id integer,
    email text,
    status text not null,
    is_test integer not null,
    currency text,
    total text not null,
    current_total text not null,
    note text,
    created_at text not null,
    paid_at text,
    updated_at text,
    settled_at text,
    deleted_at text,
    primary key (system, number)
);
create table order_lines (
    system text not null,
    number integer not null,
    line integer not null,
    article text not null,
    quantity integer not null,
    unit_price text not null,
    primary key (system, number, line)
);
create table refunds (
    id integer primary key,
    system text not null,
    number integer not null,
    amount text not null,
    reason text,
    created_at text not null
);
create table logins (
    id integer primary key,
    customer_id integer not null,
    product text not null,
    occurred_at text not null
);
create table clock (now text not null);
insert into clock values ('');
create index orders_settled on orders (settled_at);
create index logins_occurred on logins (occurred_at);
"""

ORDERS = """\
select *, max(coalesce(updated_at, created_at), coalesce(settled_at, '')) as changed_at
from orders"""
"""Orders with a stamp that every change moves, the job of the night included."""


class Shop:
    """The tables. Whoever writes holds `lock`; nothing shows to readers before `commit`."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._tables = sqlite3.connect(":memory:", check_same_thread=False)
        self._tables.executescript(SCHEMA)

    def insert(self, table: str, **row: Any) -> int:
        """Add a row and return its number, where the table numbers its rows."""
        marks = ", ".join("?" * len(row))
        done = self._tables.execute(
            f"insert into {table} ({', '.join(row)}) values ({marks})", tuple(row.values())
        )
        return int(done.lastrowid or 0)

    def update_order(self, system: str, number: int, **values: Any) -> None:
        """Change an order; `updated_at` moves only if it is among the values."""
        settings = ", ".join(f"{name} = ?" for name in values)
        self._tables.execute(
            f"update orders set {settings} where system = ? and number = ?",
            (*values.values(), system, number),
        )

    def delete_customer(self, id: int) -> None:
        """Delete a customer for good; the orders keep the number."""
        self._tables.execute("delete from customers where id = ?", (id,))

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT, with what is not committed yet."""
        return self._tables.execute(sql, values).fetchall()

    def commit(self, now: datetime) -> None:
        """Show readers everything at once, and what time it is."""
        self._tables.execute("update clock set now = ?", (stamp(now),))
        self._tables.commit()

    @contextlib.contextmanager
    def served_from(self, path: Path) -> Iterator[str]:
        """Keep the tables in this file, which is replaced, until the block ends.

        Yields the address as SQLAlchemy writes it. What is left is a plain file that needs no
        journal beside it; the tables go on in memory.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            stale.unlink(missing_ok=True)
        self._move_to(path)
        # What the sandbox writes can be made again: nobody needs to wait for the disk.
        self._tables.executescript("pragma journal_mode = wal; pragma synchronous = off;")
        try:
            yield f"sqlite:///{path.resolve()}"
        finally:
            self._tables.commit()  # a file that is being written to cannot be copied
            self._tables.execute("pragma journal_mode = delete")
            self._move_to(":memory:")

    def _move_to(self, place: Path | str) -> None:
        with self.lock:
            tables = sqlite3.connect(place, check_same_thread=False)
            self._tables.backup(tables)
            self._tables.close()
            self._tables = tables


def stamp(at: datetime) -> str:
    """Return a time as the shop writes it."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def source(url: str) -> dict[str, Any]:
    """Return the whole entry of a rapport.yml that reads the shop.

    Customers are few and are really deleted, so all of them are read each time. Orders and
    logins are read from the newest stamp on, and two days before it, because the till of a fair
    and a program that was offline hand in the next morning what bears yesterday's stamp.
    """
    return {
        "type": "sql",
        "silo": "orders",
        "url": url,
        "clock": "select now from clock",
        "streams": {
            "customers": {
                "table": "customers",
                "key": "id",
                "snapshot": True,
                "map": {
                    "to": "person",
                    "columns": {
                        "name": "name",
                        "email": "email",
                        "email_verified": "is_confirmed",
                        "kind": {"value": "customer"},
                        "created_at": "created_at",
                        "custom": ["onboarding"],
                    },
                },
            },
            "orders": {
                "query": ORDERS,
                "key": ["system", "number"],
                "cursor": "changed_at",
                "lookback": "2d",
                "deleted": {"column": "deleted_at"},
                "fields": [
                    "customer_id", "email", "status", "is_test", "currency", "current_total",
                    "paid_at",
                ],
                "map": {
                    "to": "purchase",
                    "columns": {
                        "person": {"first_of": ["customer_id", "email"]},
                        "occurred_at": "paid_at",
                        "amount": "current_total",
                        "currency": {"column": "currency", "default": "USD"},
                    },
                    "where": {"status": ["paid", "partially_refunded"], "is_test": 0},
                },
            },
            "logins": {
                "table": "logins",
                "key": "id",
                "cursor": "occurred_at",
                "lookback": "2d",
                "map": {
                    "to": "login",
                    "columns": {
                        "person": "customer_id",
                        "product": "product",
                        "occurred_at": "occurred_at",
                    },
                },
            },
        },
    }  # fmt: skip
