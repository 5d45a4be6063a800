"""The forum itself: what Discourse keeps, and what each act does to it.

Belongs here: users, topics and posts with the vendor's write semantics: which acts
bump a topic, which raise a version, what a deletion leaves behind, who loses a name.
Does not belong here: JSON shapes, permissions and limits (`sandbox.discourse.http`),
and who does what when (`sandbox.world`).

Every write takes `at`, timezone-aware UTC. Ids are counters, so two forums that were
written alike are alike.

Sources: discourse/discourse `lib/post_destroyer.rb`, `lib/post_revisor.rb`,
`app/controllers/posts_controller.rb`, `app/services/user_anonymizer.rb`, `lib/topic_query.rb`;
discourse-solved `plugin.rb`; discourse-reactions `reaction_manager.rb`.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

REGULAR, MODERATOR_ACTION, SMALL_ACTION, WHISPER = 1, 2, 3, 4
"""`post_type` of a post."""

SYSTEM_ID = -1
DELETED_BY_AUTHOR = "(post deleted by author)"
EDIT_GRACE = timedelta(minutes=5)
"""Another edit by the same person within this time after a version does not raise it
(`editing_grace_period`)."""

_SLUG = re.compile(r"[^a-z0-9]+")
_USERNAME = re.compile(r"^[\w.\-]{3,60}$")
_BEGINNING = re.compile(r"\w*")
_ADDRESSED = re.compile(r'(?:@|\[quote=")(\w*)')


@dataclass(frozen=True, kw_only=True)
class ForumSettings:
    """Instance settings, as an administrator can change them.

    Attributes:
        time_zone: zone in which the server reads dates of `/filter.json`.
        ip_per_10_s, ip_per_minute: requests of one address (`max_reqs_per_ip_*`).
        admin_api_per_minute: requests of all admin keys together.
        user_api_per_minute: requests of one user API key.
        crawler_agents, crawler_seconds: user agents that are slowed to one request per so
            many seconds (`slow_down_crawler_user_agents`, `slow_down_crawler_rate`).
        posts_window: `/posts.json` returns the id window `before-50 < id <= before` of
            older versions; False: 50 posts with `id < before`.
        posts_cache_s: how long `/posts.json` may repeat an answer.
        lazy_categories: lists of categories come in pages, and show few subcategories of each
            (`lazy_load_categories_groups`).
        reactions: people react with emoji (plugin discourse-reactions), not only with a like.
        lists_reactors: the plugin is new enough to list who reacted, a page at a time.
        edit_history_public: everybody sees who edited what (`edit_history_visible_to_public`).
        diff_limit: characters of two texts that are too many to be compared.
        max_post_length: longest `raw`, characters.
    """

    time_zone: str = "UTC"
    ip_per_10_s: int = 50
    ip_per_minute: int = 200
    admin_api_per_minute: int = 60
    user_api_per_minute: int = 20
    crawler_agents: tuple[str, ...] = ("gptbot", "claudebot", "anthropic-ai", "brightbot")
    crawler_seconds: int = 60
    posts_window: bool = True
    posts_cache_s: int = 60
    lazy_categories: bool = False
    reactions: bool = True
    lists_reactors: bool = True
    edit_history_public: bool = True
    diff_limit: int = 100_000
    max_post_length: int = 32_000


@dataclass(slots=True)
class User:
    """One account; `email` is confirmed when `active`.

    Attributes:
        bio, user_fields: what people write about themselves; fields by their number.
    """

    id: int
    username: str
    name: str | None
    email: str
    created_at: datetime
    active: bool = True
    admin: bool = False
    moderator: bool = False
    staged: bool = False
    title: str | None = None
    bio: str | None = None
    user_fields: dict[str, str] = field(default_factory=dict)
    external_id: str | None = None
    external_email: str | None = None
    last_seen_at: datetime | None = None
    suspended_at: datetime | None = None
    suspended_till: datetime | None = None
    silenced_till: datetime | None = None
    anonymized: bool = False
    secondary_emails: list[str] = field(default_factory=list)
    days_visited: int = 0
    topic_count: int = 0
    post_count: int = 0
    topics_entered: int = 0
    posts_read: int = 0
    likes_given: int = 0
    likes_received: int = 0

    @property
    def staff(self) -> bool:
        return self.admin or self.moderator

    @property
    def trust_level(self) -> int:
        if self.id < 0 or self.staff:
            return 4
        if self.post_count > 300:
            return 3
        if self.post_count > 40:
            return 2
        return 1 if self.post_count > 4 else 0


@dataclass(slots=True)
class Post:
    """One post; `user_id` is None once its author was deleted.

    `version` is the number of the last revision, or 1; `last_editor_id` None: only the author.
    """

    id: int
    topic_id: int
    user_id: int | None
    post_number: int
    raw: str
    created_at: datetime
    updated_at: datetime
    post_type: int = REGULAR
    reply_to_post_number: int | None = None
    version: int = 1
    last_version_at: datetime | None = None
    last_editor_id: int | None = None
    edit_reason: str | None = None
    wiki: bool = False
    action_code: str | None = None
    reply_count: int = 0
    likers: dict[int, datetime] | None = None
    reactions: dict[int, tuple[str, datetime]] | None = None
    hidden: bool = False
    user_deleted: bool = False
    deleted_at: datetime | None = None
    deleted_by: int | None = None


@dataclass(slots=True)
class Revision:
    """An edit that made a new version, its `number`; the first there can be is 2.

    `before` has what it changed, as it was: raw, edit_reason, wiki or the topic's title.
    """

    number: int
    user_id: int | None
    created_at: datetime
    before: dict[str, str | bool | None]
    hidden: bool = False


@dataclass(slots=True)
class Topic:
    """One thread; `posts` holds every post ever made in it, in post_number order."""

    id: int
    title: str
    slug: str
    user_id: int | None
    category_id: int | None
    created_at: datetime
    bumped_at: datetime
    last_posted_at: datetime
    archetype: str = "regular"
    tags: tuple[str, ...] = ()
    posts: list[Post] = field(default_factory=list)
    allowed_user_ids: tuple[int, ...] = ()
    pinned_at: datetime | None = None
    pinned_globally: bool = False
    pinned_until: datetime | None = None
    closed: bool = False
    archived: bool = False
    visible: bool = True
    deleted_at: datetime | None = None
    deleted_by: int | None = None
    accepted_post_id: int | None = None
    accepted_by: int | None = None
    views: int = 0
    like_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Category:
    """A category, perhaps under another; `read_restricted` hides it from all but staff."""

    id: int
    name: str
    slug: str
    color: str = "0088CC"
    parent_id: int | None = None
    read_restricted: bool = False
    solved: bool = True


def clean(text: str) -> str:
    """Drop NUL and lone surrogates: the vendor's database takes neither."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text


