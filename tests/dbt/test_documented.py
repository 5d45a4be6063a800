"""What a reader of the tables relies on: grain, types and privacy of every column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2] / "dbt_project"
MODELS = PROJECT / "models"
PII = {"none", "pseudonym", "direct", "text"}
VENDORS = ("salesforce", "discourse", "hubspot", "zendesk", "bluesky", "sforce")


def documented(folder: str) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted((MODELS / folder).rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("models", []):
            found[model["name"]] = model
    return found


@pytest.mark.parametrize("folder", ["staging", "intermediate", "identity", "unified"])
def test_every_model_tells_its_grain(folder: str) -> None:
    models = documented(folder)
    files = {path.stem for path in (MODELS / folder).rglob("*") if path.suffix in (".sql", ".py")}
    assert set(models) == files
    assert all(model["description"].startswith("One row per ") for model in models.values())


@pytest.mark.parametrize("name", sorted(documented("unified")))
def test_unified_columns_tell_type_meaning_and_privacy(name: str) -> None:
    for column in documented("unified")[name]["columns"]:
        assert column["data_type"]
        assert column["description"].endswith(".")
        assert column["config"]["meta"]["pii"] in PII, column["name"]


@pytest.mark.parametrize("name", sorted(documented("unified")))
def test_no_vendor_is_named_in_unified_tables(name: str) -> None:
    words = [name, *(column["name"] for column in documented("unified")[name]["columns"])]
    assert not [word for word in words for vendor in VENDORS if vendor in word]


def test_names_and_addresses_stay_out_of_facts() -> None:
    direct = {
        (name, column["name"])
        for name, model in documented("unified").items()
        if name.startswith(("fct_", "bridge_"))
        for column in model["columns"]
        if column["config"]["meta"]["pii"] == "direct"
    }
    # profile keys can hold an address where a record knew no more; a title is a person's
    assert direct == {
        ("fct_interaction", "actor_profile_key"),
        ("fct_interaction", "target_profile_key"),
        ("bridge_person_organization", "title"),
    }
