"""A real Redmine, read by the rapport.yml of its docs page alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
import yaml

from connectors import sync_stream
from connectors.errors import AuthError
from connectors.landing import Landing
from rapport import build, config, mapping
from tests.connectors.conftest import CURRENT
from tests.docs.fences import DOCS, fences
from tests.real.conftest import REDMINE_KEY

pytestmark = pytest.mark.real


@pytest.fixture
def configured(
    redmine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], config.Config]:
    """Return the configuration of the docs page, with this server's address."""
    page = DOCS / "connect" / "rest.md"
    text = next(
        one.text for one in fences(page) if one.language == "yaml" and "X-Redmine" in one.text
    )
    tree: dict[str, Any] = yaml.safe_load(text)
    tree["sources"]["tickets"]["url"] = redmine
    monkeypatch.setenv("REDMINE_KEY", REDMINE_KEY)
    return lambda: config.parse(tree, tmp_path / "rapport.yml")


def test_a_real_redmine_is_read_by_configuration_alone(
    configured: Callable[[], config.Config], redmine: str
) -> None:
    api = requests.Session()
    api.headers["X-Redmine-API-Key"] = REDMINE_KEY
    settings = configured()

    def sync(stream: str, **options: Any) -> Any:
        source = settings.open("tickets")
        [declared] = [one for one in source.streams() if one.name == stream]
        return sync_stream(source, declared, settings.home, **options)

    def held(stream: str) -> dict[str, Any]:
        files = str(settings.home / "landing/tickets" / stream / "*.parquet")
        rows = duckdb.execute(CURRENT, [files]).fetchall()
        return {key: json.loads(r["record"]) for key, r in rows if r["op"] == "upsert"}

    def truth() -> dict[str, str]:
        found: dict[str, str] = {}
        while True:
            asked = {"status_id": "*", "limit": "100", "offset": str(len(found)), "sort": "id"}
            page = api.get(f"{redmine}/issues.json", params=asked, timeout=60).json()
            found |= {str(one["id"]): one["updated_on"] for one in page["issues"]}
            if len(found) >= page["total_count"]:
                return found

    def stamps() -> dict[str, str]:
        return {key: record["updated_on"] for key, record in held("issues").items()}

    assert settings.open("tickets").check().ok
    first = sync("issues")
    assert stamps() == truth()
    assert (first.rows, first.source_count, first.missing) == (230, 230, 0)
    # limit=1000 is cut to 100 in silence; the pages overlap by a record
    assert first.pages <= 6
    assert sync("issues").rows == 0

    # new, edited with a note, closed, deleted
    new = {"issue": {"project_id": 1, "tracker_id": 1, "priority_id": 2, "subject": "New"}}
    made = api.post(f"{redmine}/issues.json", json=new, timeout=60).json()["issue"]["id"]
    api.put(f"{redmine}/issues/7.json", json={"issue": {"notes": "called back"}}, timeout=60)
    api.put(f"{redmine}/issues/9.json", json={"issue": {"status_id": 5}}, timeout=60)
    api.delete(f"{redmine}/issues/11.json", timeout=60)
    second = sync("issues")
    assert (second.rows, second.deletes, second.extra) == (3, 0, 1)
    assert second.requests < 5
    assert stamps().keys() == truth().keys() | {"11"}

    # journals: a walk of all issues first, then of those that changed
    sync("journals", since=None)
    notes = held("journals")
    assert {record["_issues_id"] for record in notes.values()} == {"7", "9"}
    assert not any("notes" in record for record in notes.values())
    api.put(f"{redmine}/issues/{made}.json", json={"issue": {"notes": "again"}}, timeout=60)
    later = sync("journals")
    assert later.rows == 1
    assert later.requests < 20

    # a hard delete is found by a complete walk
    assert sync("issues", full_refresh=True).deletes == 1
    assert stamps() == truth()

    sync("people")
    streams = build.mapped_streams(settings, Landing(settings.home))
    [cases] = mapping.queries(streams)["case"]
    rows = duckdb.execute(f"select person, status from ({cases}) where _key = '9'").fetchall()
    assert ("tickets:people:1", "Closed") in rows


def test_a_lost_key_does_not_look_healthy(
    configured: Callable[[], config.Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key the list of issues answers 200, with public data only."""
    monkeypatch.setenv("REDMINE_KEY", "f" * 40)
    with pytest.raises(AuthError, match=r"HTTP 401 from `/users/current\.json`"):
        configured().open("tickets").check()
