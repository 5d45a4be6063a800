"""The table of laws that `rapport test` prints, and its JSON.

Belongs here: summing up verdicts, for people and for programs. Nothing here plays anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from rapport.conformance.battery import FAULTS, Verdict, why_not
from rapport.conformance.laws import LAWS
from rapport.conformance.stage import KINDS, Stage

HOLDS, BROKEN, APART = "holds", "BROKEN", "does not apply"


def outcome(verdict: Verdict) -> str:
    """Return what a verdict comes to, in a word."""
    if verdict.why_not is not None:
        return APART
    return BROKEN if verdict.broken else HOLDS


def as_dict(source: str, type_: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return verdicts as plain values."""
    return {
        "source": source,
        "type": type_,
        "stage": "generated, on this machine; the vendor was not asked",
        "laws": {law: _counts(law, verdicts) for law in LAWS},
        "faults": [
            {
                "fault": v.fault.id,
                "words": v.fault.words,
                "stream": v.stream,
                "outcome": outcome(v),
                "reason": v.why_not,
                "broken": [{"law": law, "how": how} for law, how in v.broken],
                "syncs": v.syncs,
                "requests": v.requests,
                "would_have_waited_s": round(v.waited_s, 1),
            }
            for v in verdicts
        ],
    }


def print_all(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Print which fault did what to which stream, what broke, and the laws."""
    streams = list(dict.fromkeys(verdict.stream for verdict in verdicts))
    table = Table(box=None, pad_edge=False)
    for heading in ("fault", "what happens", *streams):
        table.add_column(heading, no_wrap=heading != "what happens")
    for fault in dict.fromkeys(verdict.fault for verdict in verdicts):
        told = {v.stream: _cell(v) for v in verdicts if v.fault is fault}
        table.add_row(fault.id, fault.words, *(told.get(stream, "") for stream in streams))
    console.print(table)
    reasons = {f"{v.fault.id}, {v.stream}": v.why_not for v in verdicts if v.why_not is not None}
    if reasons:
        console.print("\nDoes not apply:")
        for which, reason in reasons.items():
            console.print(f"  {which}: {reason}", markup=False, soft_wrap=True)
    if any(verdict.broken for verdict in verdicts):
        console.print("\nBroken:")
    for verdict in verdicts:
        for law, how in verdict.broken:
            text = f"  {verdict.fault.id}, {verdict.stream}: {law}: {how}"
            console.print(text, markup=False, soft_wrap=True)
    console.print()
    laws = Table(box=None, pad_edge=False)
    for heading in ("law", "held", "which says"):
        laws.add_column(heading, no_wrap=heading != "which says")
    for law, says in LAWS.items():
        counts = _counts(law, verdicts)
        laws.add_row(law, f"{counts['held']} of {counts['plays']}", says)
    console.print(laws)


def as_page(stages: Mapping[str, Stage]) -> str:
    """Return, in Markdown, what each fault does, and on which type of source it is played.

    Args:
        stages: type -> a stage of it.
    """
    lines = []
    for kind, heading in {"": "Any source", **KINDS}.items():
        shown = {name: stage for name, stage in stages.items() if kind in ("", stage.kind)}
        lines += [
            f"### {heading}",
            "",
            f"| fault | what happens | {' | '.join(f'`{name}`' for name in shown)} |",
            f"| --- | --- |{' --- |' * len(shown)}",
        ]
        for fault in FAULTS:
            if fault.kind == kind:
                reasons = [why_not(stage, fault) for stage in shown.values()]
                cells = ["played" if reason is None else f"no: {reason}" for reason in reasons]
                lines.append(f"| `{fault.id}` | {fault.words} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["### Laws", "", "| law | which says |", "| --- | --- |"]
    lines += [f"| {law} | {says} |" for law, says in LAWS.items()]
    return "\n".join(lines) + "\n"


def _cell(verdict: Verdict) -> str:
    return {HOLDS: "holds", BROKEN: "BROKEN", APART: "-"}[outcome(verdict)]


def _counts(law: str, verdicts: Sequence[Verdict]) -> dict[str, int]:
    played = [verdict for verdict in verdicts if verdict.why_not is None]
    broken = sum(any(name == law for name, _ in verdict.broken) for verdict in played)
    return {"plays": len(played), "held": len(played) - broken}
