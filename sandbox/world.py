"""The sandbox's company, Harbor Looms, and the life around it.

Belongs here: how the world begins, what each day brings, what is planted in it, how
time moves, what is true. Does not belong here: life inside one silo (`sandbox.crm_life`,
`sandbox.forum_life`, `sandbox.portal_life`, `sandbox.shop_life`), the emulated vendors, HTTP.

Harbor Looms makes looms and weaving software. Customers, prospects, partners, suppliers
and press are written down in a CRM (Salesforce); many of them, and hobby weavers, meet
in a forum (Discourse); some read the newsletter and ask for help by way of a portal
(HubSpot), some talk about it on a social network (Bluesky), and many buy yarn and parts in a web
shop, where the world has them.
The same seed, size and date make the same world, to the byte, and the CRM and the forum are
the same with and without the others (but for the handles that people gave us).
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sandbox.bluesky import Network
from sandbox.campaign_life import CampaignLife
from sandbox.clock import Clock
from sandbox.crm_life import CrmLife
from sandbox.discourse import Forum, ForumSettings
from sandbox.discourse.store import REGULAR, Category
from sandbox.forum_life import HELP, NEWS, SHOW, TEAM, WARPING, ForumLife
from sandbox.hubspot import Portal
from sandbox.people import Organization, Person, Population
from sandbox.portal_life import PortalLife
from sandbox.rates import Rates
from sandbox.salesforce import Org
from sandbox.shop import Shop
from sandbox.shop_life import ShopLife
from sandbox.social_life import SocialLife
from sandbox.timeline import Timeline
from sandbox.truth import Truth, write_table

DAYS = 730
"""How long the world has lived when it is opened."""
SHOP_MOVED_DAYS_AGO = 400
"""When the shop changed its system, before the world is opened."""

ROLES = ("sales", "support", "engineering", "community", "support", "sales", "sales")
LATE_VISIBLE_S = 240.0
"""Every third write shows in queries only so much later than its stamp says."""

SELF_HOSTED = ForumSettings(
    time_zone="America/New_York",
    ip_per_10_s=20_000,
    ip_per_minute=100_000,
    admin_api_per_minute=100_000,
)
"""A self-hosted forum whose administrator raised the limits for the integration."""

PORTAL_LIMITS = (10_000, 1_000)
"""Calls in 10 seconds, and searches in one, of a portal that does not make demos wait."""

API_KEY = "sandbox-forum-admin-key"
API_USERNAME = "rapport"

COUNTED = {
    "accounts": "Account",
    "contacts": "Contact",
    "leads": "Lead",
    "opportunities": "Opportunity",
    "opportunity_contact_roles": "OpportunityContactRole",
    "salesforce_users": "User",
    "cases": "Case",
    "case_comments": "CaseComment",
    "tasks": "Task",
    "events": "Event",
    "event_relations": "EventRelation",
    "task_relations": "TaskRelation",
    "case_history": "CaseHistory",
}

COUNTED_IN_PORTAL = (
    "contacts", "companies", "deals", "tickets", "calls", "emails", "meetings", "notes", "tasks",
    "communications", "feedback_submissions", "machines",
)  # fmt: skip

COUNTED_IN_SHOP = ("customers", "orders", "refunds", "logins")

SOURCES = {"salesforce": "crm", "discourse": "forum", "hubspot": "hub", "bluesky": "social",
           "shop": "shop"}  # fmt: skip
"""What the sources are called in the rapport.yml of a sandbox, and so in profile keys."""

VENDORS = ("salesforce", "hubspot", "discourse", "bluesky", "shop")
"""The silos a world has when nothing is said: all there are."""

_QUIET = ((24, 58), (38, 45), (52, 70))
"""Planted: days until the renewal, days of silence before now."""


class WorldClock(Clock):
    """The clock of the servers: moving it lets the world live on."""

    def __init__(self, now: datetime | None, world: World) -> None:
        super().__init__(now)
        self._world = world

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move forward; everything until then has happened when this returns."""
        if days < 0 or seconds < 0:
            return super().advance(days=days, seconds=seconds)
        world = self._world
        with world.locked():
            world.timeline.run(self.now() + timedelta(days=days, seconds=seconds))
            now = super().advance(days=days, seconds=seconds)
            world.shop.commit(now)
            return now


