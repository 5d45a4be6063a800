"""The `rapport` command: words in, tables and exit statuses out.

Belongs here: arguments, printing and exit statuses. Does not belong here: any work; each
command calls one function of `connectors`, `rapport` or `assets`.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 ended early on a quota and
will go on next time.
"""

from __future__ import annotations

import getpass
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
from rich.console import Console
from rich.table import Table

from connectors.errors import ConfigError, RapportError
from connectors.quarantine import Quarantine
from rapport import config as configuration
from rapport import demo as sandboxes
from rapport import strategy
from rapport.config import Config
from rapport.custom import checked_strategy
from rapport.identity import overrides
from rapport.identity.lines import FOLDER

DONE, FAILED, WRONG, ENDED_EARLY = 0, 1, 2, 3
PIPED_WIDTH = 200

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)
P = ParamSpec("P")


def answers_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turn our errors into one line on standard error and the right exit status."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs) or DONE
        except ConfigError as error:
            say_error(error)
            status = WRONG
        except RapportError as error:
            say_error(error)
            status = FAILED
        sys.exit(status)

    return run


def say_error(error: RapportError) -> None:
    """Print one error line on standard error."""
    errors.print(f"rapport: {error}", markup=False, soft_wrap=True)


sandbox_option = click.option(
    "--sandbox", "use_sandbox", is_flag=True, help="Use the sandbox at its default address."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "path", type=click.Path(path_type=Path), help="Path of rapport.yml.")
@click.version_option(package_name="rapport")
@click.pass_context
def main(context: click.Context, path: Path | None) -> None:
    """Relationships, not sales: one view of people across silos, and numbers about it."""
    context.obj = path


def loaded_config(context: click.Context, use_sandbox: bool) -> Config:
    """Return rapport.yml as a command was asked to use it; strategy.yml is not looked at."""
    return sandboxes.running_sandbox() if use_sandbox else configuration.load(context.obj)


def chosen_config(context: click.Context, use_sandbox: bool) -> Config:
    """Return the configuration a command was asked to use, with a strategy that can be read."""
    config = loaded_config(context, use_sandbox)
    strategy.load(config.strategy_path)
    return config


def ready_config(context: click.Context, use_sandbox: bool) -> Config:
    """Return the configuration if a build could follow: segments name fields that are taken.

    Without this, a mistyped field would show only hours later, when everything is fetched.
    """
    config = loaded_config(context, use_sandbox)
    checked_strategy(config)
    overrides.load(config.folder, on=datetime.now(UTC).date())
    return config


@main.command()
@click.option("--people", default=2000, show_default=True, help="Size of the generated company.")
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same company.")
@click.option("--home", type=click.Path(path_type=Path), default=sandboxes.DEMO_HOME,
              show_default=True, help="Folder of everything it writes; emptied first.")  # fmt: skip
@json_option
@answers_errors
def demo(people: int, seed: int, home: Path, as_json: bool) -> int:
    """Run everything once on a generated company, and print what came out."""
    from assets.run import run_job
    from rapport import headlines
    from sandbox.server import serve

    if home.exists():
        shutil.rmtree(home)
    if not as_json:
        console.print(f"Generating a company of {people} people (sandbox data, seed {seed}) ...")
    with serve(people=people, seed=seed, port=sandboxes.base_port()) as sandbox:
        config = sandboxes.write_config(home, sandbox.credentials)
        (home / "sandbox.json").write_text(
            json.dumps({"people": people, "seed": seed, "now": sandbox.credentials["now"]})
        )
        with live_lines(quiet=as_json) as on_event:
            run_job(config, on_event=on_event)
    if as_json:
        values = {"sandbox_data": True} | headlines.numbers(config)
        click.echo(json.dumps(values, default=str, indent=1))
    else:
        mark = "SANDBOX DATA: a generated company, no real person"
        headlines.print_all(console, config, mark=mark)
    return DONE


