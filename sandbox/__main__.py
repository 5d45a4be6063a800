"""`python -m sandbox`: serve the emulated vendors on loopback until interrupted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from sandbox.server import BASE_PORT, PORTS, chosen_vendors, serve, sigterm_is_ctrl_c, until_stopped
from sandbox.world import VENDORS

SECRETS = (
    ("crm", "client_id", "SF_ID"),
    ("crm", "client_secret", "SF_SECRET"),
    ("hub", "access_token", "HUBSPOT_TOKEN"),
    ("forum", "api_key", "DISCOURSE_KEY"),
    ("social", "app_password", "BLUESKY_APP_PASSWORD"),
)


@click.command()
@click.option("--people", default=2000, show_default=True, help="How many people there are.")
@click.option("--seed", default=7, show_default=True, help="Of every random number.")
@click.option("--port", default=BASE_PORT, show_default=True, help="Base port; 0: free ones.")
@click.option("--now", "at", default=None, help="ISO time the world opens at. [today's midnight]")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Keep the shop's database and write the truth in this folder.",
)
@click.option("--vendors", default=",".join(VENDORS), show_default=True, help="Comma list.")
@click.option("--vendor-limits", is_flag=True, help="With the vendors' own default rate limits.")
def main(
    people: int,
    seed: int,
    port: int,
    at: str | None,
    data: Path | None,
    vendors: str,
    vendor_limits: bool,
) -> None:
    """Serve a generated company's vendors."""
    try:
        chosen = chosen_vendors(vendors)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--vendors") from None
    now = None
    if at is not None:
        try:
            now = datetime.fromisoformat(at)
        except ValueError:
            raise click.BadParameter(
                f"`{at}` is not an ISO 8601 time", param_hint="--now"
            ) from None
        now = now if now.tzinfo else now.replace(tzinfo=UTC)
    sigterm_is_ctrl_c()
    try:
        with serve(
            people, seed, port, now, vendor_limits=vendor_limits, vendors=chosen, data=data
        ) as sandbox:
            if data is not None:
                sandbox.write_truth(data / "truth")
            click.echo(f"# The world stands at {sandbox.now.isoformat()}. Generated data.")
            for name, count in sandbox.world.counts().items():
                click.echo(f"#   {name}: {count:,}")
            click.echo(_rapport_yml(sandbox.credentials))
            for address in [sandbox.urls[name] for name in chosen if name in PORTS][:1]:
                click.echo(f"# Move time: curl -d '{{\"days\": 7}}' {address}/sandbox/advance")
            until_stopped(lambda: click.echo("# Stop it with Ctrl-C."))
            click.echo("# Stopped.")
    except OSError as error:
        raise click.ClickException(error.strerror or str(error)) from error


def _rapport_yml(credentials: dict[str, Any]) -> str:
    """Return a rapport.yml; its secrets are named as variables, given above it."""
    tree = {
        "as_of": credentials["now"][:10],
        "own_domains": credentials["own_domains"],
        "sources": {name: dict(source) for name, source in credentials["sources"].items()},
    }
    lines = []
    for source, key, variable in SECRETS:
        if source not in tree["sources"]:
            continue
        lines.append(f"# export {variable}={tree['sources'][source][key]}")
        tree["sources"][source][key] = f"${{{variable}}}"
    return "\n".join([*lines, yaml.safe_dump(tree, sort_keys=False)])


if __name__ == "__main__":
    main()
