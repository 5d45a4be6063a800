"""An answer of a `rest` source, and finding one's way in it.

Belongs here: paths, links and what an answer lacks. Does not belong here: asking (`client`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import requests

from connectors.errors import ServerError
from connectors.records import members, pick

MOST_NAMES = 12
_NAME = re.compile(rb"[A-Za-z_@][\w.@-]{0,40}")


@dataclass(frozen=True)
class Answer:
    """A page.

    Attributes:
        records: what lies in its list; a plain value (an id) becomes `{"value": ...}`.
        checked: returns a link without credentials, which would reach the state with it.
    """

    place: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    records: list[bytes]
    checked: Callable[[str], str]

    def path(self, text: str) -> tuple[str, ...]:
        """Return a path as names; a name that itself has dots (`@odata.nextLink`) is one."""
        return path_in(self.body, text)

    def told(self, text: str, key: str) -> Any:
        """Return the value at a path that must be there."""
        value = pick(self.body, *self.path(text))
        if value is None:
            raise ServerError(
                f"{self.place}: the answer has nothing at `{text}` (`{key}`). It has: "
                f"{names_in(self.body)}.",
                place=self.place,
            )
        return value

    def link(self, text: str | None) -> str | None:
        """Return the address of the next page, from the body or from the header `Link`."""
        if text is None:
            links = requests.utils.parse_header_links(self.headers.get("Link", ""))
            found = next((each["url"] for each in links if each.get("rel") == "next"), None)
        else:
            found = pick(self.body, *self.path(text))
        return self.checked(urljoin(self.url, str(found))) if found else None


def path_in(body: bytes, text: str) -> tuple[str, ...]:
    """Return a dotted path as names, or as the one name that a body has with its dots."""
    return (text,) if text in members(body) else tuple(text.split("."))


def names_in(body: bytes) -> str:
    """Return the names at the top of an answer, as far as they look like names of fields."""
    if body.lstrip()[:1] == b"[":
        return "a list, which is `$`"
    names = [name for name in members(body) if _NAME.fullmatch(name.encode())]
    return ", ".join(f"`{name}`" for name in names[:MOST_NAMES]) or "nothing that has a name"
