"""What a post holds, as far as it tells whether it is about us.

Belongs here: reading posts, authors and labels. Nothing here asks for anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from connectors.bluesky.streams import NO_UNAUTHENTICATED
from connectors.records import members, parse_stamp, pick, values

if TYPE_CHECKING:
    from connectors.bluesky import Settings


class _Ref(msgspec.Struct):
    uri: str = ""


class _Quoted(msgspec.Struct):
    uri: str = ""
    record: _Ref | None = None


class _Embed(msgspec.Struct):
    """A card, a quote, or a quote with something else."""

    external: _Ref | None = None
    record: _Quoted | None = None
    media: _Embed | None = None

    @property
    def quoted(self) -> str:
        if self.record is None:
            return ""
        return self.record.record.uri if self.record.record else self.record.uri


class _Feature(msgspec.Struct):
    did: str = ""
    uri: str = ""
    tag: str = ""


class _Facet(msgspec.Struct):
    features: list[_Feature] = []


class _Reply(msgspec.Struct):
    parent: _Ref


class _Record(msgspec.Struct):
    text: str = ""
    facets: list[_Facet] = []
    tags: list[str] = []
    embed: _Embed | None = None
    reply: _Reply | None = None


class _Author(msgspec.Struct):
    did: str


class Post(msgspec.Struct):
    """A post, as lists and searches show it."""

    uri: str
    author: _Author
    record: _Record
    indexedAt: str


class _Label(msgspec.Struct):
    val: str


class _Labeled(msgspec.Struct):
    labels: list[_Label] = []


_DECODE_POST = msgspec.json.Decoder(Post).decode


def read_post(row: bytes) -> Post | None:
    """Return a post; None if it is none, or too odd to tell whom it is about."""
    try:
        return _DECODE_POST(row)
    except (msgspec.DecodeError, RecursionError):
        return None


def is_for_everybody(view: bytes) -> bool:
    """Tell whether an account lets itself be shown to people who are not logged in."""
    try:
        labels = msgspec.json.decode(view, type=_Labeled).labels
    except (msgspec.DecodeError, RecursionError):
        return False
    return all(label.val != NO_UNAUTHENTICATED for label in labels)


def author_of(row: bytes) -> bytes:
    """Return the view of a post's author."""
    return bytes(members(row).get("author", b"{}"))


def with_more(row: bytes, more: Mapping[str, Any]) -> bytes:
    """Put our own fields behind the vendor's, whose bytes stay."""
    return msgspec.json.encode({**members(row), **more})


def indexed_at(row: bytes) -> datetime:
    """Return when the network saw a post; what cannot be read counts as new."""
    stamp = values(row, "indexedAt")[0]
    return (parse_stamp(stamp) if isinstance(stamp, str) else None) or datetime.max.replace(
        tzinfo=UTC
    )


def sort_at(row: bytes) -> datetime:
    """Return the earlier of what the client claims and what the network saw."""
    claimed = pick(row, "record", "createdAt")
    at = parse_stamp(claimed) if isinstance(claimed, str) else None
    return min(at or indexed_at(row), indexed_at(row))


def reasons(post: Post, us: str, asked: Settings) -> list[str]:
    """Tell why a post is about `us`; searches are not trusted to keep to what was asked."""
    record = post.record
    features = [feature for facet in record.facets for feature in facet.features]
    cards = [
        embed.external.uri
        for embed in (record.embed, record.embed.media if record.embed else None)
        if embed and embed.external
    ]
    hosts = [_host(link) for link in (*(feature.uri for feature in features), *cards)]
    tags = {tag.lower() for tag in (*(f.tag for f in features), *record.tags)}
    text = record.text.lower()
    ours = f"at://{us}/"
    holds_of = {
        "own": post.author.did == us,
        "mention": any(feature.did == us for feature in features),
        "reply": record.reply is not None and record.reply.parent.uri.startswith(ours),
        "quote": record.embed is not None and record.embed.quoted.startswith(ours),
        "link": any(_is_under(host, domain) for host in hosts for domain in asked.domains),
        "tag": any(tag.lstrip("#").lower() in tags for tag in asked.tags),
        "word": any(word.lower() in text for word in asked.words),
    }
    return [reason for reason, holds in holds_of.items() if holds]


def _host(link: str) -> str:
    try:
        return urlsplit(link).hostname or ""
    except ValueError:  # anybody can write anything
        return ""


def _is_under(host: str, domain: str) -> bool:
    domain = domain.lower().removeprefix("www.")
    return host == domain or host.endswith(f".{domain}")
