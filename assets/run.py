"""Run jobs from Python, in this process, into the same history that the UI shows.

Belongs here: what `rapport demo` and `rapport run` call. Does not belong here: printing.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from assets import instance as instances
from assets.dbt import MODELS_STEP
from assets.jobs import ALL, METRICS
from assets.launcher import marked_alive
from assets.partitions import FIRST_DAY
from assets.resources import PUBLISHED_WAREHOUSE, OnEvent, silent
from assets.sensors import first_cause
from assets.wiring import build_defs
from connectors import errors
from connectors.errors import ConfigError, RapportError, RequestError
from rapport.config import CONFIG_NAME, Config
from rapport.dbt import ensure_parsed

# The label by which the UI finds the runs of a job: repository and location of workspace.yaml.
REPOSITORY_TAG = {".dagster/repository": "__repository__@rapport"}
CONSOLE_LOG = "console.log"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What was run.

    Attributes:
        run_ids: Dagster's ids of the runs, in order.
        ended_early: `source.stream` of every sync that stopped at a quota and will go on.
        built: whether tables were built and published.
    """

    run_ids: Sequence[str]
    ended_early: Sequence[str] = ()
    built: bool = False


def run_job(
    config: Config,
    job: str = ALL,
    as_of: date | None = None,
    instance: dg.DagsterInstance | None = None,
    on_event: OnEvent | None = None,
) -> RunResult:
    """Run a job to its end in this process.

    A stream that fails keeps the job `rapport` from its numbers, but not everybody else from
    theirs: `metrics` follows in a run of its own, and the stream's error is raised after it.

    Args:
        job: `rapport`, `metrics` or `sync_<source>`.
        as_of: the day whose end the numbers describe; None: as configured.
        instance: where runs are recorded; None: the one of the home folder, made if needed.
        on_event: receives a line of text per thing worth telling a waiting user.

    Raises:
        RapportError: the first error that stopped a step.
    """
    on_event = _past_redirection(on_event or silent)
    instances.flush_history_lazily()
    instances.keep_history_open()
    ensure_parsed()
    definitions = build_defs(config, on_event=on_event, retries=None)
    day = (as_of or config.as_of_date()).isoformat()
    with contextlib.ExitStack() as stack:
        recording = instance or stack.enter_context(instances.prepare(config))
        tags = REPOSITORY_TAG | stack.enter_context(marked_alive(instances.folder(config)))
        results = [_execute(definitions, job, day, recording, config.home, tags)]
        failures = _failures(results[0])
        for line in _failure_lines(failures):
            on_event(line)
        if job == ALL and failures and _synced_but_not_built(results[0]):
            results.append(_execute(definitions, METRICS, day, recording, config.home, tags))
            failures |= _failures(results[1])
    if failures:
        raise next(iter(failures.values()))
    return RunResult(
        run_ids=[result.run_id for result in results],
        ended_early=[place for result in results for place in _ended_early(result)],
        built=any(PUBLISHED_WAREHOUSE in _materialized(result) for result in results),
    )


def _execute(
    definitions: dg.Definitions,
    job: str,
    day: str,
    instance: dg.DagsterInstance,
    home: Path,
    tags: Mapping[str, str],
) -> dg.ExecuteInProcessResult:
    found = definitions.resolve_job_def(job)
    # dbt's output and Dagster's notes go to a file; a waiting user gets our lines instead.
    with (
        (home / CONSOLE_LOG).open("a", encoding="utf-8") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        try:
            return found.execute_in_process(
                run_config=QUIET,
                instance=instance,
                partition_key=day if found.partitions_def else None,
                raise_on_error=False,
                tags=tags,
            )
        except dg.DagsterUnknownPartitionError:
            raise ConfigError(
                f"`{day}` is not a day that numbers can be built for. Use a day between "
                f"{FIRST_DAY} and the `as_of` of {CONFIG_NAME}."
            ) from None


def _past_redirection(on_event: OnEvent) -> OnEvent:
    """Return `on_event` writing to where standard output and error lead now."""
    out, err = sys.stdout, sys.stderr

    def outside(text: str) -> None:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            on_event(text)

    return outside


def _materialized(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey]:
    events = result.get_asset_materialization_events()
    return {event.asset_key for event in events if event.asset_key}


def _ended_early(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        ".".join(event.asset_key.path)
        for event in result.get_asset_materialization_events()
        if event.asset_key
        and "ended_early" in event.materialization.metadata
        and event.materialization.metadata["ended_early"].value
    ]


def _synced_but_not_built(result: dg.ExecuteInProcessResult) -> bool:
    """Return whether something was synced, and the models were never begun."""
    begun = {event.step_key for event in result.all_events if event.is_step_start}
    return MODELS_STEP not in begun and bool(_materialized(result))


def _failures(result: dg.ExecuteInProcessResult) -> dict[str, RapportError]:
    """Return failed step -> its error, as the class it was raised as."""
    found: dict[str, RapportError] = {}
    for event in result.get_step_failure_events():
        step = (event.step_key or "").replace("__", ".")
        if event.step_failure_data.error:
            found[step] = _as_raised(step, *first_cause(event.step_failure_data.error))
    if not result.success and not found:
        found[result.job_def.name] = RapportError(f"the job {result.job_def.name} failed.")
    return found


def _failure_lines(failures: Mapping[str, RapportError]) -> list[str]:
    """Return one line per source: a source that is away fails in every stream alike."""
    by_source: dict[str, list[RapportError]] = {}
    for step, error in failures.items():
        by_source.setdefault(step.partition(".")[0], []).append(error)
    return [
        f"failed: {first}" + (f" ({len(more)} more streams of {source} failed.)" if more else "")
        for source, (first, *more) in by_source.items()
    ]


def _as_raised(step: str, name: str, message: str) -> RapportError:
    kind: type[RapportError] | None = getattr(errors, name, None)
    if kind is None:
        return RapportError(f"{step}: {name}: {message}")
    if issubclass(kind, RequestError):
        return kind(message, place=step)
    return kind(message)
