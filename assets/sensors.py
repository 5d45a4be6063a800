"""What happens when a run fails: one message to whoever is on duty.

Belongs here: the alert. Does not belong here: retries, or messages about data. The address is
read when there is something to send, so that a location loads without it; without one the
failure is only logged. The message holds the first line of an error and no traceback, and every
secret that this process knows is masked.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import dagster as dg

from connectors import errors
from connectors.errors import ConfigError, RapportError
from connectors.redaction import mask
from rapport.config import Config

TIMEOUT_S = 10
UI_ENV = "RAPPORT_DAGSTER_URL"
DEFAULT_UI = "http://127.0.0.1:3000"


def failure_alert(config: Config) -> dg.SensorDefinition:
    """Return the sensor that reports failed runs to `alerts.webhook`."""

    @dg.run_failure_sensor(
        name="failure_alert",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Post job, step, error and a link to the webhook of rapport.yml.",
    )
    def failure_alert(context: dg.RunFailureSensorContext) -> None:
        message = alert(context)
        try:
            address = config.webhook_address()
        except ConfigError as error:
            context.log.error(f"Nobody was told about this failure: {error}")
            address = None
        post(message, address, context.log.warning)

    return failure_alert


def alert(context: dg.RunFailureSensorContext) -> dict[str, str]:
    """Return the message: plain fields, and `text` for chat tools that read nothing else."""
    steps = context.get_step_failure_events()
    step = steps[0].step_key if steps else None
    info = steps[0].step_failure_data.error if steps else None
    error, text = first_cause(info) if info else ("", context.failure_event.message or "")
    run = context.dagster_run
    base = os.environ.get(UI_ENV, DEFAULT_UI).rstrip("/")
    facts = {
        "job": run.job_name,
        "step": step or "",
        "error": error,
        "message": mask(text.splitlines()[0] if text else ""),
        "run_url": f"{base}/runs/{run.run_id}",
    }
    place = f"{facts['job']}, step {step}" if step else facts["job"]
    return facts | {"text": f"{place} failed. {error}: {facts['message']} {facts['run_url']}"}


def first_cause(info: Any) -> tuple[str, str]:
    """Return class and message of the error behind a failed step, from Dagster's record of it.

    Of a chain of causes it is the outermost error of ours, which says what to do; else the
    innermost one.
    """
    chain = [info]
    while chain[-1].cause is not None:
        chain.append(chain[-1].cause)
    found = next((link for link in chain if _kind(link.cls_name)), chain[-1])
    text = found.message.strip()
    _, split, after = text.partition(f"{found.cls_name}: ")
    return _kind(found.cls_name) or found.cls_name or "Error", after if split else text


def _kind(name: str | None) -> str | None:
    """Return the error of `connectors.errors` that a class of this name is, if it is ours.

    A connector refines an error for itself; who reads an alert knows the kinds of the docs.
    """
    known = [RapportError]
    for one in known:
        known += one.__subclasses__()
    kinds = (
        parent.__name__
        for one in known
        if one.__name__ == name
        for parent in one.__mro__
        if parent.__module__ == errors.__name__
    )
    return next(kinds, None)


def post(message: dict[str, str], address: str | None, log: Callable[[str], Any]) -> None:
    """Send the message; a webhook that does not take it is logged, never raised."""
    if address is None:
        log(f"{message['text']} (there is no webhook, so it is told here only)")
        return
    import requests

    try:
        requests.post(address, json=message, timeout=TIMEOUT_S).raise_for_status()
    except requests.RequestException as error:
        # The address itself often is the secret: only the kind of error is told.
        log(f"The webhook did not take the alert ({type(error).__name__}). {message['text']}")
