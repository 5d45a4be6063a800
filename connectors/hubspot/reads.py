"""How each stream of a HubSpot account is read.

Belongs here: which way belongs to which stream, and the short lists, which are read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from connectors.base import Page, State, Stream, Window
from connectors.hubspot import beside, objects
from connectors.hubspot.client import ROWS_PER_LIST, Account, ScopeMissing, spliced
from connectors.hubspot.streams import OPTIONAL, scope_of
from connectors.records import split

if TYPE_CHECKING:
    from hubspot import HubSpot as Client


class Reader:
    """Reads the streams of one account."""

    def __init__(self, account: Account, lying_beside: beside.Beside) -> None:
        self._account = account
        self._beside = lying_beside
        self._short: dict[str, Callable[[], Iterator[list[bytes]]]] = {
            "owners": self._owners,
            "pipelines": self._pipelines,
            "marketing_emails": self._marketing_emails,
            "subscription_types": self._subscription_types,
        }

    def read(self, stream: Stream, state: State, window: Window) -> Iterator[Page]:
        """Yield the pages of one stream; its state is described at its reader."""
        try:
            if stream.name in self._short:
                for records in self._short[stream.name]():
                    yield Page(records=records)
                yield Page(state={}, census_complete=True)
            elif stream.cursor is None:
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
        for kind in ("deals", "tickets"):

            def ask(client: Client, kind: str = kind) -> Any:
                return client.crm.pipelines.pipelines_api.get_all(kind, _preload_content=False)

            rows = split(self._account.ask(ask), "results")
            yield [spliced(row, objectType=kind) for row in rows]

    def _marketing_emails(self) -> Iterator[list[bytes]]:
        return self._account.pages_of(
            lambda client, after: client.marketing.emails.marketing_emails_api.get_page(
                limit=ROWS_PER_LIST, after=after, _preload_content=False
            )
        )

    def _subscription_types(self) -> Iterator[list[bytes]]:
        body = self._account.ask(
            lambda client: client.communication_preferences.definition_api.get_page(
                _preload_content=False
            )
        )
        yield split(body, "subscriptionDefinitions")