class World:
    """The whole company with its silos, and the truth about them.

    Args:
        people: how many people there are at `now`, staff included; everything scales.
        seed: of every random number.
        now: when the world is opened, timezone-aware; default: today's midnight UTC. Its
            midnight is the last day boundary; two years before it, life begins.
        rates: how often everything happens.
        vendor_limits: whether the forum and the portal have the vendors' default rate limits.
        vendors: whose silos there are; the portal (`hubspot`) and the network (`bluesky`) stay
            empty when left out.
        portal_import: how many bought addresses the portal is given (see `PortalLife`).

    Attributes:
        org, forum, portal, network, shop: the silos. Whoever reads them while time may move holds
            their `lock`.
        truth: the ledger; `population`: who really exists.
    """

    def __init__(
        self,
        *,
        people: int = 2000,
        seed: int = 7,
        now: datetime | None = None,
        rates: Rates | None = None,
        vendor_limits: bool = False,
        vendors: Collection[str] = VENDORS,
        portal_import: int = 0,
    ) -> None:
        self.size = people
        self.vendors = tuple(vendors)
        self.vendor_limits = vendor_limits
        self.seed = seed
        self.rates = rates or Rates()
        self.clock = WorldClock(now, self)
        self.opened_at = self.clock.now()
        midnight = self.opened_at.replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = midnight - timedelta(days=DAYS)
        self._anchor = midnight
        self.founded_at = self.start - timedelta(days=420)
        self.truth = Truth()
        self._planted: dict[int, Organization] = {}
        self.timeline = Timeline(seed, self.start, self._plan_day)
        self.population = Population(self.rates)
        self.org = Org(domain="harborlooms.my", founded=self.founded_at)
        self.org.late_visible_s = LATE_VISIBLE_S
        self.org.late_every = 3
        self.org.shared_activities = True
        self.org.tracked_fields = {
            "Account": {"Name", "OwnerId"},
            "Contact": {"AccountId", "Email", "OwnerId"},
            "Lead": {"OwnerId", "Status"},
            "Opportunity": {"Amount", "CloseDate", "OwnerId", "StageName"},
            "Case": {"OwnerId", "Priority", "Status"},
        }
        self.forum = Forum(
            at=self.founded_at,
            title="Harbor Looms Community",
            settings=(
                ForumSettings(time_zone=SELF_HOSTED.time_zone) if vendor_limits else SELF_HOSTED
            ),
            categories=(
                Category(id=HELP, name="Help", slug="help"),
                Category(id=WARPING, name="Warping", slug="warping", parent_id=HELP),
                Category(id=SHOW, name="Show and tell", slug="show", solved=False),
                Category(id=NEWS, name="Announcements", slug="news", solved=False),
                Category(id=TEAM, name="Team", slug="team", read_restricted=True, solved=False),
            ),
        )
        self.crm = CrmLife(self.org, self.timeline, self.population, self.truth, self.rates)
        self.campaigns = CampaignLife(
            self.org, self.crm, self.timeline, self.population, self.truth, self.rates
        )
        self.community = ForumLife(
            self.forum, self.org, self.crm, self.timeline, self.truth, self.rates, size=people
        )
        self.network = Network()
        self.social: SocialLife | None = None
        if "bluesky" in self.vendors:
            self.social = SocialLife(
                self.network,
                self.org,
                self.crm,
                self.timeline,
                self.population,
                self.truth,
                self.rates,
                size=people,
                at=self.founded_at,
            )
        self.portal = Portal(founded=self.founded_at)
        self.portal.index_lag_s = LATE_VISIBLE_S
        self.portal.index_lag_every = 2
        if not vendor_limits:
            self.portal.calls_per_10_s, self.portal.searches_per_second = PORTAL_LIMITS
        self.marketing = PortalLife(
            self.portal,
            self.forum,
            self.crm,
            self.timeline,
            self.population,
            self.truth,
            self.rates,
            imported=portal_import,
        )
        self.shop = Shop()
        self.sales: ShopLife | None = None
        if "shop" in self.vendors:
            self.sales = ShopLife(
                self.shop,
                self.timeline,
                self.population,
                self.truth,
                self.rates,
                changed_system_on=midnight - timedelta(days=SHOP_MOVED_DAYS_AGO),
            )
        self._found()
        self.timeline.run(self.opened_at)
        self.shop.commit(self.opened_at)

    # Time

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Let time pass and return the new time."""
        return self.clock.advance(days=days, seconds=seconds)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the locks of all silos."""
        with contextlib.ExitStack() as held:
            for silo in (self.org, self.forum, self.portal, self.network, self.shop):
                held.enter_context(silo.lock)
            yield

    # The beginning

    def _found(self) -> None:
        timeline, rng = self.timeline, self.timeline.rng
        service = self.forum.create_user(
            API_USERNAME,
            name="Rapport (service account)",
            email="rapport@harborlooms.example",
            at=self.founded_at,
            admin=True,
        )
        self.forum.add_api_key(API_KEY)
        self.truth.profile("discourse", "users", service, None, self.founded_at)
        self.truth.profile("salesforce", "users", self.org.user_id, None, self.founded_at)
        self._n_staff = max(6, round(self.size * self.rates.staff_share))
        self._n_organizations = max(8, self.size // self.rates.people_per_organization)
        early = self.founded_at + timedelta(days=2)
        for number in range(self._n_staff):
            timeline.at(early + timedelta(minutes=number), self._hire, ROLES[number % len(ROLES)])
        founding = round(self._n_organizations * 0.8)
        for number in range(founding):
            latest = 30 if number < len(_QUIET) + 2 else 360
            when = early + timedelta(days=3 + rng.randrange(latest), hours=number % 9)
            timeline.at(when, self._open_organization, number)
        present = round((self.size - self._n_staff) * self.rates.present_at_start)
        for _ in range(present):
            when = early + timedelta(seconds=rng.randrange(5 * 86_400, 417 * 86_400))
            timeline.at(when, self._arrive)
        timeline.at(self.start + timedelta(hours=1), self._crown_helper)
        timeline.at(self._anchor - timedelta(days=90, hours=-9), self._move_champion)
        timeline.at(self._anchor - timedelta(days=150, hours=-9), self._lose_owner)
        timeline.at(self._anchor - timedelta(days=1, hours=-10), self.crm.stock_up)
        if self.has_portal:
            self.marketing.found(self.founded_at)
            timeline.at(self._anchor - timedelta(days=200, hours=-9), self.marketing.take_seat)
            timeline.at(self._anchor - timedelta(days=21), self.marketing.import_addresses)

    @property
    def has_portal(self) -> bool:
        """Whether there is life in the portal."""
        return "hubspot" in self.vendors

    def _hire(self, at: datetime, role: str) -> None:
        person = self.population.new_person(
            self.timeline.rng, at, kind="staff", organization=None, is_staff=True
        )
        self.crm.hire(at, person, role=role)
        if role in ("community", "support", "engineering") or self.timeline.chance(0.4):
            self.community.join_as_staff(at, person)
        if self.has_portal:
            self.marketing.hire(at, person)

    def _open_organization(self, at: datetime, number: int | None = None) -> None:
        """Found an organization; the first few carry what is planted."""
        organization = self.population.new_organization(self.timeline.rng, at)
        if number is not None and number < len(_QUIET) + 2:
            self._planted[number] = organization
            organization.single = False
            organization.loyal = True
            organization.parent = None
            organization.weight = 4.0
            organization.tier = "Silver"
        if number is not None and number < len(_QUIET):
            until_renewal, silence = _QUIET[number]
            renewal = self._anchor + timedelta(days=until_renewal)
            organization.renewal = (renewal - timedelta(days=DAYS)).date()
            organization.quiet_from = self._anchor - timedelta(days=silence)
            self.truth.effect(
                "quiet_before_renewal",
                "organization",
                organization.id,
                since=organization.quiet_from,
                until=renewal,
                value=float(silence),
            )
        self.crm.open_account(at, organization)

    def _arrive(self, at: datetime) -> None:
        """Let a person come into sight: written down, or signing up, or both."""
        rng, timeline, rates = self.timeline.rng, self.timeline, self.rates
        kinds, shares = zip(*rates.kinds, strict=True)
        kind = rng.choices(kinds, shares)[0]
        person = self.population.new_person(
            rng, at, kind=kind, organization=self._employer(at, kind)
        )
        if person.organization is not None:
            self.crm.reconsider(person.organization)
        chance = timeline.chance
        if kind == "customer":
            in_crm = person.organization is not None and chance(rates.customer_contact)
            in_forum = chance(rates.customer_forum)
            as_lead = False
        elif kind == "prospect":
            in_crm, as_lead = False, chance(rates.prospect_lead)
            in_forum = chance(rates.prospect_forum)
        else:
            in_crm = person.organization is not None and chance(rates.other_contact)
            as_lead = not in_crm and chance(rates.other_lead)
            in_forum = chance(rates.other_forum)
        if in_crm:
            self.crm.add_contact(at, person)
        if as_lead:
            self.crm.add_lead(at, person)
        if in_forum or not (person.contact_ids or person.lead_id):
            timeline.at(at + timeline.waits(12), self.community.join, person)
        if self.has_portal:
            self.marketing.meet(at, person)

    def _employer(self, at: datetime, kind: str) -> Organization | None:
        rng, chance = self.timeline.rng, self.timeline.chance
        if kind == "customer":
            if not self.crm.openings or chance(self.rates.independent_customers):
                return None
            return self.crm.openings.draw(rng)
        if kind == "prospect":
            if chance(0.3) and self.crm.customers:
                return rng.choice(self.crm.customers)
            if chance(0.75):
                return self.population.new_organization(rng, at, kind="prospect")
            return None
        alike = self.population.founded_as(kind)
        if alike and chance(0.75):
            return rng.choice(alike)
        organization = self.population.new_organization(rng, at, kind=kind)
        if chance(0.6):
            self.crm.open_account(at, organization)
        return organization

    # What is planted

    def _crown_helper(self, at: datetime) -> None:
        """Choose who answers most, and when they stop."""
        for person in self.community.members:
            if person.kind == "customer" and not person.quiet(self._anchor) and not person.is_staff:
                self.community.top_helper = person
                person.forum_until = at + timedelta(days=4000)
                person.quiet_from = self._anchor - timedelta(days=120)
                self.truth.effect(
                    "helper_leaves",
                    "person",
                    person.id,
                    native_id=person.forum_ids[-1],
                    since=person.quiet_from,
                    value=0.2,
                )
                return

    def _move_champion(self, at: datetime) -> None:
        """Let the person who knows us best at one customer go to another."""
        source, target = self._planted[len(_QUIET)], self._planted[len(_QUIET) + 1]
        for contact in source.contact_ids:
            person = self.crm.person_of[contact]
            if person.organization is source and person is not self.community.top_helper:
                self.truth.effect(
                    "champion_moves",
                    "person",
                    person.id,
                    native_id=contact,
                    since=at,
                    detail=f"{source.id} to {target.id}",
                )
                self.crm.change_employer(at, person, target)
                return

    def _lose_owner(self, at: datetime) -> None:
        """Let somebody in sales leave, whose accounts stay theirs."""
        sales = [person for person in self.crm.staff if person.role == "sales"]
        if len(sales) > 1:
            self.crm.leave_staff(at, sales[0])
            self.truth.effect(
                "inactive_owner", "person", sales[0].id, native_id=sales[0].user_id, since=at
            )

    # Each day

    def _plan_day(self, midnight: datetime) -> None:
        timeline, rates = self.timeline, self.rates
        day = timeline.day(midnight)
        coming = (self.size - self._n_staff) * (1 - rates.present_at_start) / DAYS
        for _ in range(int(coming * (day + 1)) - int(coming * day)):
            timeline.at(timeline.office_hour(midnight), self._arrive)
        founding = self._n_organizations * 0.2 / DAYS
        if int(founding * (day + 1)) > int(founding * day):
            timeline.at(timeline.office_hour(midnight), self._open_organization)
        self.community.plan_day(midnight)
        self.crm.plan_day(midnight)
        self.campaigns.plan_day(midnight)
        if self.social is not None:
            self.social.plan_day(midnight)
        customers = self.crm.customers
        if customers:
            for yearly, act in (
                (rates.tier_changes_per_year, self.crm.change_tier),
                (rates.accounts_merged_per_year, self.crm.duplicate_account),
            ):
                for _ in range(timeline.poisson(yearly * len(customers) / 365)):
                    timeline.at(timeline.office_hour(midnight), act, timeline.rng.choice(customers))
        moves = rates.employer_changes_per_person_year * len(self.population.people) * 0.5 / 365
        for _ in range(timeline.poisson(moves)):
            timeline.at(timeline.office_hour(midnight), self._change_employer)
        # Once the world is open every day brings every kind of change.
        if midnight >= self._anchor or timeline.chance(min(0.08, 0.04 * self.size / 1000)):
            timeline.at(midnight + timedelta(hours=11), self.crm.chores)
            timeline.at(midnight + timedelta(hours=11, minutes=5), self.community.chores)
            if self.social is not None:
                timeline.at(midnight + timedelta(hours=11, minutes=10), self.social.chores)
        if self.has_portal:
            self.marketing.plan_day(midnight)
            if midnight >= self._anchor or timeline.day(midnight) % 25 == 0:
                timeline.at(midnight + timedelta(hours=11, minutes=10), self.marketing.chores)

        if self.sales is not None:
            self.sales.plan_day(midnight)
            if midnight >= self._anchor:
                timeline.at(midnight + timedelta(hours=11, minutes=15), self.sales.chores)

    def _change_employer(self, at: datetime) -> None:
        rng = self.timeline.rng
        movers = [
            person
            for organization in self.crm.customers
            if not organization.single and organization.quiet_from is None
            for person in organization.people
            if person.contact_ids
        ]
        targets = [o for o in self.crm.customers if not o.single and not o.churned]
        if movers and targets:
            person = rng.choice(movers)
            self.crm.change_employer(at, person, rng.choice(targets))
            if self.timeline.chance(self.rates.forum_email_follows):
                self.timeline.at(at + timedelta(days=14), self.community.follow, person)

    # What is true

    def counts(self) -> dict[str, int]:
        """Return how many live records and interactions there are, by kind."""
        regular = [
            post
            for topic in self.forum.topics.values()
            if topic.deleted_at is None and topic.archetype == "regular"
            for post in topic.posts
            if post.deleted_at is None and post.post_type == REGULAR
        ]
        counts = {
            "people": len(self.population.people),
            "organizations": len(self.population.organizations),
        }
        for name, sobject in COUNTED.items():
            rows = self.org.rows(sobject)
            counts[name] = sum(not row.get("IsDeleted") for row in rows)
        counts |= {
            "forum_users": len(self.forum.users),
            "topics": len(self.forum.topics),
            "posts": len(regular),
            "likes": sum(len(post.likers or ()) for post in regular),
        }
        counts["interactions"] = sum(
            counts[name] for name in ("posts", "cases", "case_comments", "tasks", "events")
        )
        if self.social is not None:
            counts["social_accounts"] = len(self.network.accounts)
            counts["social_posts"] = len(self.network.posts)
            counts["interactions"] += counts["social_posts"]
        if self.sales is not None:
            for name in COUNTED_IN_SHOP:
                [(counts[f"shop_{name}"],)] = self.shop.rows(f"select count(*) from {name}")
        if self.has_portal:
            for name in COUNTED_IN_PORTAL:
                counts[f"portal_{name}"] = len(self.portal.table(name).live)
        return counts

    def write_truth(self, folder: Path | str) -> None:
        """Write the truth as of now to `folder/*.parquet` (see `sandbox.truth`)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with self.locked():
            tables = self._truth_tables()
        for name, rows in tables.items():
            write_table(folder, name, rows)

    def _truth_tables(self) -> dict[str, list[tuple[object, ...]]]:
        population = self.population
        now = self.clock.now()
        return {
            "people": [
                (
                    person.id,
                    person.kind,
                    person.is_staff,
                    person.name,
                    person.home,
                    person.organization.id if person.organization else None,
                    person.work_email,
                    person.private_email,
                    person.born_at,
                    person.forum_until,
                )
                for person in (*population.people, *(self.social.strangers if self.social else ()))
            ],
            "organizations": [
                (
                    organization.id,
                    organization.kind,
                    organization.name,
                    organization.domain,
                    organization.parent.id if organization.parent else None,
                    len(organization.people),
                )
                for organization in population.organizations
            ],
            "memberships": [
                (person.id, organization.id, since, until)
                for person, organization, since, until in population.memberships
            ],
            "purchases": self.sales.purchases() if self.sales is not None else [],
            "profiles": list(self._profile_rows(now)),
            "traps": [*self.truth.traps, *self._namesakes()],
            "effects": [*self.truth.effects, *self._single_threaded()],
            "meta": [(self.seed, self.size, self.start, now)],
        }

    def _profile_rows(self, now: datetime) -> list[tuple[object, ...]]:
        """Return every profile with its state in the silo, which is asked, not remembered."""
        objects = {"contacts": "Contact", "leads": "Lead", "users": "User", "accounts": "Account"}
        for name in objects.values():
            self.org.table(name).visible(now)
        rows: list[tuple[object, ...]] = []
        merges = {
            (trap[1], trap[2], trap[3]): trap[6]
            for trap in self.truth.traps
            if trap[0] in ("merged_contact", "merged_account")
        }
        for key, profile in self.truth.profiles.items():
            merged_into = merges.get(key)
            if profile.source_type == "salesforce":
                row = self.org.table(objects[profile.stream]).rows.get(profile.native_id)
                if row is None:
                    state = "purged"
                elif row["Id"] in self.org.table(objects[profile.stream]).bin:
                    state = "merged" if row.get("MasterRecordId") else "deleted"
                    merged_into = row.get("MasterRecordId")
                else:
                    state = "live"
            elif profile.source_type == "bluesky":
                status = self.network.accounts[profile.native_id].status
                state = {"active": "live", "deleted": "purged"}.get(status, "deleted")
            elif profile.source_type == "hubspot":
                state, merged_into = self._portal_state(profile.stream, profile.native_id, now)
            elif self.sales is not None and profile.source_type == "shop":
                state = self.sales.profile_state(profile.native_id)
            else:
                user = self.forum.users.get(int(profile.native_id))
                if user is None:
                    state = "purged"
                else:
                    state = "anonymized" if user.anonymized else "live"
            if state == "purged" and merged_into:
                state = "merged"
            is_person = profile.entity == "person"
            rows.append(
                (
                    f"{SOURCES[profile.source_type]}:{profile.stream}:{profile.native_id}",
                    profile.source_type,
                    profile.stream,
                    profile.native_id,
                    profile.entity,
                    profile.true_id if is_person else None,
                    None if is_person else profile.true_id,
                    state,
                    merged_into if state == "merged" else None,
                    profile.made_at,
                )
            )
        return rows

    def _portal_state(self, stream: str, id: str, now: datetime) -> tuple[str, str | None]:
        """Return a portal profile's state, and the record it was merged into."""
        if stream == "owners":
            return "live", None
        table = self.portal.table(stream)
        table.expire(now)
        heir, record = table.heirs.get(int(id)), table.records.get(int(id))
        if heir is not None:
            return "merged", str(heir)
        if record is None:
            return "purged", None
        return ("live" if record.archived_at is None else "deleted"), None

    def _namesakes(self) -> list[tuple[object, ...]]:
        """Return a trap for each person who shares the full name with somebody else."""
        same: defaultdict[str, list[Person]] = defaultdict(list)
        for person in self.population.people:
            same[person.name].append(person)
        return [
            ("same_full_name", "", "", "", person.id, person.born_at, name)
            for name, people in same.items()
            if len(people) > 1
            for person in people
        ]

    def _single_threaded(self) -> list[tuple[object, ...]]:
        """Return the customers of which one person only is a live contact."""
        contacts: Counter[str] = Counter()
        for row in self.org.rows("Contact"):
            if not row["IsDeleted"] and row["AccountId"]:
                contacts[row["AccountId"]] += 1
        return [
            ("single_threaded", "organization", o.id, o.account_ids[0], None, None, 1.0, "")
            for o in self.crm.customers
            if sum(contacts[account] for account in o.account_ids) == 1
        ]
