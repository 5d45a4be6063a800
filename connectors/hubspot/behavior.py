"""What people did on pages and in apps that tell a HubSpot account: events of behavior, by type.

Belongs here: how the occurrences of the types that rapport.yml names are walked. Not what an event
tells besides (addresses of pages, places, devices): it is not taken.
https://developers.hubspot.com/docs/guides/api/analytics-and-events/event-analytics
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from connectors.base import Page, State, Stream, Window
from connectors.errors import BadRequest
from connectors.hubspot.client import NEXT, ROWS_PER_LIST, Account
from connectors.incremental import ChangeWalk, change_walks
from connectors.pagination import LoopGuard
from connectors.records import pick, split

_MOMENT = timedelta(milliseconds=1)


def read(
    account: Account, stream: Stream, types: Sequence[str], state: State, window: Window
) -> Iterator[Page]:
    """Read each type of event in a span of time.

    State: `types`, name -> that of `ChangeWalk`, so that one named later is read from its start.
    """
    walks = {name: walk for name, walk in (state.get("types") or {}).items() if name in types}
    for name in types:
        for walk in change_walks(stream, walks.get(name) or {}, window):
            for rows, after in pages(account, name, walk):
                if after is not None:
                    walks[name] = walk.at(after)
                yield Page(records=rows, state={"types": dict(walks)} if after else None)
            walks[name] = walk.done()
            yield Page(state={"types": dict(walks)})


def pages(
    account: Account, name: str, walk: ChangeWalk
) -> Iterator[tuple[list[bytes], str | None]]:
    """Yield pages of events of a type, each with the cursor behind it, None at the end.

    A cursor that is refused after a break begins the span anew.
    """
    after, guard = walk.position, LoopGuard(account.session.place)
    while True:
        try:
            body = account.ask(partial(_page, name, walk, after))
        except BadRequest:
            if after is None or after != walk.position:
                raise
            after = None
            continue
        told = pick(body, *NEXT)
        after = None if told is None else str(told)
        yield split(body, "results"), after
        if after is None:
            return
        guard.check(after)


def _page(name: str, walk: ChangeWalk, after: str | None, client: Any) -> Any:
    """Ask for a page; whether both ends of a span belong to it is not documented."""
    return client.events.events_api.get_page(
        event_type=name,
        occurred_after=walk.start - _MOMENT if walk.start is not None else None,
        occurred_before=walk.end,
        limit=ROWS_PER_LIST,
        after=after,
        _preload_content=False,
    )
