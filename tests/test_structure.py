"""Dependencies point one way, and the project speaks of itself alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "connectors": {"assets", "rapport", "sandbox", "dagster", "dagster_dbt", "dbt"},
    "sandbox": {"assets", "rapport", "connectors", "dagster", "dagster_dbt", "dbt"},
    "rapport": {"dagster", "dagster_dbt"},
    "dbt_project": {"assets", "dagster", "dagster_dbt", "connectors"},
}


def imported(path: Path) -> set[str]:
    """Return the top-level names of everything a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_point_one_way(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not imported(path) & FORBIDDEN[package], path.relative_to(ROOT)


def test_no_sdk_is_loaded_before_it_is_needed() -> None:
    code = "import connectors, sys; print(*(n for n in sys.modules if '.' not in n))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"simple_salesforce", "hubspot", "duckdb"} & set(done.stdout.split())


def test_every_module_says_what_belongs_in_it() -> None:
    for package in ("connectors", "rapport", "assets", "sandbox"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not text.strip() or ast.get_docstring(ast.parse(text)), path.relative_to(ROOT)
