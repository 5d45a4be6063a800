"""Write what the documentation repeats from declarations: `python -m rapport.reference`.

Belongs here: settings, streams and fields of the connectors as Markdown, between the marks that
a connect page has for them; the page of the published tables; the page of the requirements. Does
not belong here: what the declarations say (`connectors`, the YAML beside each dbt model,
`requirements.yml`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import yaml

from connectors import registry
from connectors.base import Stream
from connectors.files import FileStream
from connectors.rest.settings import Listed, RestLimits, RestStream
from connectors.tables import Deleted, SqlStream
from rapport.dbt import PROJECT, PUBLISHED_PREFIXES

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "connect"
TABLES_PAGE = FOLDER.parent / "tables.md"
REQUIREMENTS_PAGE = FOLDER.parent / "requirements.md"
REQUIREMENTS = Path(__file__).with_name("requirements.yml")
BLOCK = re.compile(
    r"(?s)<!-- (settings|keys|streams|fields|reconciliation) (\w+) -->\n.*?<!-- end -->"
)
"""`<!-- streams salesforce -->` up to `<!-- end -->`: a table that this module writes."""

STRUCTS: dict[str, type[msgspec.Struct]] = {
    "FileStream": FileStream,
    "SqlStream": SqlStream,
    "Deleted": Deleted,
    "Listed": Listed,
    "RestLimits": RestLimits,
    "RestStream": RestStream,
}
DELETES = {
    "tombstones": "the vendor lists them",
    "archived": "the vendor lists what is archived",
    "census": "a complete list no longer shows them",
    "reread": "recent records are asked for again",
    "none": "never told",
}
PII = {"direct": "names a person", "pseudonym": "stands for a person", "text": "free text"}
UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def settings(type_: str) -> str:
    """Return the table of a source type's settings: key, default, meaning."""
    return _keys(registry.module(type_).Settings)


def streams(type_: str) -> str:
    """Return the table of a source type's streams: key, cursor, what is read again, deletes."""
    rows = [
        (
            f"`{stream.name}`",
            ", ".join(f"`{field}`" for field in stream.key),
            f"`{stream.cursor}`" if stream.cursor else "everything each time"
            if stream.sync_mode == "full" else "that of the records it belongs to",
            _span(stream.lookback),
            DELETES[stream.deletes],
        )
        for stream in registry.module(type_).STREAMS
    ]  # fmt: skip
    notes = [
        f"- `{stream.name}`: {stream.coverage}."
        for stream in registry.module(type_).STREAMS
        if stream.coverage
    ]
    table = _table(("stream", "key", "cursor", "read again", "deletes"), rows)
    return "\n".join([table, *(("", "What cannot be known:", "", *notes) if notes else ())])


def reconciliation(type_: str) -> str:
    """Return, per stream, what is compared with the source, or why nothing can be."""
    rows = [
        (
            f"`{stream.name}`",
            stream.reconciles or "",
            stream.unreconciled or "",
            "yes" if stream.spans else "",
        )
        for stream in registry.module(type_).STREAMS
    ]
    heads = ("stream", "compared with the source", "why not", "long history in spans")
    return _table(heads, rows)


def fields(type_: str) -> str:
    """Return, per stream, every field that reaches a file, those about a person marked."""
    return _table(
        ("stream", "fields taken"),
        [(f"`{stream.name}`", _fields(stream)) for stream in registry.module(type_).STREAMS],
    )


WRITERS: dict[str, Callable[[str], str]] = {
    "settings": settings,
    "keys": lambda name: _keys(STRUCTS[name]),
    "streams": streams,
    "fields": fields,
    "reconciliation": reconciliation,
}


def written(page: str) -> str:
    """Return a page with every marked table as the declarations have it now."""
    return BLOCK.sub(
        lambda found: (
            f"<!-- {found[1]} {found[2]} -->\n\n{WRITERS[found[1]](found[2])}\n\n<!-- end -->"
        ),
        page,
    )


_TABLES_HEAD = """# The tables

Every table of `warehouse.duckdb` and `marts/`, with what one row is, what each column holds and
which SQL makes it. The same words are comments in the file itself (`select * from
duckdb_columns()`). How to ask them something: [query the tables](query.md).

Ids of people and organizations (`person_id`, `organization_id` and those that end in them) lead to
`dim_person` and `dim_organization`. Null means unknown. Who a column can show is marked: **names a
person**, **stands for a person**, **free text**.

Besides, `publication` has one row: `as_of`, the day whose end everything describes, and `known_at`;
nothing loaded later is in it.
"""


def tables() -> str:
    """Return the page of the published tables, from the YAML beside their dbt models."""
    sections = [
        f"## {model['name']}\n\n{_one_line(model['description'])}\n\n"
        f"SQL: `{model['sql']}`\n\n{_columns(model['columns'])}"
        for model in _models()
    ]
    return "\n\n".join([_TABLES_HEAD.strip(), *sections]) + "\n"


def _models() -> list[dict[str, Any]]:
    """Return what the YAML beside them says of the models of published tables, in page order.

    Each has its file of SQL besides, from the folder of the project on (`sql`).
    """
    return sorted(
        (
            model
            | {"sql": path.with_name(f"{model['name']}.sql").relative_to(PROJECT.parent).as_posix()}
            for path in (PROJECT / "models").rglob("*.yml")
            for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ())
            if model["name"].startswith(PUBLISHED_PREFIXES)
        ),
        key=lambda model: (_prefix_rank(model["name"]), model["name"]),
    )