@main.command()
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def run(context: click.Context, use_sandbox: bool, as_json: bool) -> int:
    """Sync every source, build the tables, publish them and write the report."""
    from assets.run import run_job
    from rapport import headlines

    config = ready_config(context, use_sandbox)
    with live_lines(quiet=as_json) as on_event:
        result = run_job(config, on_event=on_event)
    if as_json:
        click.echo(json.dumps(headlines.numbers(config), default=str, indent=1))
    else:
        headlines.print_all(console, config, mark="SANDBOX DATA" if use_sandbox else None)
    return ENDED_EARLY if result.ended_early else DONE


@main.command()
@click.argument("source", required=False)
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def check(context: click.Context, source: str | None, use_sandbox: bool, as_json: bool) -> int:
    """One line per source: reachable, credentials, scopes, clock skew, quota left.

    The last lines are about strategy.yml and what people say in identity/.
    """
    config = loaded_config(context, use_sandbox)
    names = [config.source(source).name] if source else list(config.sources)
    with ThreadPoolExecutor() as pool:
        lines = list(pool.map(lambda name: _check_line(config, name), names))
    lines.append(_strategy_line(config))
    if (config.folder / FOLDER).is_dir():
        lines.append(_overrides_line(config))
    if as_json:
        click.echo(json.dumps(lines, default=str, indent=1))
    else:
        for line in lines:
            _print_check(line)
        if not names:
            console.print("No sources are configured.")
    return DONE if all(line["ok"] for line in lines) else FAILED


def _check_line(config: Config, name: str) -> dict[str, Any]:
    line: dict[str, Any] = {"source": name, "type": config.source(name).type}
    try:
        found = config.open(name).check()
    except RapportError as error:
        # The line begins with the source's name: the message need not.
        said = str(error).removeprefix(f"{name}: ")
        return line | {"ok": False, "account": "", "detail": said}
    return line | {
        "ok": found.ok, "account": found.account, "detail": found.detail,
        "clock_skew_s": found.clock_skew_s, "quota_left": found.quota_left,
    }  # fmt: skip


def _strategy_line(config: Config) -> dict[str, Any]:
    line: dict[str, Any] = {"source": "strategy", "type": config.strategy_path.name}
    line["account"] = str(config.strategy_path)
    try:
        found = checked_strategy(config)
    except RapportError as error:
        said = str(error).removeprefix(f"{config.strategy_path.name}: ")
        return line | {"ok": False, "detail": said}
    if found is None:
        return line | {"ok": True, "detail": "no such file: no verdicts, goals and actions yet"}
    count = len(found.segments)
    return line | {"ok": True, "detail": f"{count} segment{'s' * (count != 1)}"}


def _overrides_line(config: Config) -> dict[str, Any]:
    from rapport.build import unmet_lines

    folder = config.folder / FOLDER
    line = {"source": "identity", "type": f"{FOLDER}/", "account": str(folder)}
    try:
        found = overrides.load(config.folder, on=datetime.now(UTC).date())
    except RapportError as error:
        return line | {"ok": False, "detail": str(error)}
    unmet = unmet_lines(config)
    notes = [f"in the last build {text}" for text in unmet]
    return line | {"ok": True, "detail": "; ".join([found.counts(), *notes]), "unmet": unmet}


def _print_check(line: dict[str, Any]) -> None:
    facts = [line["account"], line["detail"]]
    if line.get("clock_skew_s") is not None:
        facts.append(f"clock {line['clock_skew_s']:+.0f} s")
    if line.get("quota_left") is not None:
        facts.append(f"{line['quota_left']:,} calls left today")
    mark = "ok  " if line["ok"] else "FAIL"
    text = "; ".join(fact for fact in facts if fact)
    console.print(f"{mark} {line['source']} ({line['type']}): {text}", markup=False, soft_wrap=True)


