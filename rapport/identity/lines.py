"""The lines of the CSV files that people write beside rapport.yml.

Belongs here: reading a table of theirs line by line, saying at which line a cell cannot be read,
and which lines came to nothing. Does not belong here: what a line means (`overrides`, `claims`,
`suppressions`, `pins`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from connectors.errors import ConfigError, suggestion

FOLDER = "identity"

_OF_ADDRESS = re.compile(r"([^:]+:[^:]+:mailto:)(.+@.+)", re.DOTALL)


def rows(
    folder: Path,
    name: str,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    ignores_others: bool = False,
) -> Iterable[tuple[int, dict[str, str]]]:
    """Yield (line, column -> text without blanks around it) of a file, empty lines left out.

    A file that is not there has no lines.

    Args:
        folder: where rapport.yml lies.
        name: of the file, from there.
        optional: of `columns` those that may be missing or empty.
        ignores_others: further columns are for the reader's eye and left out.

    Raises:
        ConfigError: it is not a table of these columns.
    """
    path = folder / name
    if not path.is_file():
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: it is not UTF-8 text. Save it as CSV in UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip() for cell in next(reader, columns)]
    for column in header:
        if column not in columns and not ignores_others:
            raise ConfigError(
                f"{name}:1: unknown column `{column}`.{suggestion(column, columns)} "
                f"Columns: {', '.join(columns)}."
            )
    for column in columns:
        if column not in header and column not in optional:
            raise ConfigError(f"{name}:1: the column `{column}` is missing. Add it.")
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ConfigError(
                f"{name}:{line}: {len(cells)} cells under {len(header)} columns. Put quotes around "
                "text that holds a comma."
            )
        row = dict.fromkeys(optional, "") | {
            column: cell.strip()
            for column, cell in zip(header, cells, strict=True)
            if column in columns
        }
        for column in columns:
            if not row[column] and column not in optional:
                raise ConfigError(f"{name}:{line}: `{column}` is empty. Fill it in.")
        yield line, row


def choice(where: str, column: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of those known; `where` is the file and line."""
    if value not in known:
        raise ConfigError(
            f"{where}: `{column}` is `{value}`.{suggestion(value, known)} "
            f"Write one of: {', '.join(known)}."
        )


def day(where: str, column: str, value: str) -> date:
    """Return the day that a cell names."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ConfigError(
            f"{where}: `{column}` is `{value}`; write a day like `2026-06-30`."
        ) from None


def profile_key(where: str, column: str, value: str) -> str:
    """Return the key of the one profile that a cell names."""
    if value.count(":") < 2 or "" in value.split(":", 2):
        raise ConfigError(
            f"{where}: `{column}` is `{value}`; write a profile key like "
            "`crm:contacts:0035g00000AbCdEEAV`."
        )
    return digested(value)


def digested(key: str) -> str:
    """Return a key with the SHA-256 of an address for the address; any other key as it stands.

    People may write `shop:orders:mailto:ann@example.org`: the keys of tables hold no address.
    """
    found = _OF_ADDRESS.fullmatch(key)
    if not found:
        return key
    beginning, address = found.groups()
    return beginning + hashlib.sha256(address.strip().lower().encode()).hexdigest()


def unmet(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return `<file>:<line>: <why>` of lines that came to nothing in a build database.

    Empty where identity was not built.
    """
    try:
        found = connection.execute(
            "select file || ':' || line || ': ' || problem from main.identity_line "
            "order by file, line, problem"
        ).fetchall()
    except duckdb.CatalogException:
        return []
    return [text for (text,) in found]