def slugify(title: str) -> str:
    """Return the ASCII slug Discourse would make, `-` for a title without any letter."""
    plain = unicodedata.normalize("NFKD", title[:255]).encode("ascii", "ignore").decode().lower()
    return _SLUG.sub("-", plain).strip("-") or "-"


class Forum:
    """A forum with its users, topics and posts.

    Args:
        title: name of the site.
        at: when it was founded; the system user is made then.
        settings: instance settings, vendor's defaults unless given.
        categories: besides "General", which always exists with id 1.
    """

    def __init__(
        self,
        *,
        at: datetime,
        title: str = "Community",
        settings: ForumSettings | None = None,
        categories: Sequence[Category] = (),
    ) -> None:
        self.lock = threading.RLock()
        """Held by whoever reads or writes several things that must fit together."""
        self.title = title
        self.settings = settings or ForumSettings()
        self.founded_at = at
        self.users: dict[int, User] = {}
        self.topics: dict[int, Topic] = {}
        self.posts: dict[int, Post] = {}
        self.revisions: dict[int, list[Revision]] = {}
        """Post -> its revisions, oldest first; of posts that have any."""
        self.api_keys: dict[str, int | None] = {}
        self.categories: dict[int, Category] = {
            category.id: category
            for category in (Category(id=1, name="General", slug="general"), *categories)
        }
        self._by_username: dict[str, int] = {}
        self._written_by: defaultdict[int, list[Post]] = defaultdict(list)
        self._reacted_by: defaultdict[int, list[Post]] = defaultdict(list)
        self._addressing: defaultdict[str, dict[int, Post]] = defaultdict(dict)
        """Beginning of a name -> the posts that have ever mentioned or quoted such a name."""
        self._next_user = 1
        self._next_bot = SYSTEM_ID
        self._next_topic = 1
        self._next_post = 1
        self._log: list[tuple[datetime, int, str]] = []
        self.create_bot("system", name="system", at=at, email="no_email")

    # Keys and users

    def add_api_key(self, key: str, *, user_id: int | None = None) -> None:
        """Accept `key`: for every user (None), or only for one."""
        self.api_keys[key] = user_id

    @property
    def staff_action_log(self) -> list[tuple[datetime, int, str]]:
        """Return what staff did, as (time, user id, action): showing e-mails is such an act."""
        return self._log

    def log_staff_action(self, at: datetime, user_id: int, action: str) -> None:
        """Note an act of staff in the log."""
        self._log.append((at, user_id, action))

    @property
    def newest_post_id(self) -> int:
        """Return the id given last; posts may be gone, ids never come back."""
        return self._next_post - 1

    def user_named(self, username: str) -> User | None:
        """Return the user of that name, letter case ignored."""
        user_id = self._by_username.get(username.lower())
        return None if user_id is None else self.users[user_id]

    def free_username(self, wanted: str) -> str:
        """Return `wanted`, made valid and with a number if somebody has it."""
        plain = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^\w.\-]+", "_", plain).strip("._-")[:20]
        if len(plain) < 3:
            plain = f"{plain}_user".strip("_")
        name, number = plain, 1
        while name.lower() in self._by_username:
            name, number = f"{plain[:16]}{number}", number + 1
        return name

    def create_user(
        self,
        username: str,
        *,
        email: str,
        at: datetime,
        name: str | None = None,
        active: bool = True,
        admin: bool = False,
        moderator: bool = False,
        staged: bool = False,
        title: str | None = None,
        external_id: str | None = None,
    ) -> int:
        """Create an account and return its id; a taken or invalid name raises ValueError."""
        user = User(
            self._next_user,
            username,
            None if name is None else clean(name)[:255],
            email.lower(),
            at,
            active=active,
            admin=admin,
            moderator=moderator,
            staged=staged,
            title=title,
            external_id=external_id,
            external_email=email if external_id is not None else None,
        )
        self._claim(username, user.id)
        self._next_user += 1
        self.users[user.id] = user
        return user.id

    def create_bot(self, username: str, *, name: str, at: datetime, email: str = "") -> int:
        """Create a bot: Discourse gives them negative ids, the system user has -1."""
        user = User(self._next_bot, username, name, email or f"{username}_email", at, admin=True)
        self._claim(username, user.id)
        self._next_bot -= 1
        self.users[user.id] = user
        return user.id

    def rename_user(self, user_id: int, username: str) -> None:
        """Change the username; posts follow, because they are kept by user id.

        Mentions and quotes in other people's texts are rewritten, without a new version
        (`app/jobs/regular/update_username.rb`).
        """
        user = self.users[user_id]
        if username.lower() != user.username.lower():
            self._claim(username, user_id)
            del self._by_username[user.username.lower()]
        name = re.escape(user.username)
        mention = re.compile(rf"(?<![\w@])@{name}(?![\w\-])", re.IGNORECASE)
        quote = re.compile(rf'(?<=\[quote="){name}(?=,)', re.IGNORECASE)
        beginning = _BEGINNING.match(user.username.lower())
        assert beginning is not None  # it may be empty
        for post in list(self._addressing.get(beginning.group(), {}).values()):
            post.raw = quote.sub(username, mention.sub(f"@{username}", post.raw))
            self._note_addressed(post)
        user.username = username

    def set_email(self, user_id: int, email: str) -> None:
        """Change the address a user has confirmed."""
        self.users[user_id].email = email.lower()

    def see(self, user_id: int, at: datetime) -> None:
        """Note a visit."""
        user = self.users[user_id]
        if user.last_seen_at is None or user.last_seen_at.date() != at.date():
            user.days_visited += 1
        user.last_seen_at = at

    def suspend_user(self, user_id: int, at: datetime, *, days: int = 365_000) -> None:
        """Suspend an account; its posts stay."""
        user = self.users[user_id]
        user.suspended_at = at
        user.suspended_till = at + timedelta(days=min(days, 300_000))

    def silence_user(self, user_id: int, at: datetime, *, days: int = 365_000) -> None:
        """Let an account no longer write; its posts stay."""
        self.users[user_id].silenced_till = at + timedelta(days=min(days, 300_000))

    def anonymize_user(self, user_id: int, at: datetime) -> None:
        """Erase a person: name, address and sign-on go, id and posts stay, nothing bumps."""
        user = self.users[user_id]
        number = 10_000 + (user_id * 7919) % 90_000
        while f"anon{number}" in self._by_username:
            number += 1
        self.rename_user(user_id, f"anon{number}")
        user.name = None
        user.email = f"anon{number}@anonymized.invalid"
        user.external_id = user.external_email = user.title = None
        user.secondary_emails = []
        user.anonymized = True
        self._log.append((at, SYSTEM_ID, "anonymize_user"))

    def delete_user(self, user_id: int, at: datetime, *, delete_posts: bool = True) -> None:
        """Delete an account: it leaves every list at once, and its likes are taken back.

        Its posts go with it, or stay without an author (`app/services/user_destroyer.rb`).
        """
        user = self.users[user_id]
        for post in self._reacted_by.pop(user_id, []):
            self.unlike(post.id, user_id)
            self.unreact(post.id, user_id)
        for post in sorted(self._written_by.pop(user_id, []), key=lambda post: post.id):
            if delete_posts and post.deleted_at is None:
                if post.post_number == 1:
                    self.delete_topic(post.topic_id, at)
                else:
                    self.delete_post(post.id, at)
            post.user_id = None
            topic = self.topics[post.topic_id]
            if topic.user_id == user_id:
                topic.user_id = None
        self._edits_go_to(user_id, None)
        del self._by_username[user.username.lower()]
        del self.users[user_id]
        self._log.append((at, SYSTEM_ID, "delete_user"))

    def merge_users(self, source_id: int, target_id: int, at: datetime) -> None:
        """Merge two accounts: posts and likes move to the target, the source disappears."""
        source, target = self.users[source_id], self.users[target_id]
        written, reacted = self._written_by.pop(source_id, []), self._reacted_by.pop(source_id, [])
        for post in written:
            post.user_id = target_id
            if self.topics[post.topic_id].user_id == source_id:
                self.topics[post.topic_id].user_id = target_id
        self._written_by[target_id] += written
        self._reacted_by[target_id] += reacted
        for post in reacted:
            if post.likers and source_id in post.likers:
                post.likers.setdefault(target_id, post.likers.pop(source_id))
            if post.reactions and source_id in post.reactions:
                post.reactions.setdefault(target_id, post.reactions.pop(source_id))
        self._edits_go_to(source_id, target_id)
        target.post_count += source.post_count
        target.topic_count += source.topic_count
        target.likes_given += source.likes_given
        target.likes_received += source.likes_received
        target.secondary_emails.append(source.email)
        del self._by_username[source.username.lower()]
        del self.users[source_id]
        self._log.append((at, SYSTEM_ID, "merge_user"))

    # Topics and posts

    def create_topic(
        self,
        user_id: int,
        title: str,
        raw: str,
        at: datetime,
        *,
        category_id: int = 1,
        tags: Iterable[str] = (),
    ) -> int:
        """Open a topic and return its id; its first post is `topics[id].posts[0]`."""
        topic = self._new_topic(user_id, title, at, category_id, tuple(tags))
        self.users[user_id].topic_count += 1
        self._add(topic, user_id, raw, at, REGULAR, None)
        return topic.id

    def private_message(
        self, user_id: int, to: Iterable[int], title: str, raw: str, at: datetime
    ) -> int:
        """Open a private message and return its topic id."""
        topic = self._new_topic(user_id, title, at, None, ())
        topic.archetype = "private_message"
        topic.allowed_user_ids = (user_id, *to)
        self._add(topic, user_id, raw, at, REGULAR, None)
        return topic.id

    def reply(
        self,
        topic_id: int,
        user_id: int,
        raw: str,
        at: datetime,
        *,
        reply_to: int | None = None,
        post_type: int = REGULAR,
    ) -> int:
        """Write a post and return its id.

        `reply_to` is a post_number; the vendor keeps none for the first post. Whispers
        and small actions do not bump the topic.
        """
        return self._add(self.topics[topic_id], user_id, raw, at, post_type, reply_to).id

    def small_action(self, topic_id: int, user_id: int, code: str, at: datetime) -> int:
        """Add the line "closed this topic" and its like, as a post of type 3."""
        post = self._add(self.topics[topic_id], user_id, "", at, SMALL_ACTION, None)
        post.action_code = code
        return post.id

    def edit_post(
        self, post_id: int, raw: str, at: datetime, *, by: int | None = None, reason: str = ""
    ) -> None:
        """Change a text: moves `updated_at`; bumps only when it is the topic's last post."""
        post = self.posts[post_id]
        raw = clean(raw)[: self.settings.max_post_length]
        self._revise(post, {"raw": raw}, at, by, reason=reason)
        self._note_addressed(post)
        topic = self.topics[post.topic_id]
        if post.post_type == REGULAR and post is self._last_visible(topic):
            topic.bumped_at = at

    def edit_title(self, topic_id: int, title: str, at: datetime, *, by: int | None = None) -> None:
        """Change a title: a revision of the first post, no bump."""
        topic = self.topics[topic_id]
        title = clean(title)[:255]
        self._revise(topic.posts[0], {"title": title}, at, by, always=True)
        topic.slug = slugify(title)

    def make_wiki(self, post_id: int, at: datetime, *, by: int) -> None:
        """Let everybody edit a post, which is a revision of its own."""
        self._revise(self.posts[post_id], {"wiki": True}, at, by)

    def hide_revision(self, post_id: int, number: int) -> None:
        """Hide an edit from all but staff, for whom nothing else changes."""
        next(one for one in self.revisions[post_id] if one.number == number).hidden = True

    def erase_revisions(self, post_id: int, at: datetime) -> None:
        """Delete all revisions of a post for good: it is at its first version again."""
        del self.revisions[post_id]
        post = self.posts[post_id]
        post.version, post.last_version_at, post.updated_at = 1, at, at

    def public_version(self, post: Post) -> int:
        """Return the version as all but staff see it: hidden edits do not count."""
        return post.version - sum(one.hidden for one in self.revisions.get(post.id, ()))

    def _revise(
        self,
        post: Post,
        changes: dict[str, str | bool | None],
        at: datetime,
        by: int | None,
        *,
        reason: str = "",
        always: bool = False,
    ) -> None:
        """Edit a post: as a new version, or within the grace period as part of the last one."""
        topic = self.topics[post.topic_id]
        editor = post.user_id if by is None else by
        last_editor = post.user_id if post.last_editor_id is None else post.last_editor_id
        is_recent = at - (post.last_version_at or post.created_at) <= EDIT_GRACE
        is_reasoned = bool(reason) and reason != post.edit_reason
        is_new = always or editor != last_editor or not is_recent or is_reasoned
        if is_new:
            changes = {**changes, "edit_reason": reason or None}
        before: dict[str, str | bool | None] = {}
        for name, value in changes.items():
            owner = topic if name == "title" else post
            if (old := getattr(owner, name)) != value:
                before[name] = old
                setattr(owner, name, value)
        post.updated_at = at
        post.last_editor_id = editor
        revisions = self.revisions.get(post.id, [])
        if is_new:
            post.version += 1
            post.last_version_at = at
            made = Revision(post.version, editor, at, before)
            self.revisions[post.id] = [*revisions, made]
        elif revisions and revisions[-1].number == post.version:
            self._add_to_last(post, before, revisions)

    def _add_to_last(
        self, post: Post, before: dict[str, str | bool | None], revisions: list[Revision]
    ) -> None:
        """Let the last revision be of these changes, too; one that is of none is no more."""
        last = revisions[-1]
        for name, old in (before | last.before).items():
            owner = self.topics[post.topic_id] if name == "title" else post
            if getattr(owner, name) == old:
                last.before.pop(name, None)
            else:
                last.before[name] = old
        if not last.before:
            self.revisions[post.id] = revisions[:-1]
            post.version -= 1

    def _edits_go_to(self, user_id: int, other: int | None) -> None:
        for revisions in self.revisions.values():
            for revision in revisions:
                if revision.user_id == user_id:
                    revision.user_id = other

    def delete_post(self, post_id: int, at: datetime, *, by: int = SYSTEM_ID) -> None:
        """Delete a post. By staff it is gone; by its author it first becomes a stub.

        The topic is not bumped; `last_posted_at` falls back to the post before.
        """
        post = self.posts[post_id]
        if by == post.user_id and not self.users[by].staff:
            self._revise(post, {"raw": DELETED_BY_AUTHOR}, at, by, always=True)
            post.user_deleted = True
            return
        post.deleted_at = at
        post.deleted_by = by
        if post.user_id in self.users:
            self.users[post.user_id].post_count -= 1
        topic = self.topics[post.topic_id]
        topic.last_posted_at = self._last_visible(topic).created_at
        if topic.accepted_post_id == post_id:
            topic.accepted_post_id = topic.accepted_by = None

    def recover_post(self, post_id: int, at: datetime) -> None:
        """Undo a deletion."""
        post = self.posts[post_id]
        if post.deleted_at is not None and post.user_id in self.users:
            self.users[post.user_id].post_count += 1
        post.deleted_at = post.deleted_by = None
        if post.user_deleted:
            raw = self.revisions[post_id][-1].before["raw"]
            self._revise(post, {"raw": raw}, at, None, always=True)
        post.user_deleted = False
        topic = self.topics[post.topic_id]
        topic.last_posted_at = self._last_visible(topic).created_at

    def hide_post(self, post_id: int, at: datetime) -> None:
        """Hide a flagged post; it stays in the stream without its text."""
        post = self.posts[post_id]
        post.hidden = True
        post.updated_at = at

    def delete_topic(self, topic_id: int, at: datetime, *, by: int = SYSTEM_ID) -> None:
        """Delete a topic with its first post; the other posts are only out of reach."""
        topic = self.topics[topic_id]
        topic.deleted_at = at
        topic.deleted_by = by
        first = topic.posts[0]
        first.deleted_at = at
        first.deleted_by = by

    def recover_topic(self, topic_id: int) -> None:
        """Undo the deletion of a topic."""
        topic = self.topics[topic_id]
        topic.deleted_at = topic.deleted_by = None
        topic.posts[0].deleted_at = topic.posts[0].deleted_by = None

    def move_posts(self, post_ids: Sequence[int], title: str, at: datetime) -> int:
        """Split posts off into a new topic, whose id is returned; their post ids stay."""
        moved = [self.posts[post_id] for post_id in post_ids]
        old = self.topics[moved[0].topic_id]
        topic = self._new_topic(
            moved[0].user_id or SYSTEM_ID, title, moved[0].created_at, old.category_id, old.tags
        )
        for number, post in enumerate(moved, start=1):
            old.posts.remove(post)
            post.topic_id, post.post_number, post.reply_to_post_number = topic.id, number, None
            post.updated_at = at
            topic.posts.append(post)
        topic.last_posted_at = topic.bumped_at = moved[-1].created_at
        old.last_posted_at = self._last_visible(old).created_at
        self.small_action(old.id, SYSTEM_ID, "split_topic", at)
        return topic.id

    # Approval

    def like(self, post_id: int, user_id: int, at: datetime) -> None:
        """Like a post: counters move, nothing else does."""
        post = self.posts[post_id]
        if post.user_id == user_id:
            return
        if post.likers is None:
            post.likers = {}
        if user_id in post.likers:
            return
        self.unreact(post_id, user_id)
        post.likers[user_id] = at
        self._reacted_by[user_id].append(post)
        self.topics[post.topic_id].like_count += 1
        self.users[user_id].likes_given += 1
        if post.user_id in self.users:
            self.users[post.user_id].likes_received += 1

    def unlike(self, post_id: int, user_id: int) -> None:
        """Take a like back."""
        post = self.posts[post_id]
        if post.likers and post.likers.pop(user_id, None) is not None:
            self.topics[post.topic_id].like_count -= 1
            self.users[user_id].likes_given -= 1
            if post.user_id in self.users:
                self.users[post.user_id].likes_received -= 1

    def react(self, post_id: int, user_id: int, reaction: str, at: datetime) -> None:
        """React with an emoji name; `heart` is the like, `-1` is a reaction like others.

        It takes the place of the like or reaction that the same user gave before.
        """
        if reaction == "heart":
            self.like(post_id, user_id, at)
            return
        self.unlike(post_id, user_id)
        self.unreact(post_id, user_id)
        post = self.posts[post_id]
        if post.reactions is None:
            post.reactions = {}
        post.reactions[user_id] = (reaction, at)
        self._reacted_by[user_id].append(post)

    def unreact(self, post_id: int, user_id: int) -> None:
        """Take a reaction other than the like back."""
        (self.posts[post_id].reactions or {}).pop(user_id, None)

    def accept(self, post_id: int, *, by: int) -> None:
        """Mark the solution; the vendor lists no time for it and bumps nothing."""
        topic = self.topics[self.posts[post_id].topic_id]
        topic.accepted_post_id = post_id
        topic.accepted_by = by

    def unaccept(self, topic_id: int) -> None:
        """Take the solution mark away."""
        self.topics[topic_id].accepted_post_id = self.topics[topic_id].accepted_by = None

    # What staff does to topics

    def pin(
        self, topic_id: int, at: datetime, *, globally: bool = True, until: datetime | None = None
    ) -> None:
        """Pin a topic; only a global pin leads `/latest`."""
        topic = self.topics[topic_id]
        topic.pinned_at, topic.pinned_globally, topic.pinned_until = at, globally, until

    def close(self, topic_id: int, at: datetime, *, by: int = SYSTEM_ID) -> None:
        """Close a topic, which leaves a small action post and does not bump."""
        self.topics[topic_id].closed = True
        self.small_action(topic_id, by, "closed.enabled", at)

    def unlist(self, topic_id: int) -> None:
        """Make a topic invisible in lists."""
        self.topics[topic_id].visible = False

    def reset_bump(self, topic_id: int) -> None:
        """Move `bumped_at` back to the last regular post, as staff can."""
        topic = self.topics[topic_id]
        topic.bumped_at = self._last_visible(topic).created_at

    # Inside

    def _claim(self, username: str, user_id: int) -> None:
        if not _USERNAME.match(username) or username.lower() in self._by_username:
            raise ValueError(f"the username {username!r} is invalid or taken")
        self._by_username[username.lower()] = user_id

    def _new_topic(
        self,
        user_id: int,
        title: str,
        at: datetime,
        category_id: int | None,
        tags: tuple[str, ...],
    ) -> Topic:
        title = clean(title)[:255]
        topic = Topic(
            self._next_topic, title, slugify(title), user_id, category_id, at, at, at, tags=tags
        )
        self.topics[topic.id] = topic
        self._next_topic += 1
        return topic

    def _add(
        self,
        topic: Topic,
        user_id: int,
        raw: str,
        at: datetime,
        post_type: int,
        reply_to: int | None,
    ) -> Post:
        if reply_to == 1:
            reply_to = None
        number = topic.posts[-1].post_number + 1 if topic.posts else 1
        text = clean(raw)[: self.settings.max_post_length]
        post = Post(
            self._next_post,
            topic.id,
            user_id,
            number,
            text,
            at,
            at,
            post_type,
            reply_to,
        )
        self._next_post += 1
        topic.posts.append(post)
        self.posts[post.id] = post
        self._written_by[user_id].append(post)
        self._note_addressed(post)
        if reply_to is not None:
            for other in topic.posts:
                if other.post_number == reply_to:
                    other.reply_count += 1
                    break
        user = self.users[user_id]
        if post_type in (REGULAR, MODERATOR_ACTION):
            topic.last_posted_at = topic.bumped_at = at
            user.post_count += 1
        if user.last_seen_at is None or user.last_seen_at < at:
            self.see(user_id, at)
        return post

    def _note_addressed(self, post: Post) -> None:
        if "@" in post.raw or "[quote=" in post.raw:
            for beginning in _ADDRESSED.findall(post.raw):
                self._addressing[beginning.lower()][post.id] = post

    @staticmethod
    def _last_visible(topic: Topic) -> Post:
        """Return the last post that counts; a topic always keeps its first one."""
        for post in reversed(topic.posts):
            if post.deleted_at is None and post.post_type in (REGULAR, MODERATOR_ACTION):
                return post
        return topic.posts[0]
