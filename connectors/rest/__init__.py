"""Any REST API that answers JSON, declared in rapport.yml: a source without code.

Auth: bearer, basic, a key in a header or in the address, OAuth2 with client credentials or refresh
tokens, none. Limits: 429 and `Retry-After` as everywhere, and what `limits:` says. Paging: page
numbers, offsets, links, cursors, keysets. What deletes look like: see `deletes:`; without it they
are not told, and only `--full-refresh` finds them. Fields: those that are named, nothing else.

A hook file is the user's own code and runs with our rights: it may do whatever Python may do.

    settings  the keys    declared  their checks, placeholders    hooks  the user's functions
    client    calls       paging    pages                         reads  what is due
    beside    plan, discover
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from connectors.base import Check, Page, Policy, State, Stream, Window
from connectors.discovery import Discovery
from connectors.planning import Allowance, Cost
from connectors.rest.beside import Planner, discovered
from connectors.rest.client import EVERYTHING, Api
from connectors.rest.declared import check_declarations, references, stream_of
from connectors.rest.hooks import Hooks
from connectors.rest.reads import Reader
from connectors.rest.settings import Settings
from connectors.session import Session

__all__ = ["POLICY", "SILO", "STREAMS", "TYPE", "Rest", "Settings", "connect"]

TYPE = "rest"
SILO = "other"
POLICY = Policy()

STREAMS: tuple[Stream, ...] = ()
"""None of its own: rapport.yml declares them."""


def connect(name: str, settings: Settings, session: Session) -> Rest:
    """Return the source; nothing is asked yet, and no hook is run."""
    check_declarations(name, settings)
    return Rest(name, settings, session)


class Rest:
    """One declared API. See `connectors.base.Source`."""

    type: ClassVar[str] = TYPE

    def __init__(self, name: str, settings: Settings, session: Session) -> None:
        self.name = name
        self.session = session
        self._settings = settings
        path = Path(settings.folder, settings.hooks) if settings.hooks else None
        self._api = Api(name, settings, session, Hooks(name, path))
        self._reader = Reader(self._api, settings)

    def streams(self) -> Sequence[Stream]:
        """Return one stream per entry of `streams:`."""
        return [stream_of(name, declared) for name, declared in self._settings.streams.items()]

    def check(self) -> Check:
        """Ask the path of `check:`, else for the first page of the first list."""
        if self._settings.check is not None:
            self._api.check(self._settings.check)
            detail = f"`{self._settings.check}` answers"
        else:
            name, declared = next(
                each for each in self._settings.streams.items() if not references(each[1])
            )
            self._api.page(name, declared, above={}, due=EVERYTHING, more={}, link=None)
            detail = (
                f"`{name}` answers; a list that anybody may read does so without a credential, too:"
                " name a better path as `check`"
            )
        return Check(
            ok=True,
            account=self.session.base_url,
            detail=detail,
            clock_skew_s=self.session.clock_skew_s,
        )

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream. See `reads`."""
        return self._reader.read(stream, dict(state), window)

    def discover(self) -> Discovery:
        """Look at one page of each list."""
        return discovered(self._api, self._reader, self._settings, self.streams())

    def plan(self, stream: Stream, state: State, window: Window) -> Cost | None:
        """Count what `read` would ask for, where the vendor tells how much there is."""
        return Planner(self._api, self._settings).plan(stream, state, window)

    def allowance(self) -> Allowance:
        """Return the limits that rapport.yml names."""
        windows = tuple(self.session.calls_per_window)
        how = "`limits.calls` in rapport.yml" if windows else "rapport.yml names no `limits.calls`"
        return Allowance(windows=windows, how=how)
