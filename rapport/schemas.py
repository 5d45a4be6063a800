"""Write the JSON Schemas that editors use: `python -m rapport.schemas`.

Belongs here: where they are kept. Does not belong here: what is in them (`rapport.config`,
`rapport.strategy`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapport import config, strategy

FOLDER = Path(__file__).resolve().parent.parent / "docs"
SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "rapport.schema.json": config.json_schema,
    "strategy.schema.json": strategy.json_schema,
}


def write() -> None:
    """Write every schema to the docs folder."""
    for name, schema in SCHEMAS.items():
        (FOLDER / name).write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
