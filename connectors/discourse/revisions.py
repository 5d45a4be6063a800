"""Who edited which post, when, and the reason that was given.

Belongs here: the chain of a post's edits. Does not belong here: which posts are asked (`beside`),
and what a post said before an edit, which is never kept.

    https://github.com/discourse/discourse/blob/main/app/serializers/post_revision_serializer.rb

An edit that staff hid is none here, whether or not the key may see it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
import requests

from connectors.base import State, Tombstone
from connectors.discourse.beside import Told
from connectors.discourse.client import Forum
from connectors.errors import BadRequest, ServerError
from connectors.pagination import circles
from connectors.records import members, values

FIRST = 2  # a post's first version is no edit of it


class Revisions:
    """Edits beside posts. See `connectors.discourse.beside.Beside`.

    Held of a post: its `version`, the `numbers` of its edits, and whether it is a `wiki`, which
    others edit long after it was written.
    """

    name = "edited"

    def __init__(self, forum: Forum) -> None:
        self._forum = forum

    def facts(self) -> State:
        """Say nothing more."""
        return {}

    def mark(self, post: bytes) -> int:
        """Return what changes with every edit; 0: there is none."""
        version, updated_at = values(post, "version", "updated_at")
        has_any = isinstance(version, int) and version >= FIRST
        return zlib.crc32(f"{version} {updated_at}".encode()) if has_any else 0

    def is_told(self, held: dict[str, Any], mark: int) -> bool:
        """Tell whether a post is as it was."""
        is_same: bool = mark == held["mark"]
        return is_same

    def calls(self, post: bytes, held: dict[str, Any]) -> int:
        """Return how much the version rose, each of which is a call."""
        version: int = values(post, "version")[0]
        rise = version - held.get("version", 1)
        return rise if rise > 0 else version - 1

    def stays(self, held: dict[str, Any]) -> bool:
        """Tell whether a post is looked at however old it is."""
        return bool(held.get("wiki"))

    def told(self, post: bytes, held: dict[str, Any]) -> Told | None:
        """Read what is new; if the version did not rise, all, for some may have gone."""
        key, version, author, is_wiki = values(post, "id", "version", "username", "wiki")
        known = {*held.get("numbers", ())}
        is_rise = held["mark"] and version > held["version"]
        chain = _Chain(self._forum, key, version, known if is_rise else set())
        records = [_with_author(edit, author) for edit in chain.read()]
        numbers = chain.numbers | (known if is_rise else known & chain.unread)
        kept: dict[str, Any] = {"version": version, "numbers": sorted(numbers)}
        if is_wiki:
            kept["wiki"] = True
        if chain.has_failed:
            kept["mark"] = 0  # so that it is asked for again
        return Told(records, _gone(key, known - numbers), kept)

    def gone(self, key: str, held: dict[str, Any]) -> list[Tombstone]:
        """Return all edits of a post as gone."""
        return _gone(key, held.get("numbers", ()))


class _Chain:
    """The edits of a post, from the newest down to those that are known.

    Attributes:
        numbers: of the edits that were read. unread: of those that could not be. has_failed:
            whether one of these may be read another time.
    """

    def __init__(self, forum: Forum, post: int, version: int, known: set[int]) -> None:
        self._forum, self._post, self._version, self._known = forum, post, version, known
        self.numbers: set[int] = set()
        self.unread: set[int] = set()
        self.has_failed = False

    def read(self) -> list[bytes]:
        """Return the edits; what is no edit is among them, to be quarantined."""
        records: list[bytes] = []
        at: int | None = None  # the newest
        while at is None or (at >= FIRST and at not in self._known):
            try:
                edit = self._forum.revision(self._post, at)
            except (BadRequest, ServerError) as error:
                at = self._before_unread(at, error)
                continue
            if edit is None:
                break
            number, before, is_hidden = values(
                edit, "current_revision", "previous_revision", "previous_hidden"
            )
            if not isinstance(number, int):
                return [*records, edit]
            if number in self._known:
                break
            if not is_hidden:
                self.numbers.add(number)
                records.append(edit)
            if before is None:
                break
            if not isinstance(before, int) or before >= number:
                raise circles(self._forum.session.place, len(records))
            at = before
        return records

    def _before_unread(self, at: int | None, error: BadRequest | ServerError) -> int:
        """Return the number before an edit whose texts the forum cannot compare.

        It says so of the newest (HTTP 422), and fails at others (HTTP 500): if it answers to
        anything else, it is this one's doing.
        """
        if error.status == requests.codes.server_error:
            self._forum.who()
            self.has_failed = True
        elif error.status != requests.codes.unprocessable_entity:
            raise error
        number = self._version if at is None else at
        self.unread.add(number)
        return number - 1


def _with_author(edit: bytes, author: str | None) -> bytes:
    """Say whether it was the post's author: names change, but for both at once."""
    editor = values(edit, "username")[0]
    if author is None or not isinstance(editor, str):
        return edit
    told = {"by_author": editor.lower() == author.lower()}
    return msgspec.json.encode(members(edit) | told)


def _gone(post: int | str, numbers: Iterable[int]) -> list[Tombstone]:
    return [Tombstone(key=f"[{post},{number}]") for number in sorted(numbers)]
