"""rapport.yml: what is accepted, and what is said about what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from connectors.errors import ConfigError
from rapport import config, schemas

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
FORUM = {
    "type": "discourse",
    "url": "http://127.0.0.1:1",
    "api_key": "${FORUM_KEY}",
    "api_username": "rapport",
}


def write(folder: Path, tree: Any) -> Path:
    path = folder / "rapport.yml"
    path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree), encoding="utf-8")
    return path


def test_a_configuration_is_read_without_any_secret(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, {"sources": {"forum": FORUM}, "own_domains": ["@A.com"]}))
    assert loaded.home == tmp_path / ".rapport"
    assert loaded.own_domains == ("a.com",)
    assert loaded.source("forum").silo == "forum"
    assert [stream.name for stream in config.declared_streams(loaded, "forum")] >= ["posts"]


def test_opening_a_source_without_its_environment_variable_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORUM_KEY", raising=False)
    loaded = config.load(write(tmp_path, {"sources": {"forum": FORUM}}))
    with pytest.raises(ConfigError) as caught:
        loaded.open("forum")
    assert "sources.forum.api_key needs the environment variable `FORUM_KEY`" in str(caught.value)


def test_no_file_names_the_three_ways_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(config.CONFIG_ENV, raising=False)
    with pytest.raises(ConfigError) as caught:
        config.load()
    for way in ("rapport demo", "--sandbox", config.DOCS_FIRST_STEPS):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {
                "sources": {
                    "f": {
                        "type": "rest",
                        "url": "https://a.example",
                        "streams": {
                            "things": {
                                "path": "/",
                                "records": "$",
                                "key": "id",
                                "fields": ["id"],
                                "paging": {"kind": "cursor", "next": "next", "parma": "after"},
                            }
                        },
                    }
                }
            },
            "unknown key `sources.f.streams.things.paging.parma`. Did you mean `param`?",
        ),
        ({"soruces": {}}, "unknown key `soruces`. Did you mean `sources`?"),
        (
            {"sources": {"f": FORUM | {"api_kye": "x"}}},
            "unknown key `sources.f.api_kye`. Did you mean `api_key`?",
        ),
        ({"sources": {"f": {"type": "discorse"}}}, "Did you mean `discourse`?"),
        ({"sources": {"f": {"type": "discourse"}}}, "`sources.f.url` is missing"),
        ({"sources": {"My Forum": FORUM}}, "the source name `My Forum`"),
        ({"sources": {"f": FORUM | {"silo": "forums"}}}, "Did you mean `forum`?"),
        ({"as_of": "yesterday"}, "as_of is `yesterday`; write `now` or a day"),
        ({"own_domains": "acme.com"}, "`own_domains`: expected `array`, got `str`"),
        ("home: a\nhome: b\n", "line 2, column 1: the key `home` stands twice"),
        ("home: [a\n", "rapport.yml, line 2"),
        (
            "sources:\n  crm:\n    type: salesforce\n   domain: x\n",
            "rapport.yml, line 4, column 4: the indentation differs from the lines above. Mend",
        ),
        (
            "own_domains:\n    - a.org\n  - b.org\n",
            "line 3, column 3: the indentation differs from the lines above",
        ),
        ("home: a\n  as_of: now\n", "line 2, column 8: the indentation is deeper than above"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path: Path, tree: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(write(tmp_path, tree))
    assert said in str(caught.value)


def test_an_unknown_source_gets_a_suggestion(tmp_path: Path) -> None:
    loaded = config.load(write(tmp_path, {"sources": {"forum": FORUM}}))
    with pytest.raises(ConfigError, match=r"Did you mean `forum`\?"):
        loaded.source("fourm")


def test_the_shipped_schemas_are_those_the_code_makes() -> None:
    for name, schema in schemas.SCHEMAS.items():
        shipped = json.loads((schemas.FOLDER / name).read_text(encoding="utf-8"))
        assert shipped == json.loads(json.dumps(schema())), "run `python -m rapport.schemas`"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*/*.yml")), ids=str)
def test_editors_accept_the_examples(example: Path) -> None:
    schema = schemas.SCHEMAS[f"{example.stem}.schema.json"]()
    jsonschema.validate(config.read_yaml(example), json.loads(json.dumps(schema)))
