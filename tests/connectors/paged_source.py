"""A source that reads numbered pages over HTTP; run as a program it syncs, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from connectors import Check, Page, Session, Stream, sync_stream
from connectors.pagination import numbered
from connectors.records import pick, split

THINGS = Stream(
    name="things", key=("id",), fields=("id", "at", "name"), cursor="at", deletes="census"
)


class Paged:
    """Pages `/things/<n>` until one says `last`; the state is the next page's number."""

    type = "paged"
    name = "src"

    def __init__(self, url: str) -> None:
        self.session = Session(self.name, base_url=url)

    def streams(self):
        return [THINGS]

    def check(self):
        return Check(ok=True, account="", detail="")

    def read(self, stream, state, window):
        first = state.get("walk", {}).get("page", 1)
        pages = numbered(
            lambda number: self.session.fetch("GET", f"/things/{number}"),
            lambda body: pick(body, "last") is True,
            start=first,
            place=self.session.place,
        )
        for body, following in pages:
            at_end = following is None
            yield Page(
                records=split(body, "things"),
                state={"cursor": pick(body, "cursor")} if at_end else {"walk": {"page": following}},
            )


if __name__ == "__main__":
    url, home = sys.argv[1:]
    sync_stream(Paged(url), THINGS, Path(home), checkpoint_bytes=3_000)
