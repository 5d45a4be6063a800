"""The people and organizations that really exist, before any system records them.

Belongs here: who there is, what they are called, where they work.
Does not belong here: the records of them, with their mistakes (`sandbox.crm_life`,
`sandbox.forum_life`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random

from sandbox import names
from sandbox.rates import Rates

OWN_DOMAINS = ("harborlooms.example", "harborlooms-europe.example")
COMPANY = "Harbor Looms"


@dataclass(slots=True, eq=False)
class Organization:
    """A real organization.

    Attributes:
        style: how its mail addresses are made of names.
        weight: how much more than others it is in touch.
        single: only one of its people is ever written down as a contact.
        account_ids: its live accounts in the CRM, oldest first; `contact_ids` likewise.
        quiet_from: when all its people fall silent.
        loyal: renews as long as it is not quiet.
    """

    id: str
    name: str
    domain: str
    kind: str
    style: int
    weight: float
    switchboard: str
    founded_at: datetime
    parent: Organization | None = None
    single: bool = False
    account_ids: list[str] = field(default_factory=list)
    owner: str = ""
    people: list[Person] = field(default_factory=list)
    contact_ids: list[str] = field(default_factory=list)
    tier: str | None = None
    renewal: date | None = None
    amount: float = 0.0
    quiet_from: datetime | None = None
    churned: bool = False
    loyal: bool = False

    def quiet(self, at: datetime) -> bool:
        """Whether nobody of it lets anything be heard any more."""
        return self.churned or (self.quiet_from is not None and at >= self.quiet_from)


@dataclass(slots=True, eq=False)
class Person:
    """A real person.

    Attributes:
        given, family: in Latin letters; `home`: the whole name as written at home.
        work_email: at the present employer, or None; `private_email`: at a provider.
        contact_ids, forum_ids: live records, oldest first.
        asks, answers: how much more than others, 1 is ordinary.
        forum_until: when the person loses interest in the forum.
    """

    id: str
    kind: str
    given: str
    family: str
    home: str
    work_email: str | None
    private_email: str
    phone: str
    title: str
    organization: Organization | None
    born_at: datetime
    is_staff: bool = False
    role: str = ""
    user_id: str = ""
    contact_ids: list[str] = field(default_factory=list)
    lead_id: str = ""
    forum_ids: list[int] = field(default_factory=list)
    asks: float = 1.0
    answers: float = 1.0
    forum_until: datetime | None = None
    quiet_from: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        return self.work_email or self.private_email

    def quiet(self, at: datetime) -> bool:
        """Whether the person, or everybody around them, has fallen silent."""
        if self.quiet_from is not None and at >= self.quiet_from:
            return True
        return self.organization is not None and self.organization.quiet(at)


class Population:
    """Everybody, and how more of them come to be."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.people: list[Person] = []
        self.organizations: list[Organization] = []
        self._domains: set[str] = set(OWN_DOMAINS)
        self._addresses: set[str] = set()
        self.memberships: list[tuple[Person, Organization, datetime, datetime | None]] = []
        self._of_kind: defaultdict[str, list[Organization]] = defaultdict(list)
        self._employed_by: dict[str, int] = {}
        """Person -> which of the memberships is the one that goes on."""
        self._silent: tuple[datetime, frozenset[Organization]] | None = None

    def new_organization(
        self, rng: Random, at: datetime, *, kind: str = "customer"
    ) -> Organization:
        """Let an organization come to be; its domain is its own."""
        name = names.company_name(rng)
        domain, number = names.domain_of(name), 1
        while domain in self._domains:
            number += 1
            domain = names.domain_of(name).replace(".example", f"{number}.example")
        self._domains.add(domain)
        organization = Organization(
            id=f"o{len(self.organizations) + 1:05d}",
            name=name,
            domain=domain,
            kind=kind,
            style=rng.choice((0, 0, 0, 1, 2, 3)),
            weight=rng.paretovariate(1.4),
            switchboard=names.phone_number(rng),
            founded_at=at,
            single=rng.random() < self.rates.single_contact_organizations,
            tier=rng.choice(("Gold", "Silver", "Silver", "Bronze", "Bronze", None)),
            amount=round(rng.lognormvariate(9.2, 0.8), 2),
        )
        parents = (o for o in self.organizations if o.account_ids and o.parent is None)
        if kind == "customer":
            first = next(parents, None)
            if first is not None and rng.random() < self.rates.subsidiaries:
                organization.parent = rng.choice([first, *parents])
        self.organizations.append(organization)
        self._of_kind[kind].append(organization)
        return organization

    def founded_as(self, kind: str) -> Sequence[Organization]:
        """Return the organizations that were of this kind when they came to be."""
        return self._of_kind[kind]

    def new_person(
        self,
        rng: Random,
        at: datetime,
        *,
        kind: str,
        organization: Organization | None,
        is_staff: bool = False,
    ) -> Person:
        """Let a person come to be; now and then with somebody else's name."""
        given, family, home = names.person_name(rng)
        if self.people and rng.random() < self.rates.same_full_name:
            twin = rng.choice(self.people)
            given, family, home = twin.given, twin.family, twin.home
        person = Person(
            id=f"p{len(self.people) + 1:06d}",
            kind=kind,
            given=given,
            family=family,
            home=home,
            work_email=None,
            private_email=self._private_address(rng, given, family),
            phone=names.phone_number(rng),
            title=rng.choice(names.TITLES),
            organization=None,
            born_at=at,
            is_staff=is_staff,
            asks=rng.paretovariate(1.5),
            answers=rng.paretovariate(1.1) if rng.random() < 0.3 else 0.15,
        )
        self.people.append(person)
        if is_staff:
            domain = OWN_DOMAINS[rng.random() < 0.2]
            person.work_email = self._address(given, family, 0, domain)
        elif organization is not None:
            self.employ(person, organization, at)
        return person

    def employ(self, person: Person, organization: Organization, at: datetime) -> None:
        """Let a person begin at an organization, and end where they were before."""
        if person.organization is not None:
            index = self._employed_by[person.id]
            who, where, since, _ = self.memberships[index]
            self.memberships[index] = (who, where, since, at)
            where.people.remove(person)
        self._employed_by[person.id] = len(self.memberships)
        self.memberships.append((person, organization, at, None))
        organization.people.append(person)
        person.organization = organization
        person.work_email = self._address(
            person.given, person.family, organization.style, organization.domain
        )

    def heard(self, people: Iterable[Person], at: datetime) -> list[Person]:
        """Return those of the people who have not fallen silent, in the same order."""
        if self._silent is None or self._silent[0] != at:
            self._silent = at, frozenset(o for o in self.organizations if o.quiet(at))
        silent = self._silent[1]
        return [
            person
            for person in people
            if person.organization not in silent
            and (person.quiet_from is None or at < person.quiet_from)
        ]

    def _address(self, given: str, family: str, style: int, domain: str) -> str:
        local = names.local_part(given, family, style)
        address, number = f"{local}@{domain}", 1
        while address in self._addresses:
            number += 1
            address = f"{local}{number}@{domain}"
        self._addresses.add(address)
        return address

    def _private_address(self, rng: Random, given: str, family: str) -> str:
        local = names.local_part(given, family, rng.choice((0, 0, 1, 2)))
        domain = rng.choice(names.FREE_MAIL)
        address = f"{local}@{domain}"
        while address in self._addresses:
            address = f"{local}{rng.randrange(1, 999)}@{domain}"
        self._addresses.add(address)
        return address
