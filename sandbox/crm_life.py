"""What happens in the CRM: records made with their mistakes, calls, meetings, cases, deals.

Belongs here: everything staff and integrations write to the Salesforce organization.
Does not belong here: what a write does there (`sandbox.salesforce`), who the people
are (`sandbox.people`), how often things happen (`sandbox.rates`).
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

from sandbox import names, texts
from sandbox.people import COMPANY, Organization, Person, Population
from sandbox.rates import Rates
from sandbox.salesforce import ApiError, Org
from sandbox.timeline import DAY, Dice, Lottery, Timeline
from sandbox.truth import Truth

STAGES = ("Prospecting", "Proposal/Price Quote", "Negotiation/Review")
ODD_DATES = (date(1970, 1, 1), date(1900, 1, 1), date(2199, 12, 31))
ODD_HEALTH = ("n/a", "=1+1", "ÄÖÜ \N{EM DASH} gut", "0", "  green ", "unknown")

WAITING_TWINS = 8
"""How many duplicates and test records lie about before the oldest is cleared away."""

CUSTOM_FIELDS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "Account",
        {"name": "Tier__c", "type": "picklist", "picklistValues": ["Gold", "Silver", "Bronze"]},
    ),
    ("Account", {"name": "Renewal_Date__c", "type": "date"}),
    (
        "Account",
        {"name": "Renewal_Amount__c", "type": "currency", "precision": 16, "scale": 2},
    ),
    ("Account", {"name": "Remarks__c", "type": "string", "length": 255}),
    (
        "Account",
        {
            "name": "Open_Cases__c",
            "type": "double",
            "precision": 18,
            "scale": 0,
            "calculated": True,
        },
    ),
    ("Contact", {"name": "Community_Handle__c", "type": "string", "length": 80}),
    ("Contact", {"name": "Forum_SSO_Id__c", "type": "string", "length": 40, "externalId": True}),
)

SUBSCRIPTION = "Subscription__c"
SUBSCRIPTION_FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "Account__c", "type": "reference", "referenceTo": ["Account"], "label": "Account"},
    {"name": "Plan__c", "type": "picklist", "picklistValues": ["Studio", "Mill", "Guild"]},
    {"name": "Seats__c", "type": "double", "precision": 18, "scale": 0},
    {"name": "Monthly_Price__c", "type": "currency", "precision": 16, "scale": 2},
    {"name": "Starts_On__c", "type": "date"},
    {"name": "Auto_Renews__c", "type": "boolean"},
)
"""A custom object of the company's: what a customer subscribes to."""


