"""Who liked which post, and who reacted to it with what.

Belongs here: what a post's answers say of likes given and taken back. Does not belong here: which
posts are asked (`beside`), and how many likes a post has, which comes with it (`reads`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec

from connectors.base import State, Tombstone
from connectors.discourse.beside import Told
from connectors.discourse.client import LIKE, Forum
from connectors.records import values


class Likes:
    """Likes and reactions beside posts. See `connectors.discourse.beside.Beside`.

    Held of a post: `users` who reacted, and whether these are likers alone (`plain`).
    """

    name = "liked"

    def __init__(self, forum: Forum, state: State) -> None:
        self._forum = forum
        forum.lists_reactors = state.get("lists")

    def facts(self) -> State:
        """Say whether all reactions were ever listed."""
        return {"lists": self._forum.lists_reactors or None}

    def mark(self, post: bytes) -> int:
        """Return what changes with the counts of a post's likes and reactions; 0: it has none."""
        return counts_mark(post)

    def is_told(self, held: dict[str, Any], mark: int) -> bool:
        """Tell whether the counts are as they were, and more than likers cannot be told."""
        is_all_there_is = self._forum.lists_reactors is False or not held.get("plain")
        return mark == held["mark"] and is_all_there_is

    def calls(self, post: bytes, held: dict[str, Any]) -> int:
        """Return that one call tells who reacted, but of posts that very many like."""
        return 1

    def stays(self, held: dict[str, Any]) -> bool:
        """Tell that old posts are not looked at."""
        return False

    def told(self, post: bytes, held: dict[str, Any]) -> Told | None:
        """Ask who reacted; who did before and does not any more took it back."""
        likers = of_post(self._forum, post)
        if likers is None:
            return None
        users = [user for liker in likers if (user := values(liker, "id")[0]) is not None]
        key, reactions = values(post, "id", "reactions")
        gone = _taken_back(key, {*held.get("users", ())} - {*users})
        is_plain = self._forum.lists_reactors is False and reactions is not None
        return Told(likers, gone, {"users": users} | ({"plain": True} if is_plain else {}))

    def gone(self, key: str, held: dict[str, Any]) -> list[Tombstone]:
        """Return all likes of a post as taken back."""
        return _taken_back(key, held.get("users", ()))


def of_post(forum: Forum, post: bytes) -> list[bytes] | None:
    """Ask who liked a post, and put its id before what is told of each; None: it is not there."""
    key = values(post, "id")[0]
    likers = forum.likers(key, with_emoji=values(post, "reactions")[0] is not None)
    return None if likers is None else [_of_post(key, liker) for liker in likers]


def counts_mark(post: bytes) -> int:
    """Return what changes with the counts of a post's likes and reactions; 0: it has none."""
    actions, reactions = map(_objects, values(post, "actions_summary", "reactions"))
    told = [["", action["count"]] for action in actions
            if action.get("id") == LIKE and action.get("count")]  # fmt: skip
    told += [[str(reaction.get("id")), reaction.get("count")] for reaction in reactions]
    return zlib.crc32(msgspec.json.encode(sorted(told, key=str))) if told else 0


def _of_post(post: int, liker: bytes) -> bytes:
    # As text: a reaction that is no text for us must not cost the ids beside it.
    told = liker.lstrip()
    return b'{"post_id":%d,' % post + told[1:] if told.startswith(b'{"') else liker


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _taken_back(post: int | str, users: Iterable[int]) -> list[Tombstone]:
    return [Tombstone(key=f"[{post},{user}]") for user in sorted(users)]
