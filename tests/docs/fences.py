"""Fenced blocks of the documentation, and how their commands are run.

Belongs here: finding blocks, running the shell's ones, comparing what they print. Does not belong
here: what any page promises.

A comment `<!-- not run: why -->` on the line above a block excuses it. A block with a title
(` ```yaml title="rapport.yml" `) is a file of that name.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<excuse>.+?) -->\n)?"
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)


@dataclass(frozen=True)
class Fence:
    """One fenced block; `excuse` says why it is not run, if it is not."""

    page: str
    line: int
    language: str
    title: str | None
    excuse: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return every page a user reads, the README first."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def fences(page: Path) -> list[Fence]:
    """Return the fenced blocks of a page from top to bottom."""
    text = page.read_text(encoding="utf-8")
    return [
        Fence(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["title"],
            found["excuse"],
            re.sub(f"^{found['indent']}", "", found["text"], flags=re.M),
        )
        for found in _FENCE.finditer(text)
    ]


def shell(folder: Path, *, people: int, port: int) -> dict[str, str]:
    """Return an environment in which `rapport` and `python` are those of this checkout.

    Companies are of `people` people, sandboxes at `port`, and no address outside is needed.
    """
    programs = folder / "programs"
    programs.mkdir()
    rapport = f"""#!/bin/sh
case "$1" in
    demo) set -- "$@" --people {people} ;;
    sandbox) [ "$2" = --help ] || set -- "$@" --people {people} --port {port} ;;
esac
exec {sys.executable} -m rapport.cli "$@"
"""
    for name, text in (
        ("rapport", rapport),
        ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
        ("dagster", f'#!/bin/sh\nexec {sys.executable} -m dagster "$@"\n'),
    ):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAPPORT_")}
    return kept | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }


def run(text: str, folder: Path, environment: dict[str, str], *, patience_s: int = 300) -> str:
    """Run a block as a script that stops at the first error; return all it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=patience_s,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def missing(shown: str, printed: str) -> str | None:
    """Return the first shown line that was not printed; None if all were, in this order.

    A number stands for any number, `...` for any text.
    """
    rest = _loose(printed)
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = re.escape(_loose(line)).replace(re.escape("..."), ".*?")
        found = re.search(rf"^{pattern}$", rest, re.M)
        if not found:
            return line
        rest = rest[found.end() :]
    return None


def _loose(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\d(?:[\d,.:]*\d)?", "0", "\n".join(lines))
