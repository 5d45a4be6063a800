"""What happens in the forum: who joins, asks, answers, thanks, leaves.

Belongs here: everything people and bots write to the forum.
Does not belong here: what a write does there (`sandbox.discourse`), who the people
are (`sandbox.people`), how often things happen (`sandbox.rates`).
"""

from __future__ import annotations

from bisect import bisect
from datetime import datetime, timedelta
from itertools import accumulate

from sandbox import names, texts
from sandbox.crm_life import CrmLife
from sandbox.discourse import Forum
from sandbox.discourse.store import REGULAR, WHISPER
from sandbox.people import Person
from sandbox.rates import Rates
from sandbox.salesforce import Org
from sandbox.timeline import DAY, Timeline
from sandbox.truth import Truth

HELP, SHOW, NEWS, TEAM, WARPING = 5, 6, 7, 8, 9
"""Category ids; warping lies under help."""


class _Crowd:
    """People to draw from, each with a weight."""

    def __init__(self, people: list[Person], weights: list[float]) -> None:
        self.people = people
        self._cumulative = list(accumulate(weights))

    def draw(self, timeline: Timeline) -> Person | None:
        """Return somebody, or None when nobody is there."""
        if not self.people:
            return None
        total = self._cumulative[-1]
        return self.people[bisect(self._cumulative, timeline.rng.random() * total * 0.999999)]


