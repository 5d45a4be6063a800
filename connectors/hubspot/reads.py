"""How each stream of a HubSpot account is read.

Belongs here: which way belongs to which stream, and the short lists, which are read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from connectors.base import Page, State, Stream, Window
from connectors.hubspot import behavior, beside, forms, mailings, members, objects
from connectors.hubspot.client import (
    CAMPAIGNS_PATH,
    NEXT,
    ROWS_PER_LIST,
    Account,
    ScopeMissing,
    spliced,
)
from connectors.hubspot.streams import (
    BEHAVIOR,
    EMAIL_EVENTS,
    LEADS,
    MEMBERSHIPS,
    OPTIONAL,
    has_properties,
    scope_of,
)
from connectors.pagination import LoopGuard, cursors
from connectors.records import pick, split, values

if TYPE_CHECKING:
    from hubspot import HubSpot as Client

LISTS_PER_PAGE = 100


class Reader:
    """Reads the streams of one account."""

    def __init__(
        self,
        account: Account,
        lying_beside: beside.Beside,
        members_of: Sequence[str] = (),
        events: Sequence[str] = (),
    ) -> None:
        self._account = account
        self._beside = lying_beside
        self._members_of = members_of
        self._events = events
        self._short: dict[str, Callable[[], Iterator[list[bytes]]]] = {
            "owners": self._owners,
            "pipelines": self._pipelines,
            "marketing_emails": self._marketing_emails,
            "subscription_types": self._subscription_types,
            "campaigns": self._campaigns,
            "forms": lambda: forms.forms(account),
            "lists": self.lists,
        }

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        try:
            if stream.name in self._short:
                for records in self._short[stream.name]():
                    yield Page(records=records)
                yield Page(state={}, census_complete=True)
            elif stream.name == "form_submissions":
                yield from forms.read(self._account, stream, state, window)
            elif stream.name == EMAIL_EVENTS:
                yield from mailings.read(self._account, stream, state, window)
            elif stream.name == BEHAVIOR:
                yield from behavior.read(self._account, stream, self._events, state, window)
            elif stream.name == MEMBERSHIPS:
                yield from members.read(
                    self._account, self.lists(), self._members_of, state, window
                )
            elif not has_properties(stream):
                yield from beside.read(self._account, self._beside, stream, state, window)
            else:
                yield from objects.read(self._account, stream, state, window)
        except ScopeMissing:
            if stream.name not in OPTIONAL:
                raise
            yield Page(notes=(f"not visible: needs the scope `{scope_of(stream.name)}`",))

    def _owners(self) -> Iterator[list[bytes]]:
        """Read the active owners, then the deactivated: they still own what they owned."""
        for archived in (None, True):

            def page(client: Client, after: str | None, archived: bool | None = archived) -> Any:
                return client.crm.owners.owners_api.get_page(
                    limit=ROWS_PER_LIST, after=after, archived=archived, _preload_content=False
                )

            yield from self._account.pages_of(page)

    def _pipelines(self) -> Iterator[list[bytes]]:
        for kind in ("deals", "tickets", *([LEADS] if LEADS in self._beside.linked else [])):

            def ask(client: Client, kind: str = kind) -> Any:
                return client.crm.pipelines.pipelines_api.get_all(kind, _preload_content=False)

            rows = split(self._account.ask(ask), "results")
            yield [spliced(row, objectType=kind) for row in rows]

    def _marketing_emails(self) -> Iterator[list[bytes]]:
        return self._account.pages_of(
            lambda client, after: client.marketing.emails.marketing_emails_api.get_page(
                limit=ROWS_PER_LIST, after=after, include_stats=True, _preload_content=False
            )
        )

    def _campaigns(self) -> Iterator[list[bytes]]:
        """Read campaigns, which the client library does not know."""
        pages = cursors(
            lambda after: self._account.ask_path(
                "GET", CAMPAIGNS_PATH, params={"after": after} if after is not None else None
            ),
            *NEXT,
            place=self._account.session.place,
        )
        for body, _ in pages:
            yield split(body, "results")

    def lists(self) -> Iterator[list[bytes]]:
        """Read lists, which page by a count of those shown."""
        shown, guard = 0, LoopGuard(self._account.session.place)
        while True:
            asked = {"query": "", "count": LISTS_PER_PAGE, "offset": shown}
            body = self._account.ask(
                lambda client, asked=asked: client.crm.lists.lists_api.do_search(  # type: ignore[misc]
                    list_search_request=asked, _preload_content=False
                )
            )
            rows = split(body, "lists")
            if rows:
                guard.check(str(values(rows[0], "listId")[0]))
            yield rows
            shown += len(rows)
            if not rows or not pick(body, "hasMore"):
                return

    def _subscription_types(self) -> Iterator[list[bytes]]:
        body = self._account.ask(
            lambda client: client.communication_preferences.definition_api.get_page(
                _preload_content=False
            )
        )
        yield split(body, "subscriptionDefinitions")
