"""A real Matrix Synapse, read by the rapport.yml of the docs page alone."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from connectors import open_source, sync_stream
from connectors.errors import AuthError
from rapport import config
from tests.connectors.conftest import CURRENT
from tests.docs.fences import DOCS, fences
from tests.real.conftest import Synapse

pytestmark = pytest.mark.real


class Writer:
    """Writes as one user, through the session that reads, so that it waits for real limits."""

    def __init__(self, synapse: Synapse, user: str, home: Path) -> None:
        self.token = synapse.login(user)
        settings = {
            "url": f"{synapse.url}/_matrix/client/v3",
            "auth": {"kind": "bearer", "token": self.token},
            "limits": {"wait_ms": "retry_after_ms"},
            "streams": {"rooms": {"path": "/joined_rooms", "records": "joined_rooms",
                                  "key": "value", "fields": ["value"]}},
        }  # fmt: skip
        self.session = open_source(user, "rest", settings, home=home).session  # type: ignore[attr-defined]
        self.ids = itertools.count()

    def ask(self, method: str, path: str, body: Any) -> Any:
        return json.loads(self.session.fetch(method, path, json=body))

    def room(self, name: str) -> str:
        return str(self.ask("POST", "/createRoom", {"name": name})["room_id"])

    def say(self, room: str, text: str) -> str:
        path = f"/rooms/{room}/send/m.room.message/{next(self.ids)}"
        told = self.ask("PUT", path, {"msgtype": "m.text", "body": text})
        return str(told["event_id"])

    def redact(self, room: str, event: str) -> None:
        self.ask("PUT", f"/rooms/{room}/redact/{event}/{next(self.ids)}", {"reason": "test"})


def test_a_real_synapse_is_read_by_configuration_alone(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = DOCS / "connect" / "rest.md"
    text = next(o.text for o in fences(page) if o.language == "yaml" and "_matrix" in o.text)
    tree: dict[str, Any] = yaml.safe_load(text)
    tree["sources"]["chat"]["url"] = f"{synapse.url}/_matrix/client/v3"
    tree["sources"]["chat"]["streams"]["messages"]["params"]["limit"] = 5
    writer = Writer(synapse, "bot", tmp_path)
    monkeypatch.setenv("MATRIX_TOKEN", writer.token)
    settings = config.parse(tree, tmp_path / "rapport.yml")

    def sync(stream: str) -> Any:
        source = settings.open("chat")
        [declared] = [one for one in source.streams() if one.name == stream]
        return sync_stream(source, declared, settings.home)

    def held(stream: str) -> dict[str, Any]:
        files = str(settings.home / "landing/chat" / stream / "*.parquet")
        rows = duckdb.execute(CURRENT, [files]).fetchall()
        return {key: json.loads(r["record"]) for key, r in rows if r["op"] == "upsert"}

    def messages() -> set[str]:
        return {key for key, row in held("messages").items() if row["type"] == "m.room.message"}

    assert settings.open("chat").check().ok
    rooms = [writer.room(name) for name in ("help", "ideas")]
    first_said = writer.say(rooms[0], "to be taken back")
    sent = {writer.say(rooms[number % 2], f"message {number}") for number in range(14)}
    sent.add(first_said)
    # of quick sends some are answered 429 with `retry_after_ms`; none was lost, none sent twice
    assert writer.session.waits_s > 0
    assert sync("rooms").rows == 2
    assert held("rooms").keys() == set(rooms)
    first = sync("messages")
    assert messages() == sent
    assert {row["_rooms_value"] for row in held("messages").values()} == set(rooms)
    assert not any("content" in row for row in held("messages").values())
    assert first.pages > 4
    assert sync("messages").rows == 0

    # more than a page since the last sync: where `/sync` would say `limited`, nothing is missing
    sent |= {writer.say(rooms[0], f"more {number}") for number in range(8)}
    late = writer.room("late")
    sent.add(writer.say(late, "first"))
    writer.redact(rooms[0], first_said)
    sync("messages")
    assert messages() == sent - {first_said}
    assert sync("messages").rows == 0

    assert sync("rooms").rows == 1
    writer.ask("POST", f"/rooms/{late}/leave", {})
    assert sync("rooms").deletes == 1


def test_a_bad_token_is_refused(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = {"path": "/joined_rooms", "records": "joined_rooms", "key": "value",
              "fields": ["value"]}  # fmt: skip
    source = open_source(
        "chat", "rest",
        {"url": f"{synapse.url}/_matrix/client/v3", "check": "/account/whoami",
         "auth": {"kind": "bearer", "token": "no-such-token"}, "streams": {"rooms": stream}},
        home=tmp_path,
    )  # fmt: skip
    with pytest.raises(AuthError, match=r"HTTP 401 from `/_matrix/client/v3/account/whoami`"):
        source.check()