class ForumLife:
    """Life in the forum.

    Attributes:
        top_helper: answers far more than anybody else.
        cohort: days (since the start) on which those join who stay longer.
    """

    def __init__(
        self,
        forum: Forum,
        org: Org,
        crm: CrmLife,
        timeline: Timeline,
        truth: Truth,
        rates: Rates,
        *,
        size: int,
    ) -> None:
        self.forum = forum
        self.org = org
        self.crm = crm
        self.time = timeline
        self.truth = truth
        self.rates = rates
        self.size = size
        self.members: list[Person] = []
        self.staff: list[Person] = []
        self.top_helper: Person | None = None
        self.cohort = range(240, 270)
        self.person_of: dict[int, Person] = {}
        self._asked: set[int] = set()
        self._renames = 0
        self._askers = self._answerers = self._readers = _Crowd([], [])
        self.welcome_bot = forum.create_bot("loomhelper", name="Loom Helper", at=forum.founded_at)
        self.release_bot = forum.create_user(
            "releasebot",
            name="Release Bot",
            email="releases@harborlooms.example",
            at=forum.founded_at,
        )
        for bot in (-1, self.welcome_bot, self.release_bot):
            truth.profile("discourse", "users", bot, None, forum.founded_at)
            truth.trap("bot", "discourse", "users", bot, None, forum.founded_at)

    # Joining and leaving

    def join(self, at: datetime, person: Person) -> None:
        """Let somebody sign up, with an address of theirs, perhaps through single sign-on."""
        rng, time, rates = self.time.rng, self.time, self.rates
        traps: list[str] = []
        contact = self.crm.live_contact(person)
        email, name = person.email, person.home
        if person.work_email and not time.chance(rates.forum_email_work):
            email = person.private_email
            traps.append("forum_email_private")
        if time.chance(rates.forum_email_plus):
            local, _, domain = email.partition("@")
            email = f"{local}+looms@{domain}"
            traps.append("forum_email_plus")
        if person.home != person.name:
            if time.chance(rates.other_script):
                traps.append("other_script" if not person.home.isascii() else "name_order")
            else:
                name = person.name
        if time.chance(rates.name_empty):
            name = rng.choice(("", person.given))
        if time.chance(rates.hostile_name):
            name = rng.choice(texts.HOSTILE_NAMES)
            traps.append("hostile_name")
        external = None
        if contact is not None and time.chance(rates.single_sign_on):
            if time.chance(rates.sso_is_contact_id):
                external = contact
                if time.chance(rates.sso_fifteen_characters):
                    external = contact[:15]
                    traps.append("sso_15_characters")
            else:
                external = f"HL-{100_000 + len(self.person_of) * 7}"
                self.org.update("Contact", contact, {"Forum_SSO_Id__c": external}, at)
            traps.append("single_sign_on")
        user = self._sign_up(at, person, email, name, traps, external=external)
        life = rates.forum_life_days
        if time.day(at) in self.cohort:
            life *= rates.cohort_life_factor
            self.truth.effect(
                "cohort_stays",
                "person",
                person.id,
                native_id=user,
                since=at,
                value=rates.cohort_life_factor,
            )
        person.forum_until = max(at, time.start) + time.waits(life)
        if time.chance(rates.comes_back):
            back = person.forum_until + time.waits(90) + timedelta(days=45)
            time.at(back, self._come_back, person)
        self.members.append(person)
        username = self.forum.users[user].username
        if contact is not None and time.chance(rates.handle_volunteered):
            time.at(at + time.waits(20), self.crm.volunteer_handle, person, username)
        if time.chance(rates.renamed):
            time.at(at + time.waits(150), self.rename, person)
        if time.chance(rates.second_account):
            time.at(at + time.waits(200), self._join_again, person)

    def _sign_up(
        self,
        at: datetime,
        person: Person,
        email: str,
        name: str | None,
        traps: list[str],
        *,
        external: str | None = None,
    ) -> int:
        rng = self.time.rng
        wanted = rng.choice(
            (
                names.local_part(person.given, person.family, 0),
                names.local_part(person.given, person.family, 1),
                names.local_part(person.given, person.family, 3),
                f"{rng.choice(names.HANDLE_FIRST)}{rng.choice(names.HANDLE_SECOND)}",
            )
        )
        confirmed = external is not None or not self.time.chance(self.rates.unconfirmed)
        user = self.forum.create_user(
            self.forum.free_username(wanted),
            email=email,
            name=name,
            at=at,
            active=confirmed,
            external_id=external,
        )
        if not confirmed:
            traps.append("unconfirmed_email")
        person.forum_ids.append(user)
        self.person_of[user] = person
        self.truth.profile("discourse", "users", user, person.id, at)
        for trap in traps:
            self.truth.trap(trap, "discourse", "users", user, person.id, at)
        return user

    def join_as_staff(self, at: datetime, person: Person) -> None:
        """Give somebody who works here an account; a few also have a private one."""
        user = self.forum.create_user(
            self.forum.free_username(names.local_part(person.given, person.family, 0)),
            email=person.email,
            name=person.name,
            at=at,
            admin=len(self.staff) == 0,
            moderator=len(self.staff) > 0,
            title="Harbor Looms",
        )
        person.forum_ids.append(user)
        self.person_of[user] = person
        self.staff.append(person)
        self.truth.profile("discourse", "users", user, person.id, at)
        if self.time.chance(self.rates.staff_with_private_account):
            self._sign_up(at, person, person.private_email, None, ["staff_private_account"])
            self.members.append(person)
            person.forum_until = at + timedelta(days=4000)

    def _join_again(self, at: datetime, person: Person) -> None:
        """Let somebody sign up a second time, with another address, and use that."""
        if not person.forum_ids:
            return
        used = self.forum.users[person.forum_ids[-1]].email
        email = person.private_email if used != person.private_email else person.work_email
        if email is None:
            email = "x." + person.private_email
        self._sign_up(at, person, email, person.name, ["second_account"])
        if self.time.chance(0.25):
            self.time.at(at + self.time.waits(60), self._merge_accounts, person)

    def _merge_accounts(self, at: datetime, person: Person) -> None:
        if len(person.forum_ids) > 1:
            old = person.forum_ids.pop(0)
            self.forum.merge_users(old, person.forum_ids[0], at)
            self.truth.trap("merged_account", "discourse", "users", old, person.id, at)

    def _come_back(self, at: datetime, person: Person) -> None:
        person.forum_until = at + self.time.waits(self.rates.forum_life_days)

    def rename(self, at: datetime, person: Person) -> None:
        """Let somebody choose another username."""
        if not person.forum_ids:
            return
        self._renames += 1
        user = person.forum_ids[-1]
        wanted = f"{self.time.rng.choice(names.HANDLE_FIRST)}{self._renames}"
        self.forum.rename_user(user, self.forum.free_username(wanted))
        self.truth.trap("renamed", "discourse", "users", user, person.id, at)

    def follow(self, at: datetime, person: Person) -> None:
        """Let somebody who changed employer confirm the new address."""
        if person.forum_ids and person.work_email:
            user = person.forum_ids[-1]
            self.forum.set_email(user, person.work_email)
            self.truth.trap("forum_email_changed", "discourse", "users", user, person.id, at)

    def anonymize(self, at: datetime, person: Person) -> None:
        """Let somebody have their account erased."""
        if person in self.members and person.forum_ids and person is not self.top_helper:
            user = person.forum_ids.pop()
            self.forum.anonymize_user(user, at)
            self.truth.trap("anonymized", "discourse", "users", user, person.id, at)
            if not person.forum_ids:
                self.members.remove(person)

    # A day

    def plan_day(self, midnight: datetime) -> None:
        """Plan a day: who is around, how many topics there will be."""
        time, rates = self.time, self.rates
        self._gather(midnight)
        pace = rates.weekend if midnight.weekday() >= 5 else 1.2
        for _ in range(time.poisson(rates.topics_per_person_day * self.size * pace)):
            time.at(time.moment(midnight), self._ask)
        for _ in range(time.poisson(rates.spam_topic * rates.topics_per_person_day * self.size)):
            time.at(time.moment(midnight), self._spam)
        if time.chance(rates.anonymized_per_year * len(self.members) / 365):
            time.at(time.moment(midnight), self._anonymize_some)
        day = time.day(midnight)
        if day % 30 == 3:
            time.at(time.moment(midnight), self._announce)
        if day % 14 == 5:
            time.at(time.moment(midnight), self._release)
        if time.chance(rates.late_bump * rates.topics_per_person_day * self.size):
            time.at(time.moment(midnight), self._bump_old)
        if time.chance(rates.hostile_text * rates.topics_per_person_day * self.size * 5):
            time.at(time.moment(midnight), self._hostile)
        if day == 40:
            time.at(time.moment(midnight), self._very_long)

    def _gather(self, midnight: datetime) -> None:
        interested = [
            person
            for person in self.members
            if person.forum_until is not None and person.forum_until > midnight
        ]
        here = self.crm.population.heard(interested, midnight)
        self._askers = _Crowd(here, [min(person.asks, 12.0) for person in here])
        weights = [min(person.answers, 25.0) for person in here]
        if self.top_helper is not None:
            # One person gives about a sixth of all answers: seen on real question sites.
            share = 0.2 * sum(weights)
            weights = [
                share if person is self.top_helper else weight
                for person, weight in zip(here, weights, strict=True)
            ]
        self._answerers = _Crowd(here, weights)
        self._readers = _Crowd(here, [1.0] * len(here))

    # Topics

    def _ask(self, at: datetime) -> None:
        time, rates, rng = self.time, self.rates, self.time.rng
        asker = self._askers.draw(time)
        if asker is None:
            return
        if time.chance(rates.private_messages_per_topic):
            self._message(at, asker)
            return
        user = asker.forum_ids[-1]
        shows = time.chance(0.12)
        title, raw = texts.show_and_tell(rng) if shows else texts.question(rng)
        helps = WARPING if len(self.forum.topics) % 4 == 3 else HELP
        topic = self.forum.create_topic(
            user,
            title,
            raw,
            at,
            category_id=SHOW if shows else helps,
            tags=(rng.choice(texts.TAGS),) if time.chance(0.5) else (),
        )
        first = self.forum.topics[topic].posts[0].id
        if user not in self._asked:
            self._asked.add(user)
            time.at(at + timedelta(seconds=9), self._welcome, topic)
        self._perhaps_edit(at, first)
        if shows:
            for _ in range(time.poisson(2.0)):
                time.at(at + time.lognormal(20, 1.2), self._like, first)
        if time.chance(rates.unanswered):
            return
        when = at + time.lognormal(rates.first_answer_median_h, rates.first_answer_sigma)
        time.at(when, self._answer, topic)
        for _ in range(time.poisson(rates.answers_mean - 1)):
            when += time.lognormal(5.0, 1.3)
            time.at(when, self._answer, topic)
        if time.chance(rates.asker_replies):
            time.at(when + time.lognormal(3.0, 1.0), self._asker_replies, topic, asker)
        if time.chance(rates.self_answer):
            time.at(when + time.lognormal(30, 0.7), self._self_answer, topic, asker)
        if not shows and time.chance(rates.accepted):
            time.at(when + time.lognormal(10, 1.0), self._accept, topic, asker)
        if time.chance(rates.whisper):
            time.at(when, self._whisper, topic)
        if time.chance(rates.topic_closed):
            time.at(when + timedelta(days=30), self._close, topic)
        if time.chance(rates.topic_deleted):
            time.at(when + time.waits(15), self._delete_topic, topic)
        if time.chance(rates.topic_split):
            time.at(when + time.waits(3), self._split, topic)

    def _answer(self, at: datetime, topic: int) -> None:
        time = self.time
        thread = self.forum.topics[topic]
        if thread.deleted_at is not None or thread.closed:
            return
        if self.staff and time.chance(self.rates.staff_answers):
            author: Person | None = time.rng.choice(self.staff)
            user = author.forum_ids[0] if author is not None else 0
        else:
            author = self._answerers.draw(time)
            if author is None:
                return
            user = author.forum_ids[-1]
        if user == thread.user_id:
            return
        number: int | None = None
        raw = texts.answer(time.rng)
        last = thread.posts[-1]
        if last.post_number > 1 and time.chance(0.35):
            number = last.post_number
            writer = self.forum.users.get(last.user_id or 0)
            if writer is not None and time.chance(0.3):
                raw = (
                    f'[quote="{writer.username}, post:{number}, topic:{topic}"]\n'
                    f"{last.raw[:60]}\n[/quote]\n\n{raw}"
                )
            elif writer is not None and time.chance(0.3):
                raw = f"@{writer.username} {raw}"
        post = self.forum.reply(topic, user, raw, at, reply_to=number)
        for _ in range(time.poisson(self.rates.likes_per_answer)):
            time.at(at + time.lognormal(14, 1.4), self._like, post)
        self._perhaps_edit(at, post)
        if time.chance(self.rates.deleted_by_staff):
            time.at(at + time.waits(2), self._delete_post, post)
        if time.chance(self.rates.deleted_by_author):
            time.at(at + time.waits(0.4), self._withdraw, post, user)

    def _perhaps_edit(self, at: datetime, post: int) -> None:
        if self.time.chance(self.rates.edited):
            late = self.time.chance(0.6)
            wait = self.time.waits(12) if late else timedelta(seconds=90)
            self.time.at(at + wait, self.edit, post)

    def edit(self, at: datetime, post: int) -> None:
        """Let an author improve a text, or now and then a moderator."""
        row = self.forum.posts[post]
        if row.deleted_at is None and not row.user_deleted and row.user_id is not None:
            is_moderated = post % 5 == 0
            self.forum.edit_post(
                post,
                f"{row.raw}\n\nEdit: typo.",
                at,
                by=self._moderator() if is_moderated else None,
                reason="a typo" if is_moderated else "",
            )

    def _asker_replies(self, at: datetime, topic: int, asker: Person) -> None:
        thread = self.forum.topics[topic]
        if self._gone(topic) or asker.quiet(at) or not self._has_author(topic):
            return
        assert thread.user_id is not None
        last = thread.posts[-1]
        self.forum.reply(
            topic, thread.user_id, texts.thanks(self.time.rng), at, reply_to=last.post_number
        )
        if self.time.chance(0.4):
            self.forum.like(last.id, thread.user_id, at)

    def _self_answer(self, at: datetime, topic: int, asker: Person) -> None:
        thread = self.forum.topics[topic]
        if self._gone(topic) or asker.quiet(at) or not self._has_author(topic):
            return
        assert thread.user_id is not None
        post = self.forum.reply(topic, thread.user_id, "I found it myself: it was loose.", at)
        if thread.accepted_post_id is None and self.time.chance(0.5):
            self.forum.accept(post, by=thread.user_id)

    def _accept(self, at: datetime, topic: int, asker: Person) -> None:
        thread = self.forum.topics[topic]
        if self._gone(topic) or asker.quiet(at) or not self._has_author(topic):
            return
        answers = [
            post.id
            for post in thread.posts
            if post.post_type == REGULAR
            and post.deleted_at is None
            and post.user_id not in (thread.user_id, self.welcome_bot, None)
        ]
        if not answers:
            return
        by = thread.user_id
        if by is None or self.time.chance(self.rates.accepted_by_staff):
            by = self.staff[0].forum_ids[0] if self.staff else -1
        self.forum.accept(self.time.rng.choice(answers), by=by)
        if self.time.chance(self.rates.unaccepted):
            self.time.at(at + DAY, self._unaccept, topic)

    def _unaccept(self, at: datetime, topic: int) -> None:
        self.forum.unaccept(topic)

    def _like(self, at: datetime, post: int) -> None:
        reader = self._readers.draw(self.time)
        row = self.forum.posts[post]
        if reader is None or row.deleted_at is not None:
            return
        if self.time.chance(self.rates.other_reactions):
            reaction = self.time.rng.choice(("clap", "laughing", "-1", "open_mouth"))
            self.forum.react(post, reader.forum_ids[-1], reaction, at)
        else:
            self.forum.like(post, reader.forum_ids[-1], at)

    def _welcome(self, at: datetime, topic: int) -> None:
        """Let the bot greet: an automatic answer, seconds after the question."""
        if not self._gone(topic):
            post = self.forum.reply(topic, self.welcome_bot, texts.WELCOME, at)
            self.truth.trap("bot_first_response", "discourse", "posts", post, None, at)

    def _bump_old(self, at: datetime) -> None:
        """Let somebody answer a topic that slept for months."""
        rng, before = self.time.rng, at - timedelta(days=60)
        for _ in range(20):
            topic = self.forum.topics[rng.randint(1, len(self.forum.topics))]
            asleep = topic.archetype == "regular" and topic.bumped_at < before
            if asleep and topic.category_id in (HELP, WARPING) and not self._gone(topic.id):
                self._answer(at, topic.id)
                return

    def _message(self, at: datetime, person: Person) -> None:
        if self.staff:
            to = self.time.rng.choice(self.staff).forum_ids[0]
            title, raw = texts.question(self.time.rng)
            topic = self.forum.private_message(person.forum_ids[-1], [to], title, raw, at)
            self.time.at(at + self.time.lognormal(4, 1.0), self._answer_message, topic, to)

    def _answer_message(self, at: datetime, topic: int, by: int) -> None:
        self.forum.reply(topic, by, texts.answer(self.time.rng), at)

    # What staff and bots do

    def _whisper(self, at: datetime, topic: int) -> None:
        if self.staff and not self._gone(topic):
            user = self.time.rng.choice(self.staff).forum_ids[0]
            self.forum.reply(topic, user, "Does anybody know him?", at, post_type=WHISPER)

    def _close(self, at: datetime, topic: int) -> None:
        if not self._gone(topic):
            self.forum.close(topic, at, by=self._moderator())

    def _delete_topic(self, at: datetime, topic: int) -> None:
        if not self._gone(topic):
            self.forum.delete_topic(topic, at, by=self._moderator())
            self.truth.trap("deleted_topic", "discourse", "topics", topic, None, at)
            author = self.forum.topics[topic].user_id
            if author in self.person_of and self.time.chance(self.rates.topic_recovered):
                self.time.at(at + DAY, self._recover_topic, topic)

    def _recover_topic(self, at: datetime, topic: int) -> None:
        self.forum.recover_topic(topic)
        self.truth.trap("recovered_topic", "discourse", "topics", topic, None, at)

    def _delete_post(self, at: datetime, post: int) -> None:
        row = self.forum.posts[post]
        if row.deleted_at is None and row.post_number > 1:
            self.forum.delete_post(post, at, by=self._moderator())
            self.truth.trap("deleted_post", "discourse", "posts", post, None, at)

    def _withdraw(self, at: datetime, post: int, user: int) -> None:
        """Let an author delete a post: a stub first, gone after a day."""
        row = self.forum.posts[post]
        if row.deleted_at is None and row.user_id == user and user in self.forum.users:
            self.forum.delete_post(post, at, by=user)
            self.time.at(at + DAY, self._delete_post, post)

    def _split(self, at: datetime, topic: int) -> None:
        thread = self.forum.topics[topic]
        later = [post.id for post in thread.posts[2:] if post.deleted_at is None]
        if len(later) > 1 and not self._gone(topic) and thread.accepted_post_id not in later:
            self.forum.move_posts(later, f"{thread.title} (split)", at)

    def _announce(self, at: datetime) -> None:
        if self.staff:
            title = f"{self.time.rng.choice(texts.ANNOUNCEMENTS)} {at:%B %Y}"
            topic = self.forum.create_topic(
                self.staff[0].forum_ids[0], title, "Read on.", at, category_id=NEWS
            )
            self.forum.pin(topic, at, until=at + timedelta(days=45))

    def _release(self, at: datetime) -> None:
        rng = self.time.rng
        raw = texts.RELEASE.format(thing=rng.choice(texts.THINGS), other=rng.choice(texts.THINGS))
        self.forum.create_topic(
            self.release_bot, f"Release of {at:%Y-%m-%d}", raw, at, category_id=NEWS
        )
        if self.staff:
            self.forum.create_topic(
                rng.choice(self.staff).forum_ids[0],
                f"Weekly plan {at:%Y-%m-%d}",
                "Internal.",
                at,
                category_id=TEAM,
            )

    def _spam(self, at: datetime) -> None:
        """Let a spammer post; staff deletes user and topic, or suspends and deletes."""
        rng = self.time.rng
        name = self.forum.free_username(f"promo{rng.randrange(10_000)}")
        user = self.forum.create_user(name, email=f"{name}@mail.example", at=at, name="Best Deals")
        self.truth.profile("discourse", "users", user, None, at)
        self.truth.trap("spammer", "discourse", "users", user, None, at)
        topic = self.forum.create_topic(
            user, rng.choice(texts.SPAM_TITLES), "http://spam.example", at, category_id=HELP
        )
        flagged = at + timedelta(minutes=rng.randrange(2, 40))
        self.time.at(flagged, self._hide, self.forum.topics[topic].posts[0].id)
        self.time.at(flagged + self.time.waits(0.5), self._remove_spam, user, topic)

    def _hide(self, at: datetime, post: int) -> None:
        """Hide what was flagged; a newcomer who writes such is silenced."""
        self.forum.hide_post(post, at)
        author = self.forum.posts[post].user_id
        if author is not None:
            self.forum.silence_user(author, at)

    def _remove_spam(self, at: datetime, user: int, topic: int) -> None:
        self._delete_topic(at, topic)
        if self.time.chance(0.5):
            self.forum.delete_user(user, at)
        else:
            self.forum.suspend_user(user, at)

    def _hostile(self, at: datetime) -> None:
        """Let somebody write what breaks careless programs."""
        person = self._askers.draw(self.time)
        if person is None:
            return
        rng = self.time.rng
        topic = self.forum.create_topic(
            person.forum_ids[-1],
            rng.choice(texts.HOSTILE_TITLES),
            rng.choice(texts.HOSTILE_TEXTS),
            at,
            category_id=HELP,
        )
        self.truth.trap("hostile_text", "discourse", "topics", topic, person.id, at)
        self.time.at(at + self.time.lognormal(4, 1.0), self._answer, topic)

    def _very_long(self, at: datetime) -> None:
        person = self._askers.draw(self.time)
        if person is not None:
            raw = "Long log:\n" + "warp \N{SNOWMAN} error\n" * 3000
            topic = self.forum.create_topic(
                person.forum_ids[-1], "Log of the whole night", raw, at, category_id=HELP
            )
            self.truth.trap("very_long_text", "discourse", "topics", topic, person.id, at)

    def _anonymize_some(self, at: datetime) -> None:
        person = self._readers.draw(self.time)
        if person is not None and not person.is_staff:
            self.anonymize(at, person)
            self._gather(at)

    # What shall surely change when time moves

    def chores(self, at: datetime) -> None:
        """Do one of every kind of change: edit, delete, rename, title, old bump, erasure."""
        rng = self.time.rng
        old = [
            topic
            for topic in list(self.forum.topics.values())[-400:]
            if topic.archetype == "regular" and not self._gone(topic.id) and len(topic.posts) > 3
        ]
        if len(old) < 4:
            return
        first, second, third, fourth = sorted(rng.sample(old, 4), key=lambda t: -len(t.posts))
        self.edit(at, first.posts[0].id)
        self._delete_post(at, second.posts[1].id)
        self.forum.edit_title(third.id, f"{third.title} (edited)", at)
        self._like(at, third.posts[1].id)
        if self.time.day(at) % 3 == 0:
            self._delete_topic(at, fourth.id)
        self._bump_old(at)
        person = self._readers.draw(self.time)
        if person is not None and person is not self.top_helper:
            self.rename(at, person)
        if self.time.chance(0.15):
            self._anonymize_some(at)

    def _gone(self, topic: int) -> bool:
        thread = self.forum.topics[topic]
        return thread.deleted_at is not None or thread.closed

    def _has_author(self, topic: int) -> bool:
        user = self.forum.users.get(self.forum.topics[topic].user_id or 0)
        return user is not None and not user.anonymized

    def _moderator(self) -> int:
        return self.staff[0].forum_ids[0] if self.staff else -1
