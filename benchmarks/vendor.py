"""A connector for `contacts`, as a vendor's would be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.contacts import FIELDS
from connectors import Check, Page, Session, State, Stream, Window
from connectors.incremental import change_walks
from connectors.pagination import cursors
from connectors.records import split

STREAM = Stream(
    name="contacts",
    key=("id",),
    fields=(
        *(field for field in FIELDS if field != "address"),
        *("address.city", "address.zip", "address.geo"),
    ),
    cursor="updatedAt",
)


class Vendor:
    """Lists contacts by cursor, all of them or what changed since."""

    type = "bench"
    name = "crm"

    def __init__(self, url: str) -> None:
        self.session = Session(self.name, base_url=url)

    def streams(self) -> Sequence[Stream]:
        return (STREAM,)

    def check(self) -> Check:
        return Check(ok=True, account="", detail="")

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        for walk in change_walks(stream, state, window):
            asked = {"since": walk.start.isoformat()} if walk.start else {}
            pages = cursors(
                lambda after, asked=asked: self.session.fetch(
                    "GET", "/contacts", params=asked | ({"after": after} if after else {})
                ),
                "paging", "next", "after",
                place=self.session.place,
                first=walk.position,
            )  # fmt: skip
            for body, after in pages:
                yield Page(
                    records=split(body, "results"),
                    state=walk.done() if after is None else walk.at(after),
                )
