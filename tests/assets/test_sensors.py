"""The alert about a failed run, over a webhook on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from assets.sensors import failure_alert, first_cause, post
from connectors import redaction
from connectors.errors import AuthError, PublishError

SECRET = "s3cr3t-of-the-vendor"


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict]]]:
    received: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()


def tick(lab, error: Exception) -> None:
    lab.sources.open("crm").fails = error
    result = lab.run("sync_crm")
    event = next(e for e in result.all_events if e.event_type_value == "PIPELINE_FAILURE")
    sensor = failure_alert(lab.config)
    with dg.build_run_status_sensor_context(
        sensor_name="failure_alert",
        dagster_event=event,
        dagster_instance=lab.instance,
        dagster_run=lab.instance.get_run_by_id(result.run_id),
    ) as context:
        sensor(context.for_run_failure())


def test_a_failed_run_is_posted_without_secrets(lab, webhook, monkeypatch) -> None:
    address, received = webhook
    monkeypatch.setenv("ALERTS", address)
    redaction.register([SECRET])
    tick(lab, AuthError(f"crm: HTTP 401.\nThe token {SECRET} is in a second line."))
    (message,) = received
    assert message["job"] == "sync_crm"
    assert message["step"].startswith("crm__")
    assert message["error"] == "AuthError"
    assert message["message"] == "crm: HTTP 401."
    assert message["run_url"].startswith("http://127.0.0.1:3000/runs/")
    assert SECRET not in json.dumps(message)


def test_a_secret_in_the_first_line_is_masked(lab, webhook, monkeypatch) -> None:
    address, received = webhook
    monkeypatch.setenv("ALERTS", address)
    redaction.register([SECRET])
    tick(lab, AuthError(f"crm: the token {SECRET} was refused."))
    assert received[0]["message"] == "crm: the token *** was refused."


def test_without_an_address_the_failure_is_logged(lab, monkeypatch) -> None:
    monkeypatch.delenv("ALERTS", raising=False)
    tick(lab, AuthError("crm: HTTP 401."))  # the variable is missing: told in the log, not raised
    lines: list[str] = []
    post({"text": "sync_crm failed."}, None, lines.append)
    assert lines == ["sync_crm failed. (there is no webhook, so it is told here only)"]


def test_a_webhook_that_fails_does_not_fail_the_sensor(lab, webhook, monkeypatch) -> None:
    address, received = webhook
    monkeypatch.setenv("ALERTS", f"{address}/broken")
    tick(lab, AuthError("crm: HTTP 401."))
    assert len(received) == 1


def test_the_error_of_ours_is_told_rather_than_what_lies_below_it() -> None:
    from dagster._utils.error import serializable_error_info_from_exc_info

    try:
        try:
            raise OSError("disk full")
        except OSError as error:
            raise PublishError("publishing failed.\nFree some space.") from error
    except PublishError as error:
        info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
    assert first_cause(info) == ("PublishError", "publishing failed.\nFree some space.")


def test_an_error_that_a_connector_refined_is_told_as_its_kind(lab, webhook, monkeypatch) -> None:
    class _TokenExpired(AuthError):
        pass

    address, received = webhook
    monkeypatch.setenv("ALERTS", address)
    tick(lab, _TokenExpired("crm: HTTP 401. Check `client_secret`."))
    assert received[0]["error"] == "AuthError"
    assert received[0]["message"] == "crm: HTTP 401. Check `client_secret`."