@main.command()
@click.argument("selection", metavar="SOURCE[.STREAM]")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def discover(context: click.Context, selection: str, use_sandbox: bool, as_json: bool) -> int:
    """Streams of a source, fields taken, and what it has that is not taken."""
    from rapport import discovery

    found = discovery.discovered(chosen_config(context, use_sandbox), selection)
    if as_json:
        click.echo(json.dumps(discovery.as_dict(found), default=str, indent=1))
    else:
        discovery.print_all(console, found)
    return DONE


@main.command()
@click.argument("selection", nargs=-1, metavar="[SOURCE[.STREAM]]...")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def plan(
    context: click.Context, selection: tuple[str, ...], use_sandbox: bool, as_json: bool
) -> int:
    """Calls, time and share of the daily quota that a sync would cost."""
    from rapport import planning

    plans = planning.plan_selected(ready_config(context, use_sandbox), selection)
    if as_json:
        click.echo(json.dumps([planning.as_dict(p) for p in plans], default=str, indent=1))
    else:
        for number, planned in enumerate(plans):
            if planned.plan:
                console.print("\n" if number else "", end="")
                planning.print_plan(console, planned.plan)
        for planned in plans:
            for error in planned.errors:
                say_error(error)
        if not plans:
            console.print("No sources are configured.")
    return _status_of([error for planned in plans for error in planned.errors])


def _status_of(failures: list[RapportError]) -> int:
    if not failures:
        return DONE
    return WRONG if all(isinstance(error, ConfigError) for error in failures) else FAILED


@main.command()
@click.argument("selection", nargs=-1, metavar="[SOURCE[.STREAM]]...")
@click.option("--full-refresh", is_flag=True, help="Read everything again from the beginning.")
@click.option("--since", type=click.DateTime(), help="Only what changed since then (UTC).")
@click.option("--until", type=click.DateTime(), help="Only what changed before then (UTC).")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def sync(
    context: click.Context,
    selection: tuple[str, ...],
    full_refresh: bool,
    since: datetime | None,
    until: datetime | None,
    use_sandbox: bool,
    as_json: bool,
) -> int:
    """Bring records from the sources to landing files, with progress."""
    from rapport.syncing import Outcome, sync_selected

    config = ready_config(context, use_sandbox)
    with live_streams(quiet=as_json) as on_progress:
        outcomes: list[Outcome] = sync_selected(
            config,
            selection,
            full_refresh=full_refresh,
            since=since.replace(tzinfo=UTC) if since else None,
            until=until.replace(tzinfo=UTC) if until else None,
            on_progress=on_progress,
        )
    if as_json:
        click.echo(json.dumps([outcome.as_dict() for outcome in outcomes], default=str, indent=1))
    else:
        _print_outcomes(config, outcomes)
        if any(outcome.result for outcome in outcomes):
            console.print(f"next: `rapport build{' --sandbox' if use_sandbox else ''}`")
    failures = [outcome.error for outcome in outcomes if outcome.error]
    if failures:
        return _status_of(failures)
    return ENDED_EARLY if any(o.result and o.result.ended_early for o in outcomes) else DONE


def _print_table(table: Table) -> None:
    """Print a table, with all of its columns whole where no terminal bounds them."""
    (console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)).print(table)


