"""The tutorial's connector is written, run and tested just as the page says.

All faults of the battery take minutes: with `make test-conformance` only.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.conftest import free_ports, started, wait_for
from tests.docs.fences import DOCS, ROOT, Fence, fences, missing, run, shell

PAGE = DOCS / "add-a-connector.md"
PORT = "8890"
ALL_FAULTS = "all faults"


@dataclass
class Followed:
    """The user's folder, a checkout of their own, and what each block printed."""

    folder: Path
    checkout: Path
    environment: dict[str, str]
    printed: dict[Fence, str]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    folder, checkout = tmp_path_factory.mktemp("desk"), tmp_path_factory.mktemp("checkout")
    for package in ("connectors", "rapport", "sandbox"):
        shutil.copytree(ROOT / package, checkout / package)
    (checkout / "tests" / "connectors").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "connectors" / "test_registry.py", checkout / "tests/connectors")
    port = free_ports()
    environment = shell(folder, people=0, port=0) | {
        "PYTHONPATH": f"{checkout}:{folder}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    printed: dict[Fence, str] = {}
    desk = None
    exports = ""
    try:
        for fence in fences(PAGE):
            text = fence.text.replace(PORT, str(port))
            if fence.title == "first terminal":
                desk = started(text, folder, environment)
                wait_for(port)
            elif fence.title == "checkout":
                printed[fence] = run(text, checkout, environment)
            elif fence.title and fence.title != ALL_FAULTS:
                home = checkout if "/" in fence.title else folder
                (home / fence.title).write_text(text, encoding="utf-8")
            elif fence.language == "bash" and not fence.title:
                printed[fence] = run(exports + text, folder, environment)
                exports += "".join(re.findall(r"^export .*\n", text, re.M))
    finally:
        if desk:
            os.killpg(desk.pid, signal.SIGKILL)
            desk.wait()
    return Followed(folder, checkout, environment, printed)


def test_every_step_prints_what_the_page_claims(followed: Followed) -> None:
    before = None
    shown = 0
    for fence in fences(PAGE):
        if fence.language == "text":
            assert before is not None
            absent = exactly(fence.text, followed.printed[before])
            assert absent is None, f"{fence}: `{absent}` not in\n{followed.printed[before]}"
            shown += 1
        elif fence in followed.printed:
            before = fence
    assert shown >= 5
    assert "failed" not in followed.printed[before] and " passed" in followed.printed[before]


def exactly(shown: str, printed: str) -> str | None:
    """Return the first shown line that was not printed, with its very numbers."""
    return missing(spelled(shown), spelled(printed))


def spelled(text: str) -> str:
    """Spell each digit, so that one does not stand for any other."""
    return re.sub(r"\d", lambda digit: "abcdefghij"[int(digit[0])], text)


def test_the_connector_and_its_stage_are_clean_by_the_projects_own_rules(
    followed: Followed,
) -> None:
    places = ("connectors/frontdesk.py", "rapport/conformance/frontdesk.py")
    files = [str(followed.checkout / place) for place in places]
    config = f"--config={ROOT / 'pyproject.toml'}"
    for arguments in (["check", config, *files], ["format", "--check", config, *files]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.conformance
def test_every_law_holds_through_every_fault_that_the_page_lets_the_reader_play(
    followed: Followed, pytestconfig: pytest.Config
) -> None:
    if pytestconfig.option.markexpr != "conformance":
        pytest.skip("takes minutes: make test-conformance")
    [fence] = [fence for fence in fences(PAGE) if fence.title == ALL_FAULTS]
    printed = run(fence.text, followed.folder, followed.environment, patience_s=3600)
    assert "holds" in printed and "BROKEN" not in printed


def test_its_visits_reach_the_unified_interactions_by_the_mapping(followed: Followed) -> None:
    code = """
import duckdb
from pathlib import Path
from connectors.landing import Landing
from rapport import build, config, mapping
found = config.load("rapport.yml")
[query] = mapping.queries(build.mapped_streams(found, Landing(found.home)))["interaction"]
columns = "_op, kind, occurred_at, person"
for row in duckdb.sql(f"select {columns} from ({query}) order by _seq").fetchall():
    print(row)
"""
    printed = run(f"python - <<'E'\n{code}\nE", followed.folder, followed.environment)
    assert "'upsert', 'visit', '2026-05-04T11:00:00" in printed.replace(" 11:00", "T11:00"), printed
    assert "desk:visits:mailto:ada@indigo.example" in printed
