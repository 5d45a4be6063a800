"""How reliable syncs are: random schedules of changes, faults and kills, each against the truth.

`python -m benchmarks.reliability [--schedules N] [--kills N] [--seed S] [NAME ...]` runs N
schedules of each machine and N times `kill -9` at a random moment on two connectors, and writes
`benchmarks/reliability.md`. What is there already of machines that are not named is kept.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.machines import MACHINES
from rapport.conformance.battery import serving
from rapport.conformance.killing import helping
from rapport.conformance.laws import look
from rapport.conformance.play import Play
from rapport.conformance.stage import ROWS_PER_PAGE, Emulated, stage_for

HERE = Path(__file__).parent
RESULTS = HERE / "reliability.json"
STEPS = 8
KILLED = (("salesforce", "contacts"), ("hubspot", "contacts"))
RECORDS = 60
PAGES_PER_CHECKPOINT = 2


def run_schedules(name: str, count: int, first_seed: int) -> dict[str, Any]:
    """Run schedules of one machine; the first that breaks a law ends it."""
    made = seed(first_seed)(MACHINES[name])
    profile = settings(
        max_examples=count, stateful_step_count=STEPS, deadline=None, database=None,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    began = time.monotonic()
    broken = ""
    try:
        run_state_machine_as_test(made, settings=profile)
    except AssertionError as error:
        broken = str(error).splitlines()[0][:200]
    return {
        "schedules": count, "seed": first_seed, "broken": broken,
        "seconds": round(time.monotonic() - began),
    }  # fmt: skip


def run_kills(type_: str, stream: str, count: int, first_seed: int) -> dict[str, Any]:
    """Kill a first sync `count` times at a random moment, go on, and compare with the truth."""
    dice = random.Random(first_seed)
    killed = different = most_again = 0
    with tempfile.TemporaryDirectory() as folder, helping() as helper, serving() as server:
        stage = stage_for(type_)({})
        assert isinstance(stage, Emulated)
        with stage.playing(), server.showing(stage):
            stage.create(RECORDS)
            stage.clock.advance(days=1)
            began = time.monotonic()
            Play(stage, stream, Path(folder) / "warm", helper).die()
            began = time.monotonic()
            Play(stage, stream, Path(folder) / "undisturbed", helper).die()
            longest = time.monotonic() - began
            stage.forget()
            undisturbed = Play(stage, stream, Path(folder) / "twice", helper)
            undisturbed.sync()
            texts = [row["record"] for row in undisturbed.rows() if row["record"]]
            size = PAGES_PER_CHECKPOINT * ROWS_PER_PAGE * min(map(len, texts))
            undisturbed.sync()
            looked_back = stage.shown_again()
            number = 0
            while killed < count:
                number += 1
                play = Play(stage, stream, Path(folder) / str(number), helper)
                stage.forget()
                if not play.die(after_s=dice.uniform(0, longest), checkpoint_bytes=size):
                    continue
                killed += 1
                play.sync()
                most_again = max(most_again, (stage.shown_again() - looked_back).total())
                look(play)
                different += bool(play.broken)
    return {
        "kills": killed, "seed": first_seed, "different": different,
        "most_records_again": most_again,
        "records_per_checkpoint": PAGES_PER_CHECKPOINT * ROWS_PER_PAGE,
    }  # fmt: skip


def as_page(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# Reliability, measured",
        "",
        "Made by `python -m benchmarks.reliability`. A schedule is "
        f"{STEPS} random steps: records are made, changed (also all with one stamp), deleted, "
        "restored, merged, shown late; time passes; syncs run undisturbed, harmed by a fault or an "
        "outage, killed before or behind a checkpoint, or while the source changes between their "
        "pages. After it the source is left alone, synced, and every law of `rapport test` is "
        "looked at: what is held must equal the source's own store. `model.*` is a small source "
        "for each incremental pattern of the framework; the others are connectors on the "
        "sandbox's emulators.",
        "",
        "| machine | schedules | seed | broke a law | seconds |",
        "| --- | ---: | ---: | --- | ---: |",
    ]
    for name, found in sorted(results["schedules"].items()):
        lines.append(
            f"| `{name}` | {found['schedules']:,} | {found['seed']} | {found['broken'] or 'none'} "
            f"| {found['seconds']:,} |"
        )
    lines += [
        "",
        "`kill -9` at random moments of a first sync in a process of its own, then one sync more. "
        "A checkpoint here is the text of at most two pages. Where a source is read by stamp, the "
        "records of the last stamp before it are asked for again, too.",
        "",
        "| connector | kills | seed | differ from the truth | most records asked for again "
        "| records in a checkpoint |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, found in sorted(results["kills"].items()):
        lines.append(
            f"| `{name}` | {found['kills']} | {found['seed']} | {found['different']} "
            f"| {found['most_records_again']} | up to {found['records_per_checkpoint']} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="machines, or `kills`")
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    asked = parser.parse_args()
    for name in asked.names or [*MACHINES, "kills"]:
        if name == "kills":
            for type_, stream in KILLED:
                place = f"{type_}.{stream}"
                _note("kills", place, run_kills(type_, stream, asked.kills, asked.seed))
        else:
            _note("schedules", name, run_schedules(name, asked.schedules, asked.seed))


def _note(part: str, name: str, found: dict[str, Any]) -> None:
    """Put a result beside those that are there."""
    print(name, found, flush=True)
    results = (
        json.loads(RESULTS.read_text()) if RESULTS.exists() else {"schedules": {}, "kills": {}}
    )
    results[part][name] = found
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    (HERE / "reliability.md").write_text(as_page(results))


if __name__ == "__main__":
    main()
