"""What happens on the social network: who talks about the company, and what it answers.

Belongs here: everything people and the company's own account post there.
Does not belong here: what a post does (`sandbox.bluesky`), who the people are
(`sandbox.people`), how often things happen (`sandbox.rates`).

It has dice of its own, so that a world with this silo and one without it are alike in all
the others.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sandbox import names, texts
from sandbox.bluesky import Network
from sandbox.bluesky.store import NO_UNAUTHENTICATED, iso
from sandbox.crm_life import CrmLife
from sandbox.people import COMPANY, OWN_DOMAINS, Person, Population
from sandbox.rates import Rates
from sandbox.salesforce import Org
from sandbox.timeline import Dice, Timeline
from sandbox.truth import Truth

HANDLE = OWN_DOMAINS[0]
TAG = "harborlooms"
APP_PASSWORD = "sand-boxx-apps-pass"
HANDLE_FIELD = "Bluesky_Handle__c"
"""Field of a contact for the handle that somebody gave us."""

KINDS = ("mention", "link", "tag", "reply", "quote")
SHARES = (0.38, 0.22, 0.08, 0.22, 0.10)


class SocialLife:
    """Life on the social network.

    Attributes:
        us: DID of the company's account.
        person_of: DID -> who it is.
        strangers: people whom no other silo knows.
    """

    def __init__(
        self,
        network: Network,
        org: Org,
        crm: CrmLife,
        timeline: Timeline,
        population: Population,
        truth: Truth,
        rates: Rates,
        *,
        size: int,
        at: datetime,
    ) -> None:
        self.network = network
        self.org = org
        self.crm = crm
        self.time = timeline
        self.population = population
        self.truth = truth
        self.rates = rates
        self.size = size
        self.dice = Dice(Random(f"{timeline.seed}/social/founding"))
        self.person_of: dict[str, Person] = {}
        self.strangers: list[Person] = []
        self._met = 0
        self._here: list[str] = []
        self._news: list[str] = []
        org.add_custom_field("Contact", {"name": HANDLE_FIELD, "type": "string", "length": 253})
        self.us = network.create_account(
            HANDLE, at, display_name=COMPANY, password=APP_PASSWORD, description="Looms and drafts"
        )
        truth.profile("bluesky", "profiles", self.us, None, at)

    # Joining and leaving

    def _join(self, at: datetime, person: Person) -> None:
        dice, rates = self.dice, self.rates
        rng = dice.rng
        wanted = rng.choice(
            (
                names.local_part(person.given, person.family, 0),
                names.local_part(person.given, person.family, 3),
                f"{rng.choice(names.HANDLE_FIRST)}{rng.choice(names.HANDLE_SECOND)}",
            )
        )
        hidden = dice.chance(rates.social_not_for_everybody)
        did = self.network.create_account(
            self.network.free_handle(wanted),
            at,
            display_name=rng.choice((person.home, person.given, f"{person.given} 🧶", None)),
            labels=(NO_UNAUTHENTICATED,) if hidden else (),
            description="Weaver",
        )
        self.person_of[did] = person
        self.truth.profile("bluesky", "profiles", did, person.id, at)
        if hidden:
            self._trap("no_unauthenticated", did, at)
        if dice.chance(rates.social_handle_volunteered):
            self.time.at(at + dice.waits(30), self._volunteer, did)

    def _join_stranger(self, at: datetime) -> None:
        given, family, home = names.person_name(self.dice.rng)
        person = Person(
            id=f"s{len(self.strangers) + 1:06d}",
            kind="prospect",
            given=given,
            family=family,
            home=home,
            work_email=None,
            private_email="",
            phone="",
            title="",
            organization=None,
            born_at=at,
        )
        self.strangers.append(person)
        self._join(at, person)

    def _volunteer(self, at: datetime, did: str) -> None:
        """Write down the handle that a contact gave us; it may change later, the note not."""
        person, account = self.person_of[did], self.network.accounts[did]
        contact = self.crm.live_contact(person)
        if contact is not None and account.status == "active":
            handle = self.dice.rng.choice((account.handle, f"@{account.handle}"))
            self.org.update("Contact", contact, {HANDLE_FIELD: handle}, at)
            self.truth.trap(
                "social_handle_volunteered", "salesforce", "contacts", contact, person.id, at, did
            )

    def rename(self, at: datetime, did: str) -> None:
        """Let somebody take another handle; the DID stays."""
        rng = self.dice.rng
        wanted = f"{rng.choice(names.HANDLE_FIRST)}{rng.choice(names.HANDLE_SECOND)}"
        self.network.change_handle(did, self.network.free_handle(wanted))
        self._trap("handle_changed", did, at)

    def _break_handle(self, at: datetime, did: str) -> None:
        self.network.break_handle(did)
        self._trap("handle_invalid", did, at)

    def _leave(self, at: datetime, did: str) -> None:
        status = self.dice.rng.choice(("deleted", "deactivated", "suspended"))
        self.network.set_status(did, status)
        self._trap(f"account_{status}", did, at)

    def _block_us(self, at: datetime, did: str) -> None:
        self.network.block(did, self.us)
        self._trap("blocked_us", did, at)

    # A day

    def plan_day(self, midnight: datetime) -> None:
        """Plan a day: who comes, who talks, who changes or leaves."""
        time, rates, dice = self.time, self.rates, self.dice
        day = time.day(midnight)
        dice.rng = Random(f"{time.seed}/social/{day}")
        for person in self.population.people[self._met :]:
            if not person.is_staff and dice.chance(rates.social_people):
                # those who were there before the world began come one after the other
                late = dice.waits(90) if day == 0 else timedelta(0)
                time.at(dice.moment(midnight) + late, self._join, person)
        self._met = len(self.population.people)
        for _ in range(dice.poisson(rates.social_strangers * self.size / 600)):
            if len(self.strangers) < rates.social_strangers * self.size:
                time.at(dice.moment(midnight), self._join_stranger)
        self._here = [
            did
            for did, person in self.person_of.items()
            if self.network.is_served(did) and not person.quiet(midnight)
        ]
        if day % rates.social_own_posts_every_days == 1:
            time.at(dice.office_hour(midnight), self._announce)
        for _ in range(dice.poisson(rates.social_posts_per_person_day * self.size)):
            time.at(dice.moment(midnight), self._speak)
        for yearly, act in (
            (rates.social_handle_changed_per_year, self.rename),
            (rates.social_handle_broken_per_year, self._break_handle),
            (rates.social_leaves_per_year, self._leave),
            (rates.social_blocks_us_per_year, self._block_us),
        ):
            for _ in range(dice.poisson(yearly * len(self._here) / 365)):
                time.at(dice.moment(midnight), act, dice.rng.choice(self._here))

    def _announce(self, at: datetime) -> None:
        text = f"{texts.social_news(self.dice.rng)} https://{HANDLE}/news #{TAG}"
        self._news.append(self.network.post(self.us, text, at))
        self._cheer(at, self._news[-1])

    def _speak(self, at: datetime) -> None:
        """Let somebody say something about us, to us, or under what we said."""
        dice, rng = self.dice, self.dice.rng
        did = self._somebody()
        if did is None:
            return
        kind = rng.choices(KINDS, SHARES)[0]
        news = [uri for uri in self._news[-6:] if uri in self.network.posts]
        if kind in ("reply", "quote") and not news:
            kind = "mention"
        text = texts.social_post(rng)
        more: dict[str, str] = {}
        if kind == "mention":
            text = f"@{HANDLE} {text}" if dice.chance(0.6) else f"{text} @{HANDLE}"
        elif kind == "link":
            if dice.chance(0.3):
                more["card"] = f"https://www.{HANDLE}/shop"
            else:
                text = f"{text} https://{HANDLE}/shop?ref={rng.randrange(9999)}"
        elif kind == "tag":
            text = f"{text} #{TAG}"
        else:
            more["reply_to" if kind == "reply" else "quote"] = rng.choice(news)
        trap, created_at = self._clock(at)
        uri = self.network.post(did, text, at, created_at=created_at, **more)
        if trap:
            self._trap(trap, uri, at, stream="posts")
        self._cheer(at, uri)
        if dice.chance(self.rates.social_answered) and kind in ("mention", "reply", "quote"):
            when = at + dice.lognormal(self.rates.social_first_answer_median_h, 1.1)
            self.time.at(when, self._answer, uri)
        if dice.chance(self.rates.social_edited):
            self.time.at(at + dice.waits(0.2), self.edit, uri)
        if dice.chance(self.rates.social_deleted):
            self.time.at(at + dice.waits(4), self.delete, uri)

    def _clock(self, at: datetime) -> tuple[str, str | None]:
        """Return what is wrong with a client's clock, if anything, and what it says."""
        dice, rng = self.dice, self.dice.rng
        if dice.chance(self.rates.social_wrong_clock):
            if dice.chance(0.5):
                return "created_in_year_one", "0001-01-01T00:00:00.000Z"
            return "created_in_the_future", iso(at + timedelta(days=rng.randrange(2, 30_000)))
        if dice.chance(self.rates.social_dated_back):
            return "dated_back", iso(at - timedelta(hours=rng.randrange(2, 150)))
        return "", None

    def _answer(self, at: datetime, uri: str) -> None:
        """Let us answer, unless the post is gone or its author hides from us."""
        post = self.network.posts.get(uri)
        if post is None or not self._is_reachable(post.did):
            return
        handle = self.network.accounts[post.did].handle
        text = f"Thank you, @{handle}! {texts.answer(self.dice.rng)}"
        reply = self.network.post(self.us, text, at, reply_to=uri)
        if self.dice.chance(self.rates.social_thanks):
            self.time.at(at + self.dice.lognormal(6, 1.0), self._thank, post.did, reply)

    def _thank(self, at: datetime, did: str, uri: str) -> None:
        if uri in self.network.posts and self._is_reachable(did):
            self.network.post(did, texts.thanks(self.dice.rng), at, reply_to=uri)

    def _cheer(self, at: datetime, uri: str) -> None:
        for _ in range(self.dice.poisson(self.rates.social_likes)):
            self.time.at(at + self.dice.lognormal(9, 1.3), self.like, uri)

    def like(self, at: datetime, uri: str) -> None:
        """Let somebody like a post, now and then repost it."""
        did = self._somebody()
        if uri in self.network.posts and did is not None:
            self.network.like(did, uri, at)
            if self.dice.chance(0.15):
                self.network.repost(did, uri, at)

    def edit(self, at: datetime, uri: str) -> None:
        """Let an author mend a post."""
        if uri in self.network.posts:
            self.network.edit(uri, f"{self.network.posts[uri].record['text']} (sp.)", at)
            self._trap("edited", uri, at, stream="posts")

    def delete(self, at: datetime, uri: str) -> None:
        """Let an author delete a post."""
        if uri in self.network.posts:
            self.network.delete(uri)
            self._trap("deleted", uri, at, stream="posts")

    # What shall surely change when time moves

    def chores(self, at: datetime) -> None:
        """Do one of every kind of change: edit, like, delete, rename."""
        rng = self.dice.rng
        recent = [
            post.uri
            for post, _ in zip(self.network.newest_first(), range(60), strict=False)
            if post.did != self.us
        ]
        if len(recent) >= 3 and self._here:
            first, second, third = rng.sample(recent, 3)
            self.edit(at, first)
            self.like(at, second)
            self.delete(at, third)
            self.rename(at, rng.choice(self._here))

    # Inside

    def _somebody(self) -> str | None:
        """Return somebody to act, those who ask more in other places first."""
        for _ in range(8):
            if not self._here:
                return None
            did = self.dice.rng.choice(self._here)
            if self.dice.chance(min(self.person_of[did].asks, 4.0) / 4.0) and self._is_reachable(
                did
            ):
                return did
        return None

    def _is_reachable(self, did: str) -> bool:
        return self.network.is_served(did) and not self.network.are_apart(self.us, did)

    def _trap(self, trap: str, native_id: str, at: datetime, *, stream: str = "profiles") -> None:
        did = native_id.split("/")[2] if native_id.startswith("at://") else native_id
        person = self.person_of[did].id if did in self.person_of else None
        self.truth.trap(trap, "bluesky", stream, native_id, person, at)