class Requirement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is asked, and what answers it.

    Attributes:
        asks: the demand, in short words.
        by: what answers it: `table.column` of a model, or a command or file in backticks.
        test: `path::name` of the test that fails if it does not.
        waits: why it waits, or what of it does, and what it would need.
    """

    asks: str
    by: list[str] = []
    test: str | None = None
    waits: str | None = None

    @property
    def state(self) -> str:
        """`done`, `in part` or `waits`; nothing is done that no test shows."""
        if self.test is None:
            return "waits"
        return "in part" if self.waits else "done"


def requirements() -> dict[int, Requirement]:
    """Return number -> requirement, in their order."""
    tree = yaml.safe_load(REQUIREMENTS.read_text(encoding="utf-8"))
    return msgspec.convert(tree, dict[int, Requirement])


def answered_by_models() -> dict[str, list[int]]:
    """Return model -> the numbers of the requirements under its `meta`, of those that have any."""
    return {
        model["name"]: model["config"]["meta"]["requirements"]
        for model in _models()
        if "requirements" in model.get("config", {}).get("meta", {})
    }


_REQUIREMENTS_HEAD = """# What is asked, and what answers it

Rapport is built on five essays about relationships instead of sales pipelines. Each of their
demands has a row: what answers it, and the test that fails if it does not. **Done** means that the
test is there; **in part** that something still waits; **waits** says why, and what it would need.
"""


def requirements_page() -> str:
    """Return the page of the requirements."""
    tables: dict[int, list[str]] = {}
    for model, numbers in answered_by_models().items():
        for number in numbers:
            tables.setdefault(number, []).append(model)
    rows, counts = [], {"done": 0, "in part": 0, "waits": 0}
    for number, one in requirements().items():
        counts[one.state] += 1
        columns = [
            _answer(place) for place in sorted(one.by, key=_by_model(tables.get(number, [])))
        ]
        test = f"`{one.test}`" if one.test else ""
        rows.append((str(number), one.asks, one.state, "<br>".join(columns), test, one.waits or ""))
    heads = ("no.", "asked", "state", "answered by", "shown by", "what waits, and what it needs")
    total = ", ".join(f"{count} {state}" for state, count in counts.items())
    return f"{_REQUIREMENTS_HEAD}\nOf {len(rows)}: {total}.\n\n{_table(heads, rows)}\n"


def _by_model(models: Sequence[str]) -> Callable[[str], int]:
    """Return the order of answers: tables as the project has them, then commands and files."""
    return lambda place: models.index(place.partition(".")[0]) if place[0] != "`" else len(models)


def _answer(place: str) -> str:
    if place.startswith("`"):
        return place
    table, _, column = place.partition(".")
    return f"[`{table}.{column}`](tables.md#{table})"


def _prefix_rank(name: str) -> int:
    return next(rank for rank, prefix in enumerate(PUBLISHED_PREFIXES) if name.startswith(prefix))


def _columns(columns: Iterable[dict[str, Any]]) -> str:
    rows = []
    for column in columns:
        meta = column["config"]["meta"]
        mark = f" **{PII[meta['pii']]}**" if meta["pii"] in PII else ""
        meaning = _one_line(column["description"]) + mark
        rows.append((f"`{column['name']}`", column["data_type"], meta.get("unit", ""), meaning))
    return _table(("column", "type", "unit", "meaning"), rows)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _keys(struct: type[msgspec.Struct]) -> str:
    told = dict(_attributes(struct))
    rows = [
        (f"`{field.encode_name}`", _default(field), told[field.name])
        for field in msgspec.structs.fields(struct)
        if field.name != "folder"  # filled in, never written
    ]
    return _table(("key", "default", "meaning"), rows)


def _attributes(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Yield name and meaning of each attribute that a docstring describes."""
    section = inspect.cleandoc(struct.__doc__ or "").partition("Attributes:\n")[2]
    for entry in re.split(r"\n(?=    \S)", section):
        names, _, text = " ".join(entry.split()).partition(": ")
        for name in names.split(", "):
            yield name, text.rstrip(".")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value: Any = field.default
    if value is msgspec.NODEFAULT or value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _fields(stream: Stream) -> str:
    plain = [field for field in stream.fields if field not in stream.pii]
    groups = [("", plain)] + [
        (f"**{words}**: ", [field for field in stream.fields if stream.pii.get(field) == kind])
        for kind, words in PII.items()
    ]
    return "; ".join(
        mark + " ".join(f"`{field}`" for field in names) for mark, names in groups if names
    )


def _span(span: timedelta) -> str:
    for unit, word in UNITS:
        if span and span % unit == timedelta(0):
            return f"{span // unit} {word}"
    return ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |".replace("|  |", "| |") for line in cells)


def write() -> None:
    """Bring the marked tables, the page of the tables and that of the requirements up to date."""
    for path in FOLDER.glob("*.md"):
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
    TABLES_PAGE.write_text(tables(), encoding="utf-8")
    REQUIREMENTS_PAGE.write_text(requirements_page(), encoding="utf-8")


if __name__ == "__main__":
    write()
