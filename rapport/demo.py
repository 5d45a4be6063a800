"""The sandbox as a source: its configuration, and `rapport demo`.

Belongs here: everything that knows that a sandbox exists. Does not belong here: how the
sandbox makes its data (`sandbox`), or the run itself (`assets.run`).
"""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml

from connectors.errors import ConfigError
from rapport import config
from rapport.config import Config
from rapport.custom import custom_fields

DEFAULT_PORT = 8800
DEMO_HOME = Path(".rapport/demo")
SANDBOX_HOME = Path(".rapport/sandbox")
STRATEGY = Path(__file__).resolve().parent.parent / "examples" / "sandbox" / "strategy.yml"


def write_config(home: Path, sandbox: Mapping[str, Any]) -> Config:
    """Write a rapport.yml for a sandbox into `home` and return it.

    Args:
        home: folder of the configuration; landing and all else lie in it.
        sandbox: what `GET /sandbox/credentials` answers: `now`, `own_domains` and per vendor
            the keys of its entry under `sources:`.
    """
    home.mkdir(parents=True, exist_ok=True)
    tree = {
        "home": ".",
        "as_of": sandbox["now"][:10],
        "own_domains": sandbox["own_domains"],
        "sources": sandbox["sources"],
    }
    path = home / config.CONFIG_NAME
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    path.write_text(f"# Written for a sandbox: generated data, no secrets.\n{text}", "utf-8")
    found = config.load(path)
    _write_strategy(found)
    return found


def _write_strategy(found: Config) -> None:
    """Write the sandbox's strategy, without segments by fields of vendors that are left out."""
    taken = {field["name"] for _, _, field in custom_fields(found)}
    lines = STRATEGY.read_text("utf-8").splitlines(keepends=True)
    by_field = [re.search(r"from: \{custom: (\w+)\}", line) for line in lines]
    kept = [
        line
        for line, custom in zip(lines, by_field, strict=True)
        if custom is None or custom[1] in taken
    ]
    found.strategy_path.write_text("".join(kept), "utf-8")


def running_sandbox() -> Config:
    """Return the configuration of the sandbox that runs at its default address.

    Each of its ports tells of all vendors, and not every vendor need be there.

    Raises:
        ConfigError: none answers there.
    """
    ports = _ports(DEFAULT_PORT)
    for port in ports:
        address = f"http://127.0.0.1:{port}/sandbox/credentials"
        try:
            with urllib.request.urlopen(address, timeout=5) as response:
                return write_config(SANDBOX_HOME, json.load(response))
        except (URLError, TimeoutError, ValueError) as error:
            reason = error
    raise ConfigError(
        f"no sandbox answers at its default address, `127.0.0.1:{ports[0]}` to `{ports[-1]}` "
        f"({reason}). Start one with `rapport sandbox` in another terminal and run again; "
        "for one at another `--port` write a rapport.yml (docs/start.md)."
    )


def _ports(base: int) -> list[int]:
    """Return the ports of a whole sandbox, one per vendor."""
    from sandbox.server import PORTS

    return [base + offset for offset in PORTS.values()]


def base_port(preferred: int = DEFAULT_PORT) -> int:
    """Return `preferred` when it and the other vendors' ports are free, else 0 (any free ones)."""
    for port in _ports(preferred):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return 0
    return preferred
