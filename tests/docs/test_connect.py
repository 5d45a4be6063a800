"""Connect pages: complete by the declarations, and their rapport.yml works against the sandbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors import registry
from rapport import config, mapping, reference, strategy
from rapport.dbt import PUBLISHED_PREFIXES
from sandbox.server import Sandbox, serve
from tests.docs.fences import DOCS, ROOT, Fence, fences, pages

CONNECT = DOCS / "connect"
PAGES = {"files": "export", "sql": "database"}
"""Source types whose page has another name."""

SECRETS = {
    "salesforce": {"SF_ID": "client_id", "SF_SECRET": "client_secret"},
    "hubspot": {"HUBSPOT_TOKEN": "access_token"},
    "discourse": {"DISCOURSE_KEY": "api_key"},
    "bluesky": {"BLUESKY_APP_PASSWORD": "app_password"},
}
ADDRESSES = ("url", "public_url", "domain", "handle")


def page_of(type_: str) -> Path:
    return CONNECT / f"{PAGES.get(type_, type_)}.md"


@pytest.mark.parametrize("type_", sorted(registry.TYPES))
def test_every_connector_has_a_page_with_all_its_settings_streams_and_fields(type_: str) -> None:
    text = page_of(type_).read_text(encoding="utf-8")
    assert reference.settings(type_) in text, "run `python -m rapport.reference`"
    if registry.module(type_).STREAMS:
        assert reference.streams(type_) in text, "run `python -m rapport.reference`"
        assert reference.fields(type_) in text, "run `python -m rapport.reference`"
    for heading in ("stored", "Limits", "eletes"):
        assert heading in text, heading


def test_the_tables_are_those_of_the_declarations() -> None:
    for page in CONNECT.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert reference.written(text) == text, f"{page.name}: run `python -m rapport.reference`"


@pytest.mark.parametrize("type_", ["bluesky", "discourse", "hubspot", "salesforce"])
def test_every_stream_says_how_it_reconciles_or_why_it_cannot(type_: str) -> None:
    for stream in registry.module(type_).STREAMS:
        assert bool(stream.reconciles) != bool(stream.unreconciled), stream.name


def test_the_page_of_the_tables_is_what_the_models_declare() -> None:
    page = reference.TABLES_PAGE.read_text(encoding="utf-8")
    assert page == reference.tables(), "run `python -m rapport.reference`"
    models = {
        path.stem
        for path in (ROOT / "dbt_project" / "models").rglob("*.sql")
        if path.stem.startswith(PUBLISHED_PREFIXES)
    }
    assert set(re.findall(r"^## (\w+)$", page, re.M)) == models
    assert "| `primary_email` | varchar | | The address to use" in page


def test_each_table_says_where_its_sql_is() -> None:
    page = reference.TABLES_PAGE.read_text(encoding="utf-8")
    named = re.findall(r"^## (\w+)\n\n.+\n\nSQL: `(.+)`$", page, re.M)
    assert len(named) == len(re.findall(r"^## ", page, re.M))
    for table, path in named:
        sql = (ROOT / path).read_text(encoding="utf-8")
        assert Path(path).stem == table and "select" in sql


def test_the_fields_of_a_table_say_which_name_a_person() -> None:
    contacts = next(
        line for line in reference.fields("salesforce").splitlines() if "`contacts`" in line
    )
    assert contacts.index("**names a person**") < contacts.index("`Email`")
    assert contacts.index("`Title`") < contacts.index("**names a person**")


def test_no_connector_page_is_of_a_connector_that_is_not_there() -> None:
    assert {page.stem for page in CONNECT.glob("*.md")} == {
        page_of(type_).stem for type_ in registry.TYPES
    }


def test_the_page_on_rapport_yml_names_every_key_there_is() -> None:
    first = next(f for f in fences(DOCS / "configure.md") if f.language == "yaml")
    tree = yaml.safe_load(first.text)
    assert tree.keys() == config.json_schema()["$defs"]["_File"]["properties"].keys()
    [source] = tree["sources"].values()
    assert {"type", "schedule", "label", "silo"} <= source.keys()


def yaml_blocks() -> list[Fence]:
    return [
        fence
        for page in pages()
        if page.name != "add-a-connector.md"  # its connector exists in its own test alone
        for fence in fences(page)
        if fence.language == "yaml"
    ]


@pytest.mark.parametrize("fence", yaml_blocks(), ids=str)
def test_every_configuration_on_a_page_is_accepted(fence: Fence, tmp_path: Path) -> None:
    tree: dict[str, Any] = yaml.safe_load(fence.text)
    path = tmp_path / "rapport.yml"
    if "vision" in tree or "behaviors" in tree or "segments" in tree:
        (tmp_path / "strategy.yml").write_text(fence.text, encoding="utf-8")
        strategy.load(tmp_path / "strategy.yml")
        return
    if "sources" not in tree and any("path" in stream for stream in tree.values()):
        tree = {"sources": {"export": {"type": "files", "streams": tree}}}
    elif "sources" not in tree:
        tree = {"sources": {"loaded": {"type": "sql", "url": "sqlite:///a.db", "streams": tree}}}
    shown = config.parse(tree, path)
    for name, source in shown.sources.items():
        assert config.declared_streams(shown, name)
        for stream, settings in source.settings.get("streams", {}).items():
            if settings.get("map"):
                assert mapping.parse(settings["map"], f"sources.{name}.streams.{stream}")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with serve(people=40, port=0, vendors=tuple(SECRETS)) as running:
        yield running


@pytest.mark.parametrize("type_", SECRETS)
def test_the_smallest_rapport_yml_of_a_page_passes_check(
    type_: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(fence for fence in fences(page_of(type_)) if fence.language == "yaml")
    tree = yaml.safe_load(first.text)
    [(name, source)] = tree["sources"].items()
    told = next(s for s in sandbox.credentials["sources"].values() if s["type"] == type_)
    source |= {key: told[key] for key in ADDRESSES if key in told}
    for variable, key in SECRETS[type_].items():
        monkeypatch.setenv(variable, told[key])
    assert config.parse(tree, tmp_path / "rapport.yml").open(name).check().ok
