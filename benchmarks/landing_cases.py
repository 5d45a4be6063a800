"""What is measured of us, and the floor: each a process of its own.

    python -m benchmarks.landing_cases CASE URL FOLDER

Belongs here: the cases that run on Rapport's own packages. Does not belong here: the peer
(`dlt_peer`), which has an environment of its own.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

CHECKPOINT_BYTES = 32 * 2**20

LOOK_EVERY_S = 0.005
PARTS = {
    "is_whole": "cut the page into records",
    "split": "cut the page into records",
    "pick": "cut the page into records",
    "fetch": "download",
    "project_page": "check, filter, key and stamp",
    "rows": "tell what is new",
    "commit": "write and flush Parquet",
}
"""Function -> the part of landing that it is; the innermost one on the stack counts."""


def floor(url: str, folder: Path) -> None:
    """Download with requests, let DuckDB read the raw items into a typed table. No upsert, no
    allow-list, no state, no check: a floor, not a product."""
    from concurrent.futures import ThreadPoolExecutor

    import duckdb
    import requests

    geo = "STRUCT(lat DOUBLE, lon DOUBLE)"
    types = dict.fromkeys(
        "id email firstname lastname phone jobtitle company stage note".split(), "VARCHAR"
    ) | {
        "createdAt": "TIMESTAMPTZ", "updatedAt": "TIMESTAMPTZ", "archived": "BOOLEAN",
        "score": "DECIMAL(38,9)", "visits": "BIGINT",
        "address": f"STRUCT(city VARCHAR, zip VARCHAR, geo {geo})",
    }  # fmt: skip
    columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    database = duckdb.connect(str(folder / "floor.duckdb"))
    database.execute(f"create table contacts ({columns})")

    def read(spooled: Path) -> None:
        database.execute(
            "insert into contacts by name from read_json($file, format='array', columns=$types)",
            {"file": str(spooled), "types": types},
        )
        spooled.unlink()

    def spool() -> Iterator[Path]:
        session = requests.Session()
        after: str | None = "0"
        number = 0
        while after is not None:
            spooled = folder / f"spool-{number}.json"
            with spooled.open("wb") as file:
                separator = b"["
                while after is not None and file.tell() < CHECKPOINT_BYTES:
                    body = session.get(f"{url}/contacts", params={"after": after}).content
                    end = body.rindex(b"]")
                    file.write(separator + body[body.index(b"[") + 1 : end])
                    separator = b","
                    tail = body[end:]
                    after = tail.split(b'"after":"')[1].split(b'"')[0].decode() if (
                        b'"after":"' in tail
                    ) else None  # fmt: skip
                file.write(b"]")
            yield spooled
            number += 1

    with ThreadPoolExecutor(1) as reader:
        for done in [reader.submit(read, spooled) for spooled in spool()]:
            done.result()


def landing(url: str, folder: Path) -> None:
    """Sync the stream into landing files: the first time all of it, then what is new."""
    from benchmarks.vendor import STREAM, Vendor
    from connectors import sync_stream

    result = sync_stream(Vendor(url), STREAM, folder / "home")
    print(f"rows={result.rows} requests={result.requests} files={result.files}")


def shares(url: str, folder: Path) -> None:
    """Land as `landing` does and print where the CPU-seconds go, by looking at the stack."""
    seen: Counter[str] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        while frame is not None and frame.f_code.co_name not in PARTS:
            frame = frame.f_back
        seen["all else" if frame is None else PARTS[frame.f_code.co_name]] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, LOOK_EVERY_S, LOOK_EVERY_S)
    landing(url, folder)
    signal.setitimer(signal.ITIMER_PROF, 0)
    for part, count in seen.most_common():
        print(f"share {count / seen.total():.3f} {part}")


def typing(url: str, folder: Path) -> None:
    """Run what dbt compiled of the staging macro: all of it, then what is newly landed."""
    import duckdb

    database = duckdb.connect(str(folder / "staged.duckdb"))
    database.execute("set TimeZone = 'UTC'")
    is_first = not database.execute("from duckdb_tables() where table_name = 'contacts'").fetchall()
    database.execute("create schema if not exists landing")
    database.execute(
        "create or replace view landing.bench__contacts as "
        "select 'crm' as _source, 'contacts' as _stream, * "
        f"from read_parquet('{folder}/home/landing/crm/contacts/*.parquet')"
    )
    made = "create table contacts as" if is_first else "insert into contacts"
    name = "first" if is_first else "incremental"
    database.execute(f"{made} {(folder / f'{name}.sql').read_text()}")


CASES: dict[str, Callable[[str, Path], None]] = {
    "floor": floor, "landing": landing, "shares": shares, "typing": typing,
}  # fmt: skip

if __name__ == "__main__":
    CASES[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
