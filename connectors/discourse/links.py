"""Whom a post turns to, as its text says: quotes and mentions.

Belongs here: reading them out of a post. The text itself is never kept.
"""

from __future__ import annotations

from contextlib import suppress
from html.parser import HTMLParser
from urllib.parse import unquote

import msgspec

from connectors.records import members, values


def with_links(post: bytes) -> bytes:
    """Put `quotes` and `mentions` behind the fields of a post, where it has any.

    A quote is told by what stays, topic and number of the quoted post, and not by the name
    that stands there, which its owner may change. Mentions inside a quote are not this author's.
    """
    text = values(post, "cooked")[0]
    if not isinstance(text, str) or ("data-topic" not in text and "mention" not in text):
        return post
    found = _Links()
    with suppress(AssertionError):  # of the parser, at `<![` and nothing it knows
        found.feed(text)
    told = {"quotes": found.quotes, "mentions": found.mentions}
    links = {name: links for name, links in told.items() if links}
    return msgspec.json.encode(members(post) | links) if links else post


class _Links(HTMLParser):
    """Collects what `<aside class="quote">` and `<a class="mention">` name.

    https://github.com/discourse/discourse/blob/main/lib/pretty_text.rb
    """

    def __init__(self) -> None:
        super().__init__()
        self.quotes: list[dict[str, int]] = []
        self.mentions: list[str] = []
        self._asides = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        classes = told.get("class", "").split()
        if tag == "aside":
            self._asides += 1
            topic, number = told.get("data-topic", ""), told.get("data-post", "")
            if "quote" in classes and _is_id(topic) and _is_id(number):
                quote = {"topic": int(topic), "post": int(number)}
                if quote not in self.quotes:
                    self.quotes.append(quote)
        elif tag == "a" and "mention" in classes and not self._asides:
            _, is_user, name = told.get("href", "").rpartition("/u/")
            if is_user and name and unquote(name) not in self.mentions:
                self.mentions.append(unquote(name))

    def handle_endtag(self, tag: str) -> None:
        if tag == "aside" and self._asides:
            self._asides -= 1


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
