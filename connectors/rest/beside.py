"""What stands beside reading: what a sync would cost, and which fields are left out.

Belongs here: the answers to `plan` and `discover`. Does not belong here: reading (`reads`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import msgspec

from connectors.base import State, Stream, Window
from connectors.discovery import Discovery, FoundField, FoundStream, sampled
from connectors.errors import BadRequest
from connectors.incremental import ChangeWalk, new_fields
from connectors.planning import ALWAYS, Cost, Step, pages
from connectors.rest.client import EVERYTHING, Api, Due
from connectors.rest.declared import fields_of, has_time, references, stream_of
from connectors.rest.reads import Reader
from connectors.rest.settings import RestStream, Settings


class Planner:
    """Plans for one source."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._api = api
        self._declared = settings.streams

    def plan(self, stream: Stream, state: State, window: Window) -> Cost | None:
        """Return what `read` would cost; None: the vendor does not tell how much is due."""
        declared = self._declared[stream.name]
        if new_fields(stream.fields, state):
            state = {}
        wanted = references(declared)
        if wanted:
            name = wanted[0][0]
            parent = stream_of(name, self._declared[name])
            above = self.plan(parent, state.get("parents", {}), window)
            return above and self._per_record(name, above)
        counted = Step(what="count", calls=1, how=ALWAYS)
        opening = (counted,) if declared.count is not None else ()
        if declared.paging is None:
            return Cost(steps=(*opening, Step(what="the list", calls=1, how="it has one page")))
        path = declared.paging.total or declared.count
        is_whole = window.full_refresh or not state or declared.incremental == "full"
        if path is None or not (is_whole or declared.incremental == "updated_since"):
            return None
        due = EVERYTHING if is_whole else self._due(stream, declared, state, window)
        size = declared.paging.size
        more = {} if size is None else {str(declared.paging.size_param): size}
        page = self._api.page(stream.name, declared, above={}, due=due, more=more, link=None)
        count = int(page.told(path, "paging.total"))
        each = max(1, len(page.records))
        return Cost(
            steps=(
                *opening,
                Step(
                    what="pages of records" if is_whole else "pages of changed records",
                    calls=pages(count, each),
                    how=f"{count:,} records by `{path}`, {each:,} a page",
                ),
            ),
            records=count,
            records_how=f"`{path}` of the first page",
        )

    def _per_record(self, name: str, above: Cost) -> Cost | None:
        if above.records is None:
            return None
        pages_of_parents = next(step for step in above.steps if step.what != "count")
        lists = Step(
            what=f"a list per record of `{name}`",
            calls=above.records,
            how=f"{above.records:,} of them; a list of several pages takes more",
        )
        return Cost(steps=(pages_of_parents, lists))

    def _due(self, stream: Stream, declared: RestStream, state: State, window: Window) -> Due:
        walk = ChangeWalk.begin(stream, dict(state), window)
        return Due(start=walk.start, end=walk.end if has_time(declared, "end") else None)


def discovered(
    api: Api, reader: Reader, settings: Settings, streams: Sequence[Stream]
) -> Discovery:
    """Look at one page of each list, below another stream at that of its first record."""
    return Discovery(
        streams=tuple(_found(api, reader, settings.streams[one.name], one) for one in streams),
        objects=(),
        how="an API does not list what it has; its documentation does",
    )


def _found(api: Api, reader: Reader, declared: RestStream, stream: Stream) -> FoundStream:
    api.session.place = f"{api.name}.{stream.name}"
    added = [name for name in fields_of(declared) if name.startswith("_")]
    try:
        found = sampled(stream, lambda: reader.sample(stream), added=added)
    except BadRequest as refusal:
        return FoundStream(
            stream=stream, fields=(), how="cannot tell: no page came", is_complete=False,
            note=str(refusal),
        )  # fmt: skip
    finally:
        api.session.place = api.name
    if stream.fields == ("*",):
        taken = tuple(dataclasses.replace(field, is_taken=True, note="") for field in found.fields)
        return dataclasses.replace(found, fields=taken)
    return dataclasses.replace(found, lines=tuple(_lines(stream.name, declared, found)))


def _lines(name: str, declared: RestStream, found: FoundStream) -> Iterable[str]:
    """Yield the stream's `fields:`, `types:` and `pii:` with what is left out; guesses say so."""
    if not found.not_taken:
        return
    yield f"{name}:"
    yield "  fields:"
    yield from (f"    - {_quoted(name)}" for name in declared.fields)
    for field in found.not_taken:
        told = f"{field.type}; {field.pii} ({field.pii_basis})"
        yield f"    - {_quoted(field.name)}  # {told}"
    for key, usual, declared_words in (
        ("types", "text", declared.types),
        ("pii", "none", declared.pii),
    ):
        words = dict(declared_words) | {
            field.name: _word(field, key)
            for field in found.not_taken
            if "." not in field.name and _word(field, key) != usual
        }
        if words:
            yield f"  {key}: {{{', '.join(f'{_quoted(k)}: {v}' for k, v in words.items())}}}"


def _word(field: FoundField, key: str) -> str:
    return field.type if key == "types" else field.pii


def _quoted(name: str) -> str:
    is_plain = name.replace("_", "a").replace(".", "a").isalnum() and name[0].isalpha()
    return name if is_plain else msgspec.json.encode(name).decode()
