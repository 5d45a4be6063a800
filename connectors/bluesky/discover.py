"""What Bluesky has beyond what is taken: the fields that a page of each list shows.

Belongs here: which lists to look at, and what is known of Bluesky and never asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.base import Stream
from connectors.bluesky.client import Network
from connectors.bluesky.reads import AUTHOR_FEED, NOTIFICATIONS, REACTIONS, REASONS
from connectors.discovery import Discovery, FoundObject, sampled
from connectors.records import members, split

PER_SAMPLE = 50
_LIKERS = FoundObject(name="reactions", label="Who liked our posts", note="`likers: true` takes it")
_NOT_READ = (
    FoundObject(name="other_posts", label="Posts that are not about us", note="never taken"),
    FoundObject(name="follows", label="Who follows whom", note="never taken"),
    FoundObject(name="other_likes", label="Who liked posts of others", note="never taken"),
    FoundObject(name="messages", label="Direct messages", note="never taken"),
    FoundObject(name="lists", label="Lists and starter packs", note="not built"),
)


def discovered(network: Network, streams: Sequence[Stream]) -> Discovery:
    """Look at our newest posts, at what others told us, and at who we are."""

    def posts() -> list[bytes]:
        body = network.get(AUTHOR_FEED, {"actor": network.us(), "limit": PER_SAMPLE})
        return [bytes(members(row).get("post", b"{}")) for row in split(body, "feed")]

    def told(reasons: Sequence[str]) -> list[bytes]:
        body = network.get_signed(NOTIFICATIONS, {"reasons": reasons, "limit": PER_SAMPLE})
        return split(body, "notifications")

    def profiles() -> list[bytes]:
        return [network.get("app.bsky.actor.getProfile", {"actor": network.us()})]

    samples: dict[str, Callable[[], list[bytes]]] = {
        "posts": posts,
        "notifications": lambda: told(REASONS),
        "reactions": lambda: told(REACTIONS),
        "profiles": profiles,
    }
    ours = {"posts": ("about",), "profiles": ("ours",)}
    return Discovery(
        streams=tuple(
            sampled(stream, samples[stream.name], added=ours.get(stream.name, ()))
            for stream in streams
        ),
        objects=_NOT_READ if "reactions" in {s.name for s in streams} else (_LIKERS, *_NOT_READ),
        how="what Bluesky is known to have; nothing of it was asked for",
    )