def _print_outcomes(config: Config, outcomes: list[Any]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in "stream rows deleted late quarantined pages requests wait".split():
        table.add_column(heading, justify="left" if heading == "stream" else "right", no_wrap=True)
    for outcome in outcomes:
        if outcome.result:
            r = outcome.result
            table.add_row(
                f"{r.source}.{r.stream}", *(f"{n:,}" for n in (
                    r.rows, r.deletes, r.late, r.quarantined, r.pages, r.requests)),
                f"{r.waits_s:.0f} s",
            )  # fmt: skip
    if table.row_count:
        _print_table(table)
    for outcome in outcomes:
        if outcome.result and outcome.result.quarantined:
            source, stream = outcome.result.source, outcome.result.stream
            reasons = Quarantine(config.home, source, stream).reasons()
            n = sum(reasons.values())
            records = "1 record" if n == 1 else f"{n:,} records"
            why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
            folder = (config.home / "quarantine" / source / stream).resolve()
            console.print(
                f"{records} of {outcome.place} {'is' if n == 1 else 'are'} in quarantine "
                f"({why}): {folder}",
                markup=False, soft_wrap=True,
            )  # fmt: skip
    for outcome in outcomes:
        if outcome.error:
            say_error(outcome.error)
        elif outcome.result and outcome.result.ended_early:
            console.print(f"{outcome.place}: the quota is used up; the next sync goes on here.")


@main.command()
@click.option(
    "--accept-merges",
    is_flag=True,
    help="Publish this build however many people it makes one.",
)
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def build(context: click.Context, accept_merges: bool, use_sandbox: bool, as_json: bool) -> int:
    """Build the tables from what has landed, publish them and write the report."""
    from rapport.pipeline import build_and_publish

    config = chosen_config(context, use_sandbox)
    outcome = build_and_publish(config, accept_merges=accept_merges)
    if as_json:
        click.echo(json.dumps(outcome, default=str, indent=1))
        return DONE
    console.print(outcome["message"], markup=False)
    for line in outcome.get("unmet", ()):
        console.print(f"note: {line}", markup=False, soft_wrap=True)
    return DONE


@main.command()
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def status(context: click.Context, use_sandbox: bool, as_json: bool) -> int:
    """Per stream: last sync, cursor, rows, lag, coverage and quarantine."""
    from rapport.status import stream_lines

    lines = stream_lines(chosen_config(context, use_sandbox))
    if as_json:
        click.echo(json.dumps(lines, default=str, indent=1))
        return DONE
    table = Table(box=None, pad_edge=False)
    for heading in ("stream", "last sync", "read up to"):
        table.add_column(heading, no_wrap=True)
    for heading in ("landed", "held", "calls/change"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line["place"], _minute(line["last_sync"]) or "never", _minute(line["cursor"]),
            f"{line['rows']:,}", _count(line["held"]),
            "" if line["calls_per_change"] is None else f"{line['calls_per_change']:.2g}",
        )  # fmt: skip
    console.print(table)
    for title, key in (
        ("History still to be read", "backfill"),
        ("Differs from the source", "difference"),
        ("In quarantine", "quarantine"),
        ("What a source cannot tell", "coverage"),
    ):
        notes = [f"{line['place']}: {line[key]}" for line in lines if line[key]]
        if notes:
            console.print(f"\n{title}:", *notes, sep="\n", markup=False)
    return DONE


def _minute(stamp: str | None) -> str:
    """Return month, day, hour and minute of an ISO 8601 stamp."""
    return str(stamp or "").replace("T", " ")[5:16]


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


@main.command()
@click.option("--rule", metavar="RULE", help="Only pairs of this rule.")
@click.option("--suggestions", is_flag=True, help="Only what waits for an answer, no samples.")
@click.option("--sample", default=20, show_default=True, metavar="N",
              help="Pairs to draw of each automatic rule.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="The same seed draws the same pairs.")
@click.option("--author", envvar="RAPPORT_AUTHOR", default=getpass.getuser,
              help="Whose answers these are (default: the user's name).")  # fmt: skip
@click.option("--export", "sheet_out", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Write the questions to a sheet to fill in, and ask nothing.")  # fmt: skip
@click.option("--import", "sheet_in", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Take the answers of a filled-in sheet.")  # fmt: skip
@click.option("--report", "only_report", is_flag=True, help="Only how right each rule is here.")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def review(
    context: click.Context,
    rule: str | None,
    suggestions: bool,
    sample: int,
    seed: int,
    author: str,
    sheet_out: Path | None,
    sheet_in: Path | None,
    only_report: bool,
    use_sandbox: bool,
    as_json: bool,
) -> int:
    """Say whether pairs of profiles are one: what waits, and a sample of each rule.

    Answers go to identity/reviews.csv and count from the next build on.
    """
    from rapport.identity import reviewing, reviews

    if sum(map(bool, (sheet_out, sheet_in, only_report))) > 1:
        raise ConfigError("`--export`, `--import` and `--report` exclude each other. Choose one.")
    config = loaded_config(context, use_sandbox)
    today = datetime.now(UTC).date()
    found: dict[str, Any] = {}
    if sheet_in:
        taken = reviews.import_sheet(config, sheet_in, author, today)
        found = {"taken": taken.taken, "known": taken.known, "open": taken.open}
        if not as_json:
            reviewing.print_imported(console, taken)
    elif not only_report:
        asked = reviews.questions(
            config, rule=rule, only_suggestions=suggestions, sample=sample, seed=seed
        )
        found = {"questions": [asdict(question) for question in asked]}
        if sheet_out:
            reviews.export_sheet(sheet_out, asked)
            found = {"exported": len(asked)}
            if not as_json:
                reviewing.print_exported(console, sheet_out, len(asked))
            return _print_json(found) if as_json else DONE
        if not as_json:
            standings = {one.rule_id: one for one in reviews.standings(config)}
            reviewing.ask_all(
                console, asked, standings,
                lambda question, verdict, reason: reviews.answer(
                    config, question, verdict, reason, author, today
                ),
            )  # fmt: skip
    rules = reviews.standings(config)
    if as_json:
        return _print_json(found | {"rules": [asdict(one) for one in rules]})
    _print_table(reviewing.report(rules))
    reviewing.print_changes(console, rules)
    return DONE


def _print_json(found: object) -> int:
    click.echo(json.dumps(found, default=str, indent=1))
    return DONE


@main.command()
@click.argument("asked", metavar="WHOM")
@click.argument("other", required=False, metavar="[OTHER]")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def explain(
    context: click.Context, asked: str, other: str | None, use_sandbox: bool, as_json: bool
) -> int:
    """Why profiles are one person or organization, and why others are not.

    WHOM and OTHER are ids of persons or organizations, or profile keys.
    """
    from rapport.identity import explain

    told = explain.explain(loaded_config(context, use_sandbox), asked, other)
    if as_json:
        click.echo(json.dumps(told.as_dict(), default=str, indent=1))
    else:
        explain.print_all(console, told)
    return DONE


@main.command()
@click.argument("selection", metavar="SOURCE[.STREAM]")
@click.option("--fault", "names", multiple=True, help="Only this fault; may be given again.")
@sandbox_option
@json_option
@click.pass_context
@answers_errors
def test(
    context: click.Context,
    selection: str,
    names: tuple[str, ...],
    use_sandbox: bool,
    as_json: bool,
) -> int:
    """Harm a source's connector in some fifty ways, never the vendor, and look what holds."""
    from rapport.conformance import battery, report

    name, _, stream = selection.partition(".")
    source = chosen_config(context, use_sandbox).source(name)
    faults = battery.chosen(names)
    if not as_json:
        console.print(
            f"Testing the connector `{source.type}` with the settings of `{name}` on a generated "
            "stage on this machine. The vendor itself is not asked; no data of yours is touched.\n"
        )
    with live_lines(quiet=as_json) as on_event:
        verdicts = battery.examine(
            source.type,
            source.settings,
            faults=faults,
            streams=[stream] if stream else (),
            on_verdict=lambda v: on_event(f"{v.fault.id} on {v.stream}: {report.outcome(v)}"),
        )
    if as_json:
        click.echo(json.dumps(report.as_dict(name, source.type, verdicts), indent=1))
    else:
        report.print_all(console, verdicts)
    return FAILED if any(verdict.broken for verdict in verdicts) else DONE


@main.command()
@click.option("--people", default=2000, show_default=True, help="Size of the generated company.")
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same company.")
@click.option("--port", default=sandboxes.DEFAULT_PORT, show_default=True, help="First port.")
@click.option("--now", help="The world's clock at the start (default: today, 00:00 UTC).")
@click.option("--faults", type=click.Path(exists=True, path_type=Path), help="JSON plan of faults.")
@click.option("--data", type=click.Path(path_type=Path),
              help=f"Folder for shop.db and truth/ (default: {sandboxes.SANDBOX_HOME}, "
              "no truth).")  # fmt: skip
@click.option("--vendors", metavar="LIST", help="Only these, separated by commas (default: all).")
@click.option("--vendor-limits", is_flag=True, help="With the vendors' own default rate limits.")
@answers_errors
def sandbox(
    people: int,
    seed: int,
    port: int,
    now: str | None,
    faults: Path | None,
    data: Path | None,
    vendors: str | None,
    vendor_limits: bool,
) -> int:
    """Serve a generated company's vendors on loopback until interrupted."""
    from sandbox.server import (
        CREDENTIALS_PATH,
        PORTS,
        chosen_vendors,
        serve,
        sigterm_is_ctrl_c,
        until_stopped,
    )
    from sandbox.world import VENDORS

    moment = datetime.fromisoformat(now).replace(tzinfo=UTC) if now else None
    plan = json.loads(faults.read_text(encoding="utf-8")) if faults else None
    try:
        chosen = VENDORS if vendors is None else chosen_vendors(vendors)
    except ValueError as error:
        raise ConfigError(f"--vendors: {error}") from None
    sigterm_is_ctrl_c()
    with serve(
        people, seed, port, moment, plan, vendor_limits=vendor_limits, vendors=chosen,
        data=data or sandboxes.SANDBOX_HOME,
    ) as running:  # fmt: skip
        if data:
            running.write_truth(data / "truth")
        lines = dict(running.urls)
        for vendor in [name for name in lines if name in PORTS][:1]:
            lines["credentials"] = lines[vendor] + CREDENTIALS_PATH
        for name, text in lines.items():
            console.print(f"{name:<12} {text}", soft_wrap=True)
        if port == sandboxes.DEFAULT_PORT and "credentials" in lines:
            use = "Use it with `rapport run --sandbox`"
        else:  # `--sandbox` looks at the default ports alone
            use = "Use it with a rapport.yml that names the addresses above (docs/start.md)"
        until_stopped(lambda: console.print(f"{use}; stop it with Ctrl-C.", soft_wrap=True))
        console.print("stopped")
    return DONE


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@click.pass_context
@answers_errors
def dev(context: click.Context, port: int) -> int:
    """Open Dagster on rapport.yml, or on the demo's data when there is none."""
    from rapport.development import open_dagster

    return open_dagster(context.obj, port)


@contextmanager
def live_lines(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Print one line per event, with the seconds since the start."""
    start = time.monotonic()

    def on_event(text: str) -> None:
        if not quiet:
            console.print(f"{time.monotonic() - start:6.1f} s  {text}", markup=False)

    yield on_event


@contextmanager
def live_streams(quiet: bool = False) -> Iterator[Callable[[Any], None]]:
    """Show one live line per stream on a terminal, and a line every ten seconds elsewhere."""
    latest: dict[str, Any] = {}
    printed: dict[str, float] = {}
    if quiet:
        yield lambda progress: None
        return
    if not console.is_terminal:

        def on_progress(progress: Any) -> None:
            place = f"{progress.source}.{progress.stream}"
            if time.monotonic() - printed.setdefault(place, time.monotonic()) >= 10:
                printed[place] = time.monotonic()
                console.print(_progress_text(progress), markup=False)

        yield on_progress
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=8, transient=True) as live:

        def on_live(progress: Any) -> None:
            latest[f"{progress.source}.{progress.stream}"] = progress
            live.update("\n".join(_progress_text(p) for p in latest.values()))

        yield on_live


def _progress_text(progress: Any) -> str:
    text = (
        f"{progress.source}.{progress.stream}: {progress.rows:,} rows, {progress.pages:,} pages, "
        f"{progress.rate:,.0f} rows/s"
    )
    if progress.waiting_s:
        text += f", waiting {progress.waiting_s:.0f} s for {progress.waiting_for}"
    return text


if __name__ == "__main__":
    main()