class CrmLife:
    """Life in the CRM.

    Args:
        org: where it is written.
        staff: everybody who works here, chosen from by role.
    """

    def __init__(
        self,
        org: Org,
        timeline: Timeline,
        population: Population,
        truth: Truth,
        rates: Rates,
    ) -> None:
        self.org = org
        self.time = timeline
        self.population = population
        self.truth = truth
        self.rates = rates
        self.staff: list[Person] = []
        self.person_of: dict[str, Person] = {}
        self.customers: list[Organization] = []
        self.openings: Lottery[Organization] = Lottery()
        self._crews: dict[tuple[str, ...], list[Person]] = {}
        self._listed_at: dict[str, Organization] = {}
        """Contact -> the organization that it is a contact of."""
        self._duplicates: list[tuple[Person, str]] = []
        self._junk: list[str] = []
        self._binned_junk: list[tuple[datetime, str]] = []
        self._open_cases: dict[str, int] = {}
        for sobject, described in CUSTOM_FIELDS:
            org.add_custom_field(sobject, described)
        org.add_custom_object(SUBSCRIPTION, prefix="a0B")
        for described in SUBSCRIPTION_FIELDS:
            org.add_custom_field(SUBSCRIPTION, described)

    # Staff

    def hire(self, at: datetime, person: Person, *, role: str) -> None:
        """Make a user of somebody who works here."""
        person.role = role
        number = len(self.staff)
        zones = ("America/New_York", "Europe/London", "America/Los_Angeles", "GMT")
        person.user_id = self.org.insert(
            "User",
            {
                "Username": person.email,
                "Email": person.email,
                "FirstName": person.given,
                "LastName": person.family,
                "Title": role.title(),
                "Department": role.title(),
                "CompanyName": COMPANY,
                "Alias": f"u{number:04d}",
                "CommunityNickname": f"staff{number}",
                "TimeZoneSidKey": zones[number % 4],
            },
            at,
        )
        self.staff.append(person)
        self._crews.clear()
        self.person_of[person.user_id] = person
        self.truth.profile("salesforce", "users", person.user_id, person.id, at)

    def leave_staff(self, at: datetime, person: Person) -> None:
        """Deactivate a user, who goes on owning accounts."""
        self.org.update("User", person.user_id, {"IsActive": False}, at)
        self.staff.remove(person)
        self._crews.clear()
        self.truth.trap("inactive_owner", "salesforce", "users", person.user_id, person.id, at)

    def _one_of(self, *roles: str) -> str:
        crew = self._crews.get(roles)
        if crew is None:
            crew = [person for person in self.staff if person.role in roles] or self.staff
            self._crews[roles] = crew
        return self.time.rng.choice(crew).user_id

    # Accounts

    def open_account(self, at: datetime, organization: Organization) -> None:
        """Write an organization down as an account."""
        rng, time = self.time.rng, self.time
        owner = self._one_of("sales")
        if time.chance(self.rates.records_owned_by_integration):
            owner = self.org.user_id
        organization.owner = owner
        inherited = owner == self.org.user_id
        fields: dict[str, Any] = {
            "Name": organization.name,
            "Type": {
                "customer": "Customer - Direct",
                "partner": "Channel Partner / Reseller",
            }.get(organization.kind, "Other"),
            "Website": _website(organization.domain, rng.randrange(4)),
            "Phone": names.written_phone(organization.switchboard, rng),
            "Industry": rng.choice(names.INDUSTRIES),
            "OwnerId": owner,
        }
        if organization.parent is not None and organization.parent.account_ids:
            fields["ParentId"] = organization.parent.account_ids[0]
        if organization.kind == "customer":
            if organization.renewal is None:
                organization.renewal = (at + timedelta(days=rng.randrange(40, 365))).date()
            fields |= {
                "Tier__c": organization.tier,
                "Renewal_Date__c": organization.renewal,
                "Renewal_Amount__c": organization.amount,
            }
        if time.chance(0.03):
            fields["Remarks__c"] = rng.choice(ODD_HEALTH)
        account = self.org.insert("Account", fields, at)
        organization.account_ids.append(account)
        self._note_account(account, organization, at)
        if inherited:
            self.truth.trap(
                "owned_by_integration", "salesforce", "accounts", account, organization.id, at
            )
        if organization.kind == "customer":
            self.customers.append(organization)
            self.reconsider(organization)
            self._await_renewal(at, organization)
            self._subscribe(at, account, owner)

    def reconsider(self, organization: Organization) -> None:
        """Note whether a customer has room for one more person, and how likely one comes."""
        if organization.kind == "customer":
            full = organization.churned or (organization.single and bool(organization.people))
            self.openings.put(organization, 0.0 if full else min(organization.weight, 7.0))

    def _subscribe(self, at: datetime, account: str, owner: str) -> None:
        """Write down what a customer subscribes to: some to nothing, some twice."""
        dice = random.Random(f"subscriptions of {account}")
        for number in range(dice.choice((0, 1, 1, 1, 2))):
            self.org.insert(
                SUBSCRIPTION,
                {
                    "Name": f"Subscription {number + 1}",
                    "OwnerId": owner,
                    "Account__c": account,
                    "Plan__c": dice.choice(("Studio", "Studio", "Mill", "Guild")),
                    "Seats__c": dice.randrange(1, 60),
                    "Monthly_Price__c": f"{dice.randrange(900, 90_000) / 100:.2f}",
                    "Starts_On__c": at.date(),
                    "Auto_Renews__c": dice.random() < 0.7,
                },
                at,
            )

    def _note_account(self, account: str, organization: Organization, at: datetime) -> None:
        self.truth.profile(
            "salesforce", "accounts", account, organization.id, at, entity="organization"
        )

    def duplicate_account(self, at: datetime, organization: Organization) -> None:
        """Write the organization down once more; the two are merged later."""
        name = organization.name
        other = name.removesuffix(" Ltd") if name.endswith(" Ltd") else f"{name.upper()} Ltd."
        account = self.org.insert(
            "Account",
            {"Name": other, "Website": organization.domain, "OwnerId": self._one_of("sales")},
            at,
        )
        organization.account_ids.append(account)
        self._note_account(account, organization, at)
        self.truth.trap("duplicate_account", "salesforce", "accounts", account, organization.id, at)
        self.time.at(at + self.time.waits(20), self._merge_account, organization, account)

    def _merge_account(self, at: datetime, organization: Organization, loser: str) -> None:
        master = organization.account_ids[0]
        if master != loser and self._alive("Account", master) and self._alive("Account", loser):
            self.org.merge("Account", master, [loser], at)
            organization.account_ids.remove(loser)

    def change_tier(self, at: datetime, organization: Organization) -> None:
        """Give a customer another tier: a custom field changes."""
        other = [tier for tier in ("Gold", "Silver", "Bronze") if tier != organization.tier]
        organization.tier = self.time.rng.choice(other)
        self._update("Account", organization.account_ids[0], {"Tier__c": organization.tier}, at)

    # Contacts and leads

    def add_contact(self, at: datetime, person: Person) -> None:
        """Write a person down as a contact, with what goes wrong when people type."""
        organization = person.organization
        if organization is None or not organization.account_ids:
            return
        if organization.single and organization.contact_ids:
            return
        rng, time, rates = self.time.rng, self.time, self.rates
        fields, traps = self._as_typed(person)
        fields |= {
            "Title": person.title,
            "LeadSource": rng.choice(("Web", "Phone Inquiry", "Partner Referral", "Other", None)),
            "OwnerId": organization.owner,
            "HasOptedOutOfEmail": time.chance(0.06),
        }
        if time.chance(rates.contact_without_account) and not organization.single:
            traps.append("contact_without_account")
        else:
            fields["AccountId"] = organization.account_ids[0]
        contact = self._insert_contact(at, person, fields, traps)
        self._list(contact, organization)
        if time.chance(rates.duplicate_contact) and not organization.single:
            time.at(at + time.waits(40), self.duplicate_contact, person)
        if time.chance(rates.deleted_contact) and not organization.single:
            time.at(at + time.waits(120), self._delete_contact, person, contact)

    def _insert_contact(
        self, at: datetime, person: Person, fields: Mapping[str, Any], traps: list[str]
    ) -> str:
        contact = self.org.insert("Contact", fields, at)
        person.contact_ids.append(contact)
        self.person_of[contact] = person
        self.truth.profile("salesforce", "contacts", contact, person.id, at)
        for trap in traps:
            self.truth.trap(trap, "salesforce", "contacts", contact, person.id, at)
        return contact

    def _as_typed(self, person: Person) -> tuple[dict[str, Any], list[str]]:
        """Return name, e-mail and phone fields as somebody typed them, and what is wrong."""
        rng, rates, chance = self.time.rng, self.rates, self.time.chance
        traps: list[str] = []
        given: str | None = person.given
        family = person.family
        trap = self._one_in(
            (rates.name_nickname, "nickname"),
            (rates.name_typo, "name_typo"),
            (rates.name_swapped, "name_swapped"),
            (rates.name_initial, "name_initial"),
            (rates.name_odd_case, "name_odd_case"),
            (rates.name_without_given, "name_without_given"),
        )
        if trap == "nickname" and person.given in names.NICKNAMES:
            given = names.NICKNAMES[person.given]
        elif trap == "name_typo":
            family = names.mistyped(family, rng)
        elif trap == "name_swapped":
            given, family = family, person.given
        elif trap == "name_initial":
            given = f"{person.given[0]}."
        elif trap == "name_odd_case":
            given, family = person.given.lower(), family.upper()
        elif trap == "name_without_given":
            given = None
        else:
            trap = ""
        if trap:
            traps.append(trap)
        email, email_trap = self._typed_email(person)
        if email_trap:
            traps.append(email_trap)
        fields: dict[str, Any] = {"FirstName": given, "LastName": family, "Email": email}
        draw = rng.random()
        if draw < rates.phone_direct:
            fields["Phone"] = names.written_phone(person.phone, rng)
        elif draw < rates.phone_direct + rates.phone_switchboard and person.organization:
            fields["Phone"] = names.written_phone(person.organization.switchboard, rng)
            traps.append("phone_switchboard")
        elif draw < rates.phone_direct + rates.phone_switchboard + rates.phone_placeholder:
            fields["Phone"] = rng.choice(names.PLACEHOLDER_PHONES)
            traps.append("phone_placeholder")
        if chance(0.25):
            fields["MobilePhone"] = names.written_phone(person.phone, rng)
        return fields, traps

    def _typed_email(self, person: Person) -> tuple[str | None, str]:
        rng, rates = self.time.rng, self.rates
        trap = self._one_in(
            (rates.email_missing, "email_missing"),
            (rates.email_role, "email_role"),
            (rates.email_placeholder, "email_placeholder"),
            (rates.email_typo, "email_typo"),
            (rates.email_upper_case, "email_case"),
            (rates.email_private, "email_private"),
        )
        domain = person.organization.domain if person.organization else "gmx.de"
        typed: dict[str, str | None] = {
            "": person.email,
            "email_missing": None,
            "email_role": f"{rng.choice(names.ROLE_MAILBOXES)}@{domain}",
            "email_placeholder": rng.choice(names.PLACEHOLDER_EMAILS),
            "email_typo": names.mistyped_email(person.email, rng),
            "email_case": rng.choice((person.email.title(), person.email.upper())),
            "email_private": person.private_email,
        }
        return typed[trap], trap

    def _one_in(self, *shares: tuple[float, str]) -> str:
        """Return at most one of the labels, each in its share of the calls."""
        draw = self.time.rng.random()
        for share, label in shares:
            draw -= share
            if draw < 0:
                return label
        return ""

    def duplicate_contact(self, at: datetime, person: Person) -> None:
        """Write a person down a second time; most pairs are merged later, some in chains."""
        live = self.live_contact(person)
        if live is None or person.organization is None or not person.organization.account_ids:
            return
        fields, traps = self._as_typed(person)
        fields |= {
            "AccountId": person.organization.account_ids[0],
            "OwnerId": self._one_of("sales", "support"),
            "Title": person.title,
        }
        twin = self._insert_contact(at, person, fields, ["duplicate_contact", *traps])
        self._list(twin, person.organization)
        self._duplicates.append((person, twin))
        if self.time.chance(self.rates.duplicate_merged):
            later = at + self.time.waits(40)
            self.time.at(later, self._merge_contact, person, live, twin)
            if self.time.chance(0.3):
                self.time.at(later + timedelta(days=2), self._merge_again, person)

    def _merge_contact(self, at: datetime, person: Person, master: str, loser: str) -> None:
        if not (self._alive("Contact", master) and self._alive("Contact", loser)):
            return
        self.org.merge("Contact", master, [loser], at)
        self.truth.trap("merged_contact", "salesforce", "contacts", loser, person.id, at, master)
        self._forget_contact(person, loser)

    def _merge_again(self, at: datetime, person: Person) -> None:
        """Merge the winner of a merge into yet another record of the same person."""
        winner = self.live_contact(person)
        organization = person.organization
        if winner is None or organization is None or not organization.account_ids:
            return
        fields, traps = self._as_typed(person)
        fields["AccountId"] = organization.account_ids[0]
        third = self._insert_contact(at, person, fields, ["duplicate_contact", *traps])
        self._list(third, organization)
        self.truth.trap("merge_chain", "salesforce", "contacts", winner, person.id, at, third)
        self.time.at(at + DAY, self._merge_contact, person, third, winner)

    def _delete_contact(self, at: datetime, person: Person, contact: str) -> None:
        """Delete a contact, and perhaps restore it, or purge it for good."""
        if not self._alive("Contact", contact):
            return
        try:
            self.org.delete("Contact", contact, at)
        except ApiError:  # a contact with cases stays
            return
        self.truth.trap("deleted_contact", "salesforce", "contacts", contact, person.id, at)
        draw = self.time.rng.random()
        if draw < self.rates.deleted_then_restored:
            self.time.at(at + timedelta(days=3), self._restore_contact, person, contact)
            return
        self._forget_contact(person, contact)
        if draw < self.rates.deleted_then_restored + self.rates.deleted_then_purged:
            self.time.at(at + timedelta(days=5), self._purge_contact, person, contact)

    def _restore_contact(self, at: datetime, person: Person, contact: str) -> None:
        if self._alive("Contact", contact):
            return
        self.org.undelete("Contact", contact, at)
        self.truth.trap("restored_contact", "salesforce", "contacts", contact, person.id, at)

    def _purge_contact(self, at: datetime, person: Person | None, contact: str) -> None:
        self.org.purge("Contact", contact, at)
        true_id = None if person is None else person.id
        self.truth.trap("purged_contact", "salesforce", "contacts", contact, true_id, at)

    def _forget_contact(self, person: Person, contact: str) -> None:
        person.contact_ids.remove(contact)
        self._unlist(contact)

    def add_lead(self, at: datetime, person: Person) -> None:
        """Write a person down as a lead; some are converted."""
        rng, time = self.time.rng, self.time
        fields, traps = self._as_typed(person)
        organization = person.organization
        company = organization.name if organization else "(private)"
        if organization is not None and time.chance(0.15):
            company = company.lower()
        fields |= {
            "Company": company,
            "Title": "Editor" if person.kind == "press" else person.title,
            "LeadSource": rng.choice(("Web", "Phone Inquiry", "Purchased List", "Other")),
            "OwnerId": self._one_of("sales"),
            "Description": "" if person.kind == "prospect" else f"Not a sale: {person.kind}.",
        }
        lead = person.lead_id = self.org.insert("Lead", fields, at)
        self.person_of[lead] = person
        self.truth.profile("salesforce", "leads", lead, person.id, at)
        for trap in traps:
            self.truth.trap(trap, "salesforce", "leads", lead, person.id, at)
        if person.kind != "prospect":
            self.truth.trap(
                "lead_not_prospect", "salesforce", "leads", lead, person.id, at, person.kind
            )
        time.at(at + time.waits(4), self._work_lead, lead)
        if person.kind == "prospect" and organization and time.chance(self.rates.lead_converted):
            time.at(at + time.waits(35), self.convert_lead, person)

    def _work_lead(self, at: datetime, lead: str) -> None:
        row = self.org.table("Lead").rows.get(lead)
        if row is None or row["IsConverted"] or row["IsDeleted"]:
            return
        self.org.update("Lead", lead, {"Status": "Working - Contacted"}, at, by=row["OwnerId"])
        self._task(at, row["OwnerId"], who=lead, what=None, inbound=False)

    def convert_lead(self, at: datetime, person: Person) -> None:
        """Convert a lead: into an account that is there, or one made for it."""
        row = self.org.table("Lead").rows.get(person.lead_id)
        organization = person.organization
        if row is None or row["IsConverted"] or row["IsDeleted"] or organization is None:
            return
        known = organization.account_ids[0] if organization.account_ids else None
        made = self.org.convert_lead(
            person.lead_id,
            at,
            account_id=known,
            opportunity={"Amount": organization.amount, "Type": "New Customer"},
            by=row["OwnerId"],
        )
        contact, account = str(made["contact_id"]), str(made["account_id"])
        person.contact_ids.append(contact)
        self.person_of[contact] = person
        self._list(contact, organization)
        self.truth.profile("salesforce", "contacts", contact, person.id, at)
        self.truth.trap("converted_lead", "salesforce", "leads", person.lead_id, person.id, at)
        if known is None:
            organization.account_ids.append(account)
            organization.kind = "customer"
            organization.owner = row["OwnerId"]
            self._note_account(account, organization, at)
            self.customers.append(organization)
            self.reconsider(organization)
            organization.renewal = (at + timedelta(days=365)).date()
            self._await_renewal(at, organization)
        deal = str(made["opportunity_id"])
        self._advance_deal(at, deal, organization)

    def change_employer(self, at: datetime, person: Person, new: Organization) -> None:
        """Let somebody move: a new contact, the old one stays, its mailbox may be reissued."""
        old, old_email = person.organization, person.work_email
        if old is None or old is new or not new.account_ids:
            return
        contact = self.live_contact(person)
        self.population.employ(person, new, at)
        if contact is not None:
            if self._listed_at.get(contact) is old:
                self._unlist(contact)
            if self.time.chance(0.5):
                self.time.at(at + timedelta(days=9), self._note_departure, contact)
        self.time.at(at + timedelta(days=3), self._arrive_at_new_employer, person, new)
        if old_email and not old.single and self.time.chance(self.rates.mailbox_reissued):
            self.time.at(at + self.time.waits(30), self._reissue, old, old_email)

    def _note_departure(self, at: datetime, contact: str) -> None:
        note = {"Title": "No longer with the company", "Description": "left"}
        self._update("Contact", contact, note, at)

    def _arrive_at_new_employer(self, at: datetime, person: Person, new: Organization) -> None:
        fields, traps = self._as_typed(person)
        fields |= {
            "AccountId": new.account_ids[0],
            "OwnerId": new.owner,
            "Title": person.title,
            "Email": person.work_email,
        }
        traps = [trap for trap in traps if not trap.startswith("email_")]
        self._list(self._insert_contact(at, person, fields, ["employer_change", *traps]), new)

    def _reissue(self, at: datetime, organization: Organization, email: str) -> None:
        """Give the mailbox of somebody who left to somebody new."""
        heir = self.population.new_person(
            self.time.rng, at, kind=organization.kind, organization=organization
        )
        heir.work_email = email
        fields = {
            "FirstName": heir.given,
            "LastName": heir.family,
            "Email": email,
            "AccountId": organization.account_ids[0],
            "OwnerId": organization.owner,
            "Title": heir.title,
        }
        contact = self._insert_contact(at, heir, fields, ["mailbox_reissued"])
        self._list(contact, organization)

    def volunteer_handle(self, at: datetime, person: Person, username: str) -> None:
        """Write down the forum handle that somebody gave us."""
        contact = self.live_contact(person)
        if contact is None:
            return
        rng = self.time.rng
        handle = rng.choice((username, username, f"@{username}", username.upper()))
        trap = "handle_volunteered"
        if self.time.chance(self.rates.handle_wrong):
            handle, trap = names.mistyped(username, rng), "handle_wrong"
        self.org.update("Contact", contact, {"Community_Handle__c": handle}, at)
        self.truth.trap(trap, "salesforce", "contacts", contact, person.id, at, username)

    # Calls, mails and meetings

    def plan_day(self, midnight: datetime) -> None:
        """Plan a working day: who is called, met, and complains."""
        time, rates = self.time, self.rates
        active = [o for o in self.customers if o.account_ids and not o.churned]
        if not active:
            return
        cumulative = list(accumulate(min(o.weight, 6.0) for o in active))

        def some() -> Organization:
            return active[bisect(cumulative, time.rng.random() * cumulative[-1])]

        weekday = midnight.weekday() < 5
        pace = 1.25 if weekday else 0.12
        # Sales calls more in the last days of a quarter.
        quarter_end = (midnight + timedelta(days=5)).month != midnight.month
        push = rates.quarter_end_factor if quarter_end and midnight.month % 3 == 0 else 1.0
        for _ in range(time.poisson(rates.tasks * len(active) * pace * push)):
            time.at(time.office_hour(midnight), self._contact_customer, some())
        for _ in range(time.poisson(rates.meetings * len(active) * pace)):
            time.at(time.office_hour(midnight), self._arrange_meeting, some())
        for _ in range(time.poisson(rates.cases * len(active) * pace)):
            time.at(time.office_hour(midnight), self.open_case, some())
        for _ in range(time.poisson(0.0006 * len(active) * pace)):
            time.at(time.office_hour(midnight), self._open_upgrade, some())
        for seconds in range(6):
            time.at(midnight + timedelta(hours=23, minutes=57, seconds=seconds), self._nightly)

    def _contact_customer(self, at: datetime, organization: Organization) -> None:
        inbound = self.time.chance(0.3)
        if organization.quiet(at) and (inbound or self.time.chance(0.6)):
            return
        who = self._some_contact(organization)
        if self.time.chance(self.rates.task_without_person):
            who = None
        owner = self._owner_of(organization)
        self._task(at, owner, who=who, what=organization.account_ids[0], inbound=inbound)

    def _task(
        self, at: datetime, owner: str, *, who: str | None, what: str | None, inbound: bool
    ) -> str:
        rng, time = self.time.rng, self.time
        call = time.chance(0.55)
        day = at.date()
        subject = f"{'Call' if call else 'Email'}: {rng.choice(texts.THINGS)}"
        fields: dict[str, Any] = {
            "Subject": subject,
            "WhoId": who,
            "WhatId": what,
            "OwnerId": owner,
            "Status": "Completed",
            "TaskSubtype": "Call" if call else "Email",
            "Type": "Call" if call else "Email",
            "ActivityDate": day,
        }
        if call:
            fields["CallType"] = "Inbound" if inbound else "Outbound"
            fields["CallDurationInSeconds"] = rng.randrange(20, 1800)
        elif inbound:
            fields["Subject"] = f"Email: Re: {rng.choice(texts.THINGS)}"
        if time.chance(0.06):
            fields |= {
                "Status": "Not Started",
                "ActivityDate": day + timedelta(days=rng.randrange(30)),
            }
        odd = time.chance(self.rates.odd_activity_date)
        if odd:
            fields["ActivityDate"] = rng.choice(ODD_DATES)
        elif time.chance(0.01):
            fields["ActivityDate"] = None
        task = self.org.insert("Task", fields, at, by=owner)
        dice = Dice(random.Random(f"{time.seed}/{task}/others"))
        if who is not None and dice.chance(self.rates.task_with_others):
            for contact in self._others(dice, who):
                related = {"TaskId": task, "RelationId": contact}
                self.org.insert("TaskRelation", related, at, by=owner)
        if fields["Status"] != "Completed" and fields["ActivityDate"] and not odd:
            self._plan_finish(at, task, fields["ActivityDate"])
        if odd:
            self.truth.trap(
                "odd_activity_date",
                "salesforce",
                "tasks",
                task,
                None,
                at,
                str(fields["ActivityDate"]),
            )
        return task

    def _plan_finish(self, at: datetime, task: str, due: date) -> None:
        """Let a planned task be done around its day, in time or late, or never."""
        dice = Dice(random.Random(f"{self.time.seed}/{task}"))
        if dice.chance(self.rates.promise_kept_at_all):
            done = _midday(due) + timedelta(hours=dice.rng.gauss(0, 30))
            self.time.at(max(done, at + timedelta(hours=1)), self._finish_task, task)

    def _finish_task(self, at: datetime, task: str) -> None:
        self._update("Task", task, {"Status": "Completed"}, at)

    def _arrange_meeting(self, at: datetime, organization: Organization) -> None:
        if organization.quiet(at):
            return
        rng, time = self.time.rng, self.time
        day = at.replace(hour=0, minute=0, second=0) + timedelta(days=rng.randrange(1, 22))
        start = day + timedelta(minutes=30 * rng.randrange(16, 34))
        owner = self._owner_of(organization)
        fields = {
            "Subject": rng.choice(("Review", "Demo", "On-site visit", "Training", "Check-in")),
            "StartDateTime": start,
            "DurationInMinutes": rng.choice((30, 30, 60, 90)),
            "WhoId": self._some_contact(organization),
            "WhatId": organization.account_ids[0],
            "OwnerId": owner,
            "Type": "Meeting",
            "Location": rng.choice(("Video", "Phone", "Their office", None)),
        }
        if time.chance(0.05):
            fields |= {"IsAllDayEvent": True, "StartDateTime": day, "DurationInMinutes": 1440}
        event = self.org.insert("Event", fields, at, by=owner)
        self._ask_others(at, event, start)
        if time.chance(self.rates.meeting_cancelled):
            time.at(at + (start - at) / 2, self._cancel_meeting, event)

    def _ask_others(self, at: datetime, event: str, start: datetime) -> None:
        """Invite further people of the customer, and colleagues, to a meeting.

        On dice of its own, so that nothing else in the world depends on it.
        """
        rates, row = self.rates, self.org.get("Event", event)
        dice = Dice(random.Random(f"{self.time.seed}/{event}/others"))
        guests = []
        if row["WhoId"] is not None and dice.chance(rates.meeting_with_others):
            guests += self._others(dice, row["WhoId"])
        colleagues = [p.user_id for p in self.staff if p.user_id != row["OwnerId"]]
        if colleagues and dice.chance(rates.meeting_with_colleague):
            guests.append(dice.rng.choice(colleagues))
        for guest in guests:
            asked = {"EventId": event, "RelationId": guest, "IsInvitee": True}
            invitation = self.org.insert("EventRelation", asked, at, by=row["OwnerId"])
            answers, shares = zip(*rates.invitation_answered_by, strict=True)
            (answer,) = dice.rng.choices(answers, shares)
            soon = at + (start - at) * 0.3
            if answer != "New":
                self.time.at(soon, self._answer_invitation, invitation, answer)
            elif dice.chance(rates.taken_off_meeting):
                self.time.at(soon, self._take_off, invitation)

    def _others(self, dice: Dice, contact: str) -> list[str]:
        """Return one to three further contacts of the same organization, as far as there are."""
        organization = self._listed_at.get(contact)
        if organization is None:
            return []
        others = [c for c in organization.contact_ids if c != contact and self._alive("Contact", c)]
        return dice.rng.sample(others, min(len(others), dice.rng.randint(1, 3)))

    def _answer_invitation(self, at: datetime, invitation: str, answer: str) -> None:
        told = {"Status": answer, "RespondedDate": at}
        self._update("EventRelation", invitation, told, at)
        if answer == "Declined" and self._alive("EventRelation", invitation):
            self._trap_guest("declined_invitation", invitation, at)

    def _take_off(self, at: datetime, invitation: str) -> None:
        if self._alive("EventRelation", invitation):
            self._trap_guest("taken_off_meeting", invitation, at)
            self.org.delete("EventRelation", invitation, at)

    def _trap_guest(self, trap: str, invitation: str, at: datetime) -> None:
        guest = self.person_of.get(self.org.get("EventRelation", invitation)["RelationId"])
        true_id = guest.id if guest is not None else None
        self.truth.trap(trap, "salesforce", "event_relations", invitation, true_id, at)

    def _cancel_meeting(self, at: datetime, event: str) -> None:
        if self._alive("Event", event):
            self.org.delete("Event", event, at)

    def _nightly(self, at: datetime) -> None:
        """Let an integration write just before midnight, so that some rows show up late."""
        account = self.time.rng.choice(self.customers).account_ids[0]
        if self._alive("Account", account):
            open_cases = self._open_cases.get(account, 0)
            self.org.roll_up("Account", account, "Open_Cases__c", open_cases, at)

    # Cases

    def open_case(self, at: datetime, organization: Organization) -> None:
        """Let a customer ask for support."""
        if organization.quiet(at):
            return
        rng, time, rates = self.time.rng, self.time, self.rates
        contact = self._some_contact(organization)
        origin = rng.choice(("Email", "Email", "Web", "Phone"))
        owner = self._one_of("support")
        fields: dict[str, Any] = {
            "Subject": texts.case_subject(rng),
            "Description": texts.question(rng)[1],
            "Status": "New",
            "Origin": origin,
            "Priority": rng.choice(("High", "Medium", "Medium", "Low")),
            "OwnerId": owner,
        }
        if contact is None or time.chance(rates.case_without_contact):
            person = rng.choice(organization.people) if organization.people else None
            fields["SuppliedEmail"] = person.email if person else f"info@{organization.domain}"
            fields["SuppliedName"] = person.name if person else None
        else:
            fields |= {"ContactId": contact, "AccountId": organization.account_ids[0]}
        by = owner if origin == "Phone" else self.org.user_id
        case = self.org.insert("Case", fields, at, by=by)
        account = organization.account_ids[0]
        self._open_cases[account] = self._open_cases.get(account, 0) + 1
        wait = time.lognormal(2.5, 1.2)
        if organization.tier == "Gold":
            wait *= rates.best_tier_waits_factor
        answered = at + wait
        if time.chance(rates.case_handed_off):
            engineer = self._one_of("engineering")
            hand_off = answered + time.waits(0.5)
            time.at(answered, self._comment, case, owner, True)
            time.at(hand_off, self._hand_off, case, engineer)
            picked_up = hand_off + time.waits(rates.hand_off_delay_days)
            self.truth.effect(
                "slow_hand_off",
                "case",
                organization.id,
                native_id=case,
                since=hand_off,
                until=picked_up,
                value=round((picked_up - hand_off) / DAY, 3),
            )
            answered, owner = picked_up, engineer
        time.at(answered, self._comment, case, owner, True)
        when = answered
        for _ in range(time.poisson(0.75)):
            when += time.lognormal(9.0, 1.0)
            time.at(when, self._customer_writes, case)
            when += time.lognormal(4.0, 1.0)
            public = not time.chance(rates.private_comment)
            time.at(when, self._comment, case, owner, public)
        when += time.waits(1.0)
        time.at(when, self._close_case, case, account)
        if time.chance(rates.case_reopened):
            again = when + time.waits(3)
            time.at(again, self._reopen_case, case, account)
            time.at(again + time.waits(1), self._comment, case, owner, True)
            time.at(again + timedelta(days=4), self._close_case, case, account)

    def _comment(self, at: datetime, case: str, by: str, public: bool) -> None:
        if self._alive("Case", case):
            self.org.insert(
                "CaseComment",
                {
                    "ParentId": case,
                    "IsPublished": public,
                    "CommentBody": texts.comment(self.time.rng),
                },
                at,
                by=by,
            )
            if self.org.get("Case", case)["Status"] == "New":
                self.org.update("Case", case, {"Status": "Working"}, at, by=by)

    def _customer_writes(self, at: datetime, case: str) -> None:
        """Let a mail of the customer arrive: the integration's user writes the comment."""
        if self._alive("Case", case):
            contact = self.org.get("Case", case)["ContactId"]
            person = self.person_of.get(contact or "")
            sender = person.email if person is not None else "customer"
            body = f"From: {sender}\n\n{texts.thanks(self.time.rng)}"
            fields = {"ParentId": case, "IsPublished": True, "CommentBody": body}
            self.org.insert("CaseComment", fields, at)

    def _hand_off(self, at: datetime, case: str, to: str) -> None:
        self._update("Case", case, {"OwnerId": to, "Status": "Escalated", "IsEscalated": True}, at)

    def _close_case(self, at: datetime, case: str, account: str) -> None:
        if self._alive("Case", case) and not self.org.get("Case", case)["IsClosed"]:
            self._update("Case", case, {"Status": "Closed"}, at)
            self._open_cases[account] = max(0, self._open_cases.get(account, 0) - 1)

    def _reopen_case(self, at: datetime, case: str, account: str) -> None:
        if self._alive("Case", case) and self.org.get("Case", case)["IsClosed"]:
            self._update("Case", case, {"Status": "Working"}, at)
            self._open_cases[account] = self._open_cases.get(account, 0) + 1
            self.truth.trap("case_reopened", "salesforce", "cases", case, None, at)

    # Deals

    def _await_renewal(self, at: datetime, organization: Organization) -> None:
        assert organization.renewal is not None
        opens = _midday(organization.renewal) - timedelta(days=90)
        self.time.at(max(opens, at + timedelta(days=1)), self._open_renewal, organization)

    def _open_renewal(self, at: datetime, organization: Organization) -> None:
        if organization.churned or not organization.account_ids or organization.renewal is None:
            return
        deal = self.org.insert(
            "Opportunity",
            {
                "Name": f"{organization.name[:90]} renewal {organization.renewal.year}",
                "StageName": STAGES[0],
                "CloseDate": organization.renewal,
                "Amount": organization.amount,
                "Type": "Existing Customer - Replacement",
                "AccountId": organization.account_ids[0],
                "OwnerId": self._owner_of(organization),
            },
            at,
        )
        self._add_roles(at, deal, organization)
        decides = max(
            _midday(organization.renewal) + timedelta(days=self.time.rng.randrange(-10, 8)),
            at + DAY,
        )
        for stage, moment in zip(STAGES[1:], (0.4, 0.75), strict=True):
            self.time.at(at + (decides - at) * moment, self._set_stage, deal, stage)
        self.time.at(decides, self._decide_renewal, organization, deal)

    def _add_roles(self, at: datetime, deal: str, organization: Organization) -> None:
        roles = ("Decision Maker", "Economic Buyer", "Evaluator")
        contacts = [c for c in organization.contact_ids if self._alive("Contact", c)][:3]
        for index, contact in enumerate(contacts):
            self.org.insert(
                "OpportunityContactRole",
                {
                    "OpportunityId": deal,
                    "ContactId": contact,
                    "Role": roles[index],
                    "IsPrimary": index == 0,
                },
                at,
            )

    def _set_stage(self, at: datetime, deal: str, stage: str) -> None:
        if self._alive("Opportunity", deal):
            self._update("Opportunity", deal, {"StageName": stage}, at)

    def _decide_renewal(self, at: datetime, organization: Organization, deal: str) -> None:
        if not self._alive("Opportunity", deal) or not organization.account_ids:
            return
        assert organization.renewal is not None
        silent = organization.quiet_from is not None and at >= organization.quiet_from
        if not silent and (organization.loyal or self.time.chance(self.rates.renewal_won)):
            self._set_stage(at, deal, "Closed Won")
            organization.renewal = _next_year(organization.renewal)
            organization.amount = round(organization.amount * 1.05, 2)
            fields = {
                "Renewal_Date__c": organization.renewal,
                "Renewal_Amount__c": organization.amount,
            }
            self._update("Account", organization.account_ids[0], fields, at)
            self._await_renewal(at, organization)
            return
        self._set_stage(at, deal, "Closed Lost")
        if self.time.chance(0.25):
            self.time.at(at + timedelta(days=12), self._reopen_deal, organization, deal)
            return
        organization.churned = True
        self.reconsider(organization)
        self.truth.effect("churned", "organization", organization.id, since=at)
        self._update("Account", organization.account_ids[0], {"Tier__c": None}, at)

    def _reopen_deal(self, at: datetime, organization: Organization, deal: str) -> None:
        """Open a lost deal again and win it after all."""
        self._set_stage(at, deal, "Negotiation/Review")
        self.truth.trap("deal_reopened", "salesforce", "opportunities", deal, None, at)
        self.time.at(at + timedelta(days=9), self._set_stage, deal, "Closed Won")
        if organization.renewal is not None:
            organization.renewal = _next_year(organization.renewal)
            self._await_renewal(at, organization)

    def _open_upgrade(self, at: datetime, organization: Organization) -> None:
        if organization.quiet(at):
            return
        deal = self.org.insert(
            "Opportunity",
            {
                "Name": f"{organization.name[:90]} upgrade",
                "StageName": STAGES[0],
                "CloseDate": (at + timedelta(days=60)).date(),
                "Amount": round(organization.amount * 0.3, 2),
                "Type": "Existing Customer - Upgrade",
                "AccountId": organization.account_ids[0],
                "OwnerId": self._owner_of(organization),
            },
            at,
        )
        self._add_roles(at, deal, organization)
        self._advance_deal(at, deal, organization)

    def _advance_deal(self, at: datetime, deal: str, organization: Organization) -> None:
        won = "Closed Won" if self.time.chance(0.45) else "Closed Lost"
        when = at
        for stage in (*STAGES[1:], won):
            when += self.time.waits(15)
            self.time.at(when, self._set_stage, deal, stage)
        if won == "Closed Lost" and self.time.chance(self.rates.deal_reopened):
            again = when + timedelta(days=20)
            self.time.at(again, self._set_stage, deal, "Negotiation/Review")
            self.truth.trap("deal_reopened", "salesforce", "opportunities", deal, None, again)

    # What shall surely change when time moves

    def stock_up(self, at: datetime) -> None:
        """Leave twins and test records about, for the chores to come."""
        for _ in range(WAITING_TWINS):
            self._add_junk(at)
            self._add_twin(at)
        while len(self._junk) > WAITING_TWINS:
            self._bin_junk(at)

    def chores(self, at: datetime) -> None:
        """Do one of every kind of change: merge, delete, purge, restore, custom fields.

        What is merged or purged is older than a week or so, so that somebody who looks
        once a week has seen it before.
        """
        rng = self.time.rng
        self._add_twin(at)
        while len(self._duplicates) > WAITING_TWINS:
            person, twin = self._duplicates.pop(0)
            live = self._other_contact(person, twin)
            if live is not None and self._alive("Contact", twin):
                self._merge_contact(at, person, live, twin)
                break
        known = self._known_people()
        if known:
            person = rng.choice(known)
            contact = self.live_contact(person)
            if contact is not None:
                self._delete_and_restore(at, person, contact)
        # The vendor empties the bin by itself after 15 days.
        fresh = [(since, junk) for since, junk in self._binned_junk if at - since < 14 * DAY]
        if len(fresh) > WAITING_TWINS // 2:
            self._purge_contact(at, None, fresh.pop(0)[1])
        self._binned_junk = fresh
        self._add_junk(at)
        if len(self._junk) > WAITING_TWINS:
            self._bin_junk(at)
        if self.customers:
            self.change_tier(at, rng.choice(self.customers))
        waiting = [
            person
            for person in self.population.people
            if person.lead_id
            and person.kind == "prospect"
            and person.organization is not None
            and not person.contact_ids
        ]
        if waiting:
            self.convert_lead(at, rng.choice(waiting))

    def _known_people(self) -> list[Person]:
        return [
            person
            for organization in self.customers
            if not organization.single
            for person in organization.people
            if person.contact_ids
        ]

    def _add_twin(self, at: datetime) -> None:
        known = self._known_people()
        if known:
            self.duplicate_contact(at, self.time.rng.choice(known))

    def _other_contact(self, person: Person, twin: str) -> str | None:
        """Return the oldest live contact of a person besides this one."""
        for contact in person.contact_ids:
            if contact != twin and self._alive("Contact", contact):
                return contact
        return None

    def _add_junk(self, at: datetime) -> None:
        fields = {"FirstName": "Test", "LastName": "Test", "Email": "test@test.com"}
        junk = self.org.insert("Contact", fields, at)
        self._junk.append(junk)
        self.truth.profile("salesforce", "contacts", junk, None, at)
        self.truth.trap("test_record", "salesforce", "contacts", junk, None, at)

    def _bin_junk(self, at: datetime) -> None:
        junk = self._junk.pop(0)
        self.org.delete("Contact", junk, at)
        self._binned_junk.append((at, junk))

    def _delete_and_restore(self, at: datetime, person: Person, contact: str) -> None:
        try:
            self.org.delete("Contact", contact, at)
        except ApiError:  # a contact with cases stays
            return
        self.time.at(at + timedelta(hours=60), self._restore_contact, person, contact)

    # Small helpers

    def _list(self, contact: str, organization: Organization) -> None:
        organization.contact_ids.append(contact)
        self._listed_at[contact] = organization

    def _unlist(self, contact: str) -> None:
        organization = self._listed_at.pop(contact, None)
        if organization is not None:
            organization.contact_ids.remove(contact)

    def _alive(self, sobject: str, key: str) -> bool:
        row = self.org.table(sobject).rows.get(key)
        return row is not None and not row["IsDeleted"]

    def _update(self, sobject: str, key: str, fields: Mapping[str, Any], at: datetime) -> None:
        if self._alive(sobject, key):
            self.org.update(sobject, key, fields, at)

    def live_contact(self, person: Person) -> str | None:
        """Return the newest live contact of a person."""
        for contact in reversed(person.contact_ids):
            if self._alive("Contact", contact):
                return contact
        return None

    def _some_contact(self, organization: Organization) -> str | None:
        """Return a live contact, mostly one of the first: the champion and a few more."""
        contacts = [c for c in organization.contact_ids if self._alive("Contact", c)]
        if not contacts:
            return None
        return contacts[int(len(contacts) * self.time.rng.random() ** 2)]

    def _owner_of(self, organization: Organization) -> str:
        """Return who acts for an account: its owner while they work here."""
        owner = self.person_of.get(organization.owner)
        if owner is None or owner not in self.staff:
            return self._one_of("sales")
        return organization.owner


def _website(domain: str, style: int) -> str | None:
    return (f"https://www.{domain}", domain, f"http://{domain.upper()}/", None)[style]


def _midday(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _next_year(day: date) -> date:
    """Return the same day a year later; a leap day becomes the 28th."""
    if (day.month, day.day) == (2, 29):
        day = day.replace(day=28)
    return day.replace(year=day.year + 1)
