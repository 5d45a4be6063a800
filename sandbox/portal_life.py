"""What happens in the marketing and service portal: sign-ups, tickets, mailings, surveys.

Belongs here: everything people and staff write to the HubSpot portal.
Does not belong here: what a write does there (`sandbox.hubspot`), who the people are
(`sandbox.people`), how often things happen (`sandbox.rates`).

Sales stay in the CRM; the portal holds readers of the newsletter and the customers who
ask for help by form, mail or chat. It has dice of its own, so that the rest of the world
is the same with and without it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from sandbox import names, texts
from sandbox.crm_life import CrmLife
from sandbox.discourse import Forum
from sandbox.hubspot import ApiError, Portal
from sandbox.people import Organization, Person, Population
from sandbox.rates import Rates
from sandbox.timeline import DAY, Dice, Timeline
from sandbox.truth import Truth

NEWSLETTER, UPDATES, EVENTS = 9101, 9102, 9103
PARENT_COMPANY = 13
"""Association type from a company to its parent."""
LEAD_PRIMARY_CONTACT = 578
"""Association type from a lead to whom it is about."""

WAITING = 5
"""How many duplicates and test records lie about before the oldest is cleared away."""

TICKET_NEW, TICKET_WAITS_ON_CONTACT, TICKET_WAITS_ON_US, TICKET_CLOSED = "1", "2", "3", "4"

CUSTOM_PROPERTIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("contacts", {"name": "community_handle", "label": "Community handle"}),
    ("contacts", {"name": "salesforcecontactid", "groupName": "salesforceinformation"}),
    (
        "contacts",
        {
            "name": "favorite_crafts",
            "type": "enumeration",
            "fieldType": "checkbox",
            "options": ["weaving", "knitting", "dyeing", "spinning"],
        },
    ),
    ("contacts", {"name": "accessibility_needs", "dataSensitivity": "sensitive"}),
    (
        "companies",
        {"name": "support_plan", "type": "enumeration", "options": ["basic", "plus", "premium"]},
    ),
    ("companies", {"name": "loom_minutes", "label": "Loom minutes yesterday", "type": "number"}),
    ("companies", {"name": "next_service_on", "type": "date"}),
    ("tickets", {"name": "loom_model"}),
)

MODELS = ("Harbor One", "Harbor Two", "Mast", "Tide 8")


class PortalLife:
    """Life in the portal.

    Args:
        portal: where it is written.
        imported: how many bought addresses are imported three weeks before the world opens,
            and then changed in one stroke together with all other contacts, so that more
            than 10,000 records can bear one stamp.
    """

    def __init__(
        self,
        portal: Portal,
        forum: Forum,
        crm: CrmLife,
        timeline: Timeline,
        population: Population,
        truth: Truth,
        rates: Rates,
        *,
        imported: int = 0,
    ) -> None:
        self.portal = portal
        self.forum = forum
        self.crm = crm
        self.time = timeline
        self.population = population
        self.truth = truth
        self.rates = rates
        self.imported = imported
        self.dice = Dice(Random(f"{timeline.seed}/portal"))
        self.contacts: dict[str, list[str]] = {}
        """Person -> their live contacts, oldest first."""
        self.companies: dict[str, str] = {}
        """Organization -> its company."""
        self._people: list[Person] = []
        self._owner_of: dict[str, str] = {}
        self._twins: list[Person] = []
        self._junk: list[str] = []
        self._emails_sent = 0
        self._tickets: list[str] = []

    # The beginning

    def found(self, at: datetime) -> None:
        """Set the portal up."""
        portal = self.portal
        for name, described in CUSTOM_PROPERTIES:
            portal.add_property(name, described, at)
        portal.add_custom_object(
            "machines",
            singular="machine",
            properties=(
                {"name": "serial_number", "hasUniqueValue": True},
                {"name": "model", "type": "enumeration", "options": list(MODELS)},
                {"name": "installed_on", "type": "date"},
                {"name": "firmware", "type": "string"},
            ),
            linked_to=("companies", "contacts"),
            at=at,
        )
        self._champion = portal.add_label("contacts", "companies", "Champion", "Championed by")
        portal.add_subscription(NEWSLETTER, "Loom Letter", "Once a month, what is new.", at)
        portal.add_subscription(UPDATES, "Product updates", "Firmware and drafts.", at)
        portal.add_subscription(EVENTS, "Guild meet-ups", "Events near you.", at)
        self._sign_up_form = portal.add_form(
            "Loom Letter", at, fields=("email", "firstname", "lastname")
        )
        self._letters = portal.add_campaign("Loom Letter", at)
        self._readers = portal.add_list("Readers of the Loom Letter", at, processing="DYNAMIC")
        self._guild = portal.add_list("Guild meet-up guests", at)

    def hire(self, at: datetime, person: Person) -> None:
        """Give somebody who works here a seat, if their work is in the portal."""
        if person.role not in ("support", "community", "engineering"):
            return
        owner = self.portal.add_owner(
            person.email, person.given, person.family, at, team=person.role.title()
        )
        self._owner_of[person.id] = owner
        self.truth.profile("hubspot", "owners", owner, person.id, at)

    def take_seat(self, at: datetime) -> None:
        """Take the seat of one support person away, whose tickets stay theirs."""
        for person in self.crm.staff:
            if person.role == "support" and person.id in self._owner_of:
                owner = self._owner_of.pop(person.id)
                self.portal.deactivate_owner(owner, at)
                self.truth.trap("inactive_owner", "hubspot", "owners", owner, person.id, at)
                return

    def _some_owner(self) -> str | None:
        """Return an owner who has a seat."""
        return self.dice.rng.choice(list(self._owner_of.values())) if self._owner_of else None

    # People

    def meet(self, at: datetime, person: Person) -> None:
        """Let a person find the portal, some time after they came into sight."""
        shares = {"customer": self.rates.portal_customer, "prospect": self.rates.portal_prospect}
        if self.dice.chance(shares.get(person.kind, self.rates.portal_other)):
            self.time.at(at + self.dice.waits(20), self.sign_up, person)

    def sign_up(self, at: datetime, person: Person) -> None:
        """Make a contact of what a person typed into a form."""
        if person.id in self.contacts:
            return
        dice, rates = self.dice, self.rates
        work = person.work_email is not None and dice.chance(rates.portal_work_email)
        contact = self._add_contact(at, person, person.email if work else person.private_email)
        if contact is None:
            return
        self._people.append(person)
        self._weigh(at, person)
        if dice.chance(rates.portal_second_contact):
            self.time.at(at + dice.waits(90), self._sign_up_again, person)
        if dice.chance(rates.portal_archived):
            self.time.at(at + dice.waits(150), self._archive, person)
        elif dice.chance(rates.portal_erased):
            self.time.at(at + dice.waits(150), self._erase, person)

    def _weigh(self, at: datetime, person: Person) -> None:
        """Let sales look into a prospect who signed up. Leads have dice of their own."""
        dice = Dice(Random(f"{self.time.seed}/leads/{person.id}"))
        if person.kind == "prospect" and dice.chance(self.rates.portal_lead):
            self.time.at(at + dice.waits(4), self._open_lead, person, dice)

    def _open_lead(self, at: datetime, person: Person, dice: Dice) -> None:
        contact = self._live(person)
        if contact is None:
            return
        portal = self.portal
        lead = portal.create(
            "leads",
            {
                "hs_lead_name": person.name,
                "hs_lead_type": "NEW_BUSINESS",
                "hs_lead_label": dice.rng.choice(("HOT", "WARM", "WARM", "COLD")),
                "hs_pipeline": "lead-pipeline-id",
                "hs_pipeline_stage": "new-stage-id",
                "hubspot_owner_id": dice.rng.choice([*self._owner_of.values(), None]),
            },
            at,
        )
        portal.associate("leads", lead, "contacts", contact, at, types=[LEAD_PRIMARY_CONTACT])
        company = self._company_of(person)
        if company is not None:
            portal.associate("leads", lead, "companies", company, at)
        self.truth.profile("hubspot", "leads", lead, person.id, at)
        ends = "qualified" if dice.chance(self.rates.lead_qualified) else "unqualified"
        for stage in ("attempting", "connected", ends):
            at += dice.waits(3)
            self.time.at(at, self._move_lead, person, lead, stage)

    def _move_lead(self, at: datetime, person: Person, lead: str, stage: str) -> None:
        """Bring a lead on; of one that is qualified the contact is an opportunity."""
        portal = self.portal
        if portal.get("leads", lead).archived_at is not None:
            return
        portal.update("leads", lead, {"hs_pipeline_stage": f"{stage}-stage-id"}, at)
        contact = self._live(person)
        if stage == "qualified" and contact is not None:
            portal.update("contacts", contact, {"lifecyclestage": "opportunity"}, at)
            self.truth.trap("qualified_lead", "hubspot", "leads", lead, person.id, at, contact)

    def _drop_leads(self, at: datetime, contact: str) -> None:
        for lead, _ in self.portal.links("contacts", int(contact), "leads"):
            self.portal.archive("leads", lead, at)

    def _add_contact(self, at: datetime, person: Person, address: str) -> str | None:
        """Write a person down under an address; None when somebody has it already."""
        dice, rates, rng = self.dice, self.rates, self.dice.rng
        typed, traps = self._typed_name(person)
        email: str | None = address
        if dice.chance(rates.portal_email_missing):
            email, traps = None, [*traps, "email_missing"]
        elif dice.chance(rates.portal_email_typo):
            email, traps = names.mistyped_email(address, rng), [*traps, "email_typo"]
        values: dict[str, Any] = {
            **typed,
            "email": email,
            "lifecyclestage": {"customer": "customer", "prospect": "lead"}.get(
                person.kind, "subscriber"
            ),
        }
        if dice.chance(rates.portal_phone):
            values["phone"] = names.written_phone(person.phone, rng)
        if dice.chance(0.4):
            values["jobtitle"] = person.title
        if dice.chance(0.3):
            values["favorite_crafts"] = ";".join(
                sorted(rng.sample(("weaving", "knitting", "dyeing", "spinning"), 2))
            )
        if dice.chance(0.03):
            values["accessibility_needs"] = "Large print, please."
        if person.forum_ids and dice.chance(rates.portal_handle):
            user = self.forum.users.get(person.forum_ids[-1])
            if user is not None:
                values["community_handle"] = f"@{user.username}"
                traps = [*traps, "handle_volunteered"]
        if person.contact_ids and dice.chance(rates.portal_crm_id):
            values["salesforcecontactid"] = person.contact_ids[-1]
        if person.kind == "customer" and dice.chance(0.5):
            values["hubspot_owner_id"] = self._some_owner()
        organization = person.organization
        if organization is not None and dice.chance(0.7):
            values["company"] = organization.name
        values["hs_analytics_source"] = rng.choice(("ORGANIC_SEARCH", "REFERRALS", "OFFLINE"))
        try:
            contact = self.portal.create("contacts", values, at, source="FORM", system=True)
        except ApiError:  # an address that somebody else has
            return None
        self.contacts.setdefault(person.id, []).append(contact)
        self.truth.profile("hubspot", "contacts", contact, person.id, at)
        is_own = organization is not None and (email or "").endswith(f"@{organization.domain}")
        if organization is not None and (is_own or dice.chance(0.5)):
            self._belong(at, contact, organization)
        else:
            traps = [*traps, "contact_without_company"]
        for trap in traps:
            self.truth.trap(trap, "hubspot", "contacts", contact, person.id, at)
        if email is not None:
            filled_in = {"email": email, "firstname": person.given}
            if not person.quiet(at):  # else a colleague wrote them down
                self.portal.submit_form(self._sign_up_form, filled_in, at)
            self._ask_consent(at, contact, email)
        return contact

    def _typed_name(self, person: Person) -> tuple[dict[str, Any], list[str]]:
        """Return the name as its bearer types it, and what is wrong with it."""
        rates, rng = self.rates, self.dice.rng
        given, family = person.given, person.family
        draw = rng.random()
        for share, trap in (
            (rates.portal_name_nickname, "nickname"),
            (rates.portal_name_lower, "name_odd_case"),
            (rates.portal_name_given_only, "name_given_only"),
            (rates.portal_name_typo, "name_typo"),
        ):
            draw -= share
            if draw >= 0:
                continue
            if trap == "nickname":
                if given not in names.NICKNAMES:
                    break
                given = names.NICKNAMES[given]
            elif trap == "name_odd_case":
                given, family = given.lower(), family.lower()
            elif trap == "name_given_only":
                return {"firstname": given}, [trap]
            else:
                family = names.mistyped(family, rng)
            return {"firstname": given, "lastname": family}, [trap]
        return {"firstname": given, "lastname": family}, []

    def _belong(self, at: datetime, contact: str, organization: Organization) -> None:
        """Link a contact to the company of its organization, made when it is the first."""
        company = self.companies.get(organization.id) or self._add_company(at, organization)
        types = [self._champion] if self.dice.chance(0.06) else []
        self.portal.associate("contacts", contact, "companies", company, at, types=types)

    def _add_company(self, at: datetime, organization: Organization) -> str:
        dice, rng, portal = self.dice, self.dice.rng, self.portal
        is_customer = organization.kind == "customer"
        values: dict[str, Any] = {
            "name": organization.name if dice.chance(0.8) else organization.domain,
            "domain": organization.domain,
            "phone": names.written_phone(organization.switchboard, rng),
            "lifecyclestage": "customer" if is_customer else "lead",
            "industry": rng.choice(names.INDUSTRIES),
        }
        if is_customer:
            values |= {
                "support_plan": rng.choice(("basic", "basic", "plus", "premium")),
                "next_service_on": (at + timedelta(days=rng.randrange(30, 300))).date(),
                "hubspot_owner_id": self._some_owner(),
            }
        company = portal.create("companies", values, at, source="AUTO_ASSOCIATE", system=True)
        self._note_company(at, company, organization)
        parent = self.companies.get(organization.parent.id) if organization.parent else None
        if parent is not None:
            portal.associate("companies", company, "companies", parent, at, types=[PARENT_COMPANY])
        if is_customer and dice.chance(self.rates.portal_machine):
            self._add_machine(at, company)
        if dice.chance(self.rates.portal_company_twice):
            self.time.at(at + dice.waits(30), self._import_company, organization)
        return company

    def _note_company(self, at: datetime, company: str, organization: Organization) -> None:
        self.companies[organization.id] = company
        self.truth.profile(
            "hubspot", "companies", company, organization.id, at, entity="organization"
        )

    def _import_company(self, at: datetime, organization: Organization) -> None:
        """Write a company down a second time, without its domain; the two are merged later."""
        first = self.companies[organization.id]
        second = self.portal.create(
            "companies", {"name": organization.name.upper()}, at, source="IMPORT"
        )
        self.truth.profile(
            "hubspot", "companies", second, organization.id, at, entity="organization"
        )
        self.truth.trap("duplicate_company", "hubspot", "companies", second, organization.id, at)
        later = at + self.dice.waits(12)
        self.time.at(later, self._merge_companies, organization, first, second)

    def _merge_companies(
        self, at: datetime, organization: Organization, first: str, second: str
    ) -> None:
        try:
            merged = self.portal.merge("companies", first, second, at)
        except ApiError:  # one of them is gone
            return
        self._note_company(at, merged, organization)
        for loser in (first, second):
            self.truth.trap(
                "merged_company", "hubspot", "companies", loser, organization.id, at, merged
            )

    def _add_machine(self, at: datetime, company: str) -> None:
        rng = self.dice.rng
        number = len(self.portal.table("machines").records) + 1
        machine = self.portal.create(
            "machines",
            {
                "serial_number": f"HL-{10_000 + 7 * number}",
                "model": rng.choice(MODELS),
                "installed_on": (at - timedelta(days=rng.randrange(20, 900))).date(),
                "firmware": rng.choice(("4.1", "4.2", "5.0-beta")),
            },
            at,
            source="INTEGRATION",
        )
        self.portal.associate("machines", machine, "companies", company, at)

    def _ask_consent(self, at: datetime, contact: str, email: str) -> None:
        for subscription, share in (
            (NEWSLETTER, self.rates.portal_newsletter),
            (UPDATES, self.rates.portal_updates),
            (EVENTS, self.rates.portal_events),
        ):
            draw = self.dice.rng.random()
            if draw < share:
                self.portal.set_consent(
                    email,
                    subscription,
                    "SUBSCRIBED",
                    at,
                    legal_basis="CONSENT_WITH_NOTICE",
                    explanation="Ticked the box on the sign-up form.",
                )
                if subscription == NEWSLETTER:
                    self.portal.add_to_list(self._readers, contact, at)
            elif draw > 0.95:
                self.portal.set_consent(email, subscription, "UNSUBSCRIBED", at)

    def _sign_up_again(self, at: datetime, person: Person) -> None:
        """Let a person sign up under another address; some pairs are merged, some in chains."""
        known = self._live(person)
        if known is None:
            return
        used = self.portal.get("contacts", known).properties.get("email")
        other = person.private_email if used != person.private_email else person.work_email
        local, _, domain = person.private_email.partition("@")
        tagged = f"{local}+loom{len(self.contacts[person.id])}@{domain}"
        twin = self._add_contact(at, person, other or tagged)
        if twin is None:
            # Both addresses are on the contact already: merged before.
            twin = self._add_contact(at, person, tagged)
        if twin is None:
            return
        self.truth.trap("duplicate_contact", "hubspot", "contacts", twin, person.id, at)
        if self.dice.chance(self.rates.portal_second_merged):
            merged_at = at + self.dice.waits(20)
            self.time.at(merged_at, self._merge, person)
            if self.dice.chance(0.3):
                self.time.at(merged_at + self.dice.waits(20), self._sign_up_again, person)
        else:
            self._twins.append(person)

    def _merge(self, at: datetime, person: Person) -> None:
        """Merge the two newest live contacts of a person into a new one."""
        live = [one for one in self.contacts.get(person.id, ()) if self._is_live(one)]
        if len(live) < 2:
            return
        first, second = live[-2:]
        merged = self.portal.merge("contacts", first, second, at)
        self.contacts[person.id] = [*live[:-2], merged]
        self.truth.profile("hubspot", "contacts", merged, person.id, at)
        for loser in (first, second):
            self.truth.trap("merged_contact", "hubspot", "contacts", loser, person.id, at, merged)
        chained = self.portal.get("contacts", merged).properties["hs_merged_object_ids"]
        if chained.count(";") > 1:
            self.truth.trap("merge_chain", "hubspot", "contacts", merged, person.id, at, chained)

    def _archive(self, at: datetime, person: Person) -> None:
        contact = self._live(person)
        if contact is not None:
            self._drop_leads(at, contact)
            self.portal.archive("contacts", contact, at)
            self.truth.trap("archived_contact", "hubspot", "contacts", contact, person.id, at)

    def _restore(self, at: datetime, person: Person, contact: str) -> None:
        record = self.portal.table("contacts").records.get(int(contact))
        if record is not None and record.archived_at is not None:
            try:
                self.portal.restore("contacts", contact, at)
            except ApiError:  # somebody took the address meanwhile
                return
            self.truth.trap("restored_contact", "hubspot", "contacts", contact, person.id, at)

    def _erase(self, at: datetime, person: Person) -> None:
        contact = self._live(person)
        if contact is not None:
            self._drop_leads(at, contact)
            self.portal.erase(contact, at)
            self.truth.trap("erased_contact", "hubspot", "contacts", contact, person.id, at)

    def _is_live(self, contact: str) -> bool:
        record = self.portal.table("contacts").records.get(int(contact))
        return record is not None and record.archived_at is None

    def _live(self, person: Person) -> str | None:
        """Return the newest live contact of a person."""
        for contact in reversed(self.contacts.get(person.id, ())):
            if self._is_live(contact):
                return contact
        return None

    def _company_of(self, person: Person) -> str | None:
        return self.companies.get(person.organization.id) if person.organization else None

    # Each day

    def plan_day(self, midnight: datetime) -> None:
        """Plan a day: who asks for help, is called, is written to."""
        time, rates = self.time, self.rates
        dice = self.dice
        dice.rng = Random(f"{time.seed}/portal/{time.day(midnight)}")
        customers = self.population.heard(
            [person for person in self._people if person.kind == "customer"], midnight
        )
        pace = 1.3 if midnight.weekday() < 5 else 0.25
        for rate, act in (
            (rates.tickets, self.open_ticket),
            (rates.service_calls, self._call),
            (rates.service_meetings, self._meet),
            (rates.service_notes, self._note),
            (rates.service_tasks, self._plan_task),
            (rates.service_messages, self._message),
            (rates.service_deals, self._offer_plan),
        ):
            for _ in range(dice.poisson(rate * len(customers) * pace)):
                time.at(dice.office_hour(midnight), act, dice.rng.choice(customers))
        if midnight.day == 4 and self._people:
            time.at(midnight + timedelta(hours=9), self._send, NEWSLETTER)
        if midnight.day == 17 and midnight.month % 3 == 0 and self._people:
            time.at(midnight + timedelta(hours=10), self._send, UPDATES)
        if midnight.day == 11 and midnight.month % 4 == 1 and self._people:
            time.at(midnight + timedelta(hours=10), self._send, EVENTS)
        if midnight.day == 22 and midnight.month % 3 == 1:
            for person in customers:
                if dice.chance(rates.survey_answered):
                    time.at(dice.moment(midnight), self._answer_survey, person, "NPS", None)
        for seconds in range(2):
            when = midnight + timedelta(hours=23, minutes=57, seconds=seconds)
            time.at(when, self._nightly)

    def _nightly(self, at: datetime) -> None:
        """Let an integration write just before midnight, so that search knows of it later."""
        if not self.companies:
            return
        company = self.dice.rng.choice(list(self.companies.values()))
        values = {"loom_minutes": self.dice.rng.randrange(100_000)}
        self.portal.update("companies", company, values, at, source="INTEGRATION")

    # Tickets

    def open_ticket(self, at: datetime, person: Person) -> None:
        """Let a customer ask for help."""
        contact = self._live(person)
        if contact is None or person.quiet(at):
            return
        dice, rng, portal = self.dice, self.dice.rng, self.portal
        channel = rng.choice(("FORM", "FORM", "EMAIL", "EMAIL", "CHAT"))
        owner = self._some_owner()
        subject = texts.case_subject(rng)
        text = f"Hello,\n\n{subject.lower()}. What can I do?\n\n{person.given}"
        if dice.chance(0.004):
            text = rng.choice(texts.HOSTILE_TEXTS)
        ticket = portal.create(
            "tickets",
            {
                "subject": subject,
                "content": text,
                "hs_pipeline": "0",
                "hs_pipeline_stage": TICKET_NEW,
                "hs_ticket_priority": rng.choice(("LOW", "MEDIUM", "MEDIUM", "HIGH", None)),
                "hs_ticket_category": rng.choice(("PRODUCT_ISSUE", "GENERAL_INQUIRY", None)),
                "source_type": channel,
                "hubspot_owner_id": owner,
                "loom_model": rng.choice(MODELS),
            },
            at,
            source="CONVERSATIONS",
        )
        self._tickets.append(ticket)
        portal.associate("tickets", ticket, "contacts", contact, at)
        company = self._company_of(person)
        if company is not None:
            portal.associate("tickets", ticket, "companies", company, at)
        if channel == "EMAIL":
            self._write(at, person, ticket, None, inbound=True, subject=subject, text=text)
        when = at + dice.lognormal(3.0, 1.3)
        self.time.at(when, self._reply, person, ticket, owner, True)
        if dice.chance(self.rates.ticket_note):
            self.time.at(when + dice.lognormal(1.0, 0.8), self._note_on, ticket, owner)
        for _ in range(dice.poisson(0.6)):
            when += dice.lognormal(8.0, 1.0)
            self.time.at(when, self._answer, person, ticket)
            when += dice.lognormal(4.0, 1.0)
            self.time.at(when, self._reply, person, ticket, owner, False)
        when += dice.waits(1.2)
        self.time.at(when, self._close, person, ticket)
        if dice.chance(self.rates.ticket_reopened):
            self.time.at(when + dice.waits(2), self._answer, person, ticket)
            self.time.at(when + timedelta(days=6), self._close, person, ticket)

    def _reply(
        self, at: datetime, person: Person, ticket: str, owner: str | None, first: bool
    ) -> None:
        """Let an agent answer."""
        text = texts.comment(self.dice.rng)
        self._write(at, person, ticket, owner, inbound=False, subject="Re: your question",
                    text=text)  # fmt: skip
        values: dict[str, Any] = {
            "hs_pipeline_stage": TICKET_WAITS_ON_CONTACT,
            "hs_last_message_sent_at": at,
            "last_reply_date": at,
        }
        if first:
            values["first_agent_reply_date"] = at
        self.portal.update("tickets", ticket, values, at, source="CONVERSATIONS")

    def _answer(self, at: datetime, person: Person, ticket: str) -> None:
        """Let the customer write again; a closed ticket opens by it."""
        self._write(at, person, ticket, None, inbound=True, subject="Re: your question",
                    text=texts.thanks(self.dice.rng))  # fmt: skip
        if self.portal.is_closed("tickets", self._stage(ticket)):
            self.truth.trap("ticket_reopened", "hubspot", "tickets", ticket, person.id, at)
        values = {"hs_pipeline_stage": TICKET_WAITS_ON_US, "hs_last_message_received_at": at}
        self.portal.update("tickets", ticket, values, at, source="CONVERSATIONS")

    def _stage(self, ticket: str) -> str | None:
        return self.portal.get("tickets", ticket).properties.get("hs_pipeline_stage")

    def _close(self, at: datetime, person: Person, ticket: str) -> None:
        if self.portal.is_closed("tickets", self._stage(ticket)):
            return
        values = {"hs_pipeline_stage": TICKET_CLOSED, "hs_resolution": "ISSUE_FIXED"}
        self.portal.update("tickets", ticket, values, at)
        if self.dice.chance(self.rates.ticket_rated):
            self.time.at(at + self.dice.waits(1), self._answer_survey, person, "CSAT", ticket)

    def _note_on(self, at: datetime, ticket: str, owner: str | None) -> None:
        note = self._log(at, "notes", {"hs_note_body": "<p>Asked the workshop.</p>"}, owner)
        self.portal.associate("notes", note, "tickets", ticket, at)

    def _write(
        self,
        at: datetime,
        person: Person,
        ticket: str | None,
        owner: str | None,
        *,
        inbound: bool,
        subject: str,
        text: str,
    ) -> None:
        """Log an e-mail from or to somebody."""
        contact = self._live(person)
        if contact is None:
            return
        address = self.portal.get("contacts", contact).properties.get("email") or person.email
        ours = "help@harborlooms.example"
        email = self._log(
            at,
            "emails",
            {
                "hs_email_subject": subject,
                "hs_email_text": text,
                "hs_email_direction": "INCOMING_EMAIL" if inbound else "EMAIL",
                "hs_email_status": None if inbound else "SENT",
                "hs_email_from_email": address if inbound else ours,
                "hs_email_to_email": ours if inbound else address,
                "hs_email_thread_id": ticket,
            },
            owner,
        )
        self.portal.associate("emails", email, "contacts", contact, at)
        if ticket is not None:
            self.portal.associate("emails", email, "tickets", ticket, at)

    def _log(
        self, at: datetime, kind: str, values: dict[str, Any], owner: str | None, **more: Any
    ) -> str:
        given = {"hs_timestamp": at, "hubspot_owner_id": owner, **values, **more}
        return self.portal.create(kind, given, at)

    # Service without a ticket

    def _log_with(
        self, at: datetime, person: Person, kind: str, values: dict[str, Any]
    ) -> str | None:
        """Log an activity with a customer and where they work."""
        contact = self._live(person)
        if contact is None:
            return None
        activity = self._log(at, kind, values, self._some_owner())
        self.portal.associate(kind, activity, "contacts", contact, at)
        company = self._company_of(person)
        if company is not None:
            self.portal.associate(kind, activity, "companies", company, at)
        return activity

    def _call(self, at: datetime, person: Person) -> None:
        rng = self.dice.rng
        inbound = self.dice.chance(0.35)
        if inbound and person.quiet(at):
            return
        minutes = rng.randrange(1, 40)
        self._log_with(
            at,
            person,
            "calls",
            {
                "hs_call_title": f"About {rng.choice(texts.THINGS)}",
                "hs_call_direction": "INBOUND" if inbound else "OUTBOUND",
                "hs_call_duration": minutes * 60_000 + rng.randrange(1000),
                "hs_call_status": "COMPLETED" if self.dice.chance(0.8) else "NO_ANSWER",
            },
        )

    def _meet(self, at: datetime, person: Person) -> None:
        if person.quiet(at):
            return
        start = at.replace(minute=0, second=0) + timedelta(days=self.dice.rng.randrange(1, 15))
        meeting = self._log_with(
            at,
            person,
            "meetings",
            {
                "hs_timestamp": start,
                "hs_meeting_title": self.dice.rng.choice(("Onboarding", "Training", "Check-in")),
                "hs_meeting_start_time": start,
                "hs_meeting_end_time": start + timedelta(minutes=45),
                "hs_meeting_outcome": "SCHEDULED",
            },
        )
        if meeting is not None:
            outcome = self.dice.rng.choice(("COMPLETED", "COMPLETED", "COMPLETED", "NO_SHOW"))
            if self.dice.chance(0.06):
                self.time.at(at + (start - at) / 2, self._archive_meeting, meeting)
            else:
                self.time.at(start + timedelta(hours=1), self._hold, meeting, outcome)

    def _hold(self, at: datetime, meeting: str, outcome: str) -> None:
        self.portal.update("meetings", meeting, {"hs_meeting_outcome": outcome}, at)

    def _archive_meeting(self, at: datetime, meeting: str) -> None:
        self.portal.archive("meetings", meeting, at)

    def _note(self, at: datetime, person: Person) -> None:
        body = f"<p>Likes {self.dice.rng.choice(texts.THINGS)}.</p>"
        self._log_with(at, person, "notes", {"hs_note_body": body})

    def _plan_task(self, at: datetime, person: Person) -> None:
        due = at + timedelta(days=self.dice.rng.randrange(1, 20))
        task = self._log_with(
            at,
            person,
            "tasks",
            {
                "hs_timestamp": due,
                "hs_task_subject": f"Follow up: {self.dice.rng.choice(texts.THINGS)}",
                "hs_task_status": "NOT_STARTED",
                "hs_task_priority": "NONE",
                "hs_task_type": self.dice.rng.choice(("TODO", "CALL", "EMAIL")),
            },
        )
        if task is not None and self.dice.chance(0.8):
            early = timedelta(hours=18)  # most are done in time, some late
            self.time.at(due - early + self.dice.waits(1), self._finish_task, task)

    def _finish_task(self, at: datetime, task: str) -> None:
        values = {"hs_task_status": "COMPLETED", "hs_task_completion_date": at}
        self.portal.update("tasks", task, values, at)

    def _message(self, at: datetime, person: Person) -> None:
        body = f"Is {self.dice.rng.choice(texts.THINGS)} fine again?"
        self._log_with(
            at,
            person,
            "communications",
            {
                "hs_communication_body": body,
                "hs_communication_channel_type": self.dice.rng.choice(("SMS", "WHATS_APP")),
                "hs_communication_logged_from": "CRM",
            },
        )

    def _offer_plan(self, at: datetime, person: Person) -> None:
        """Offer a service plan; sales of machines are not in the portal."""
        contact = self._live(person)
        if contact is None:
            return
        rng, portal = self.dice.rng, self.portal
        deal = portal.create(
            "deals",
            {
                "dealname": f"Service plan for {person.family}",
                "amount": rng.choice(("290.00", "490.00", "1490.50")),
                "deal_currency_code": rng.choice(("USD", "USD", "EUR")),
                "pipeline": "default",
                "dealstage": "presentationscheduled",
                "dealtype": "existingbusiness",
                "closedate": at + timedelta(days=30),
                "hubspot_owner_id": self._some_owner(),
            },
            at,
        )
        portal.associate("deals", deal, "contacts", contact, at)
        company = self._company_of(person)
        if company is not None:
            portal.associate("deals", deal, "companies", company, at)
        end = "closedwon" if self.dice.chance(0.6) else "closedlost"
        self.time.at(at + self.dice.waits(20), self._decide, deal, end)

    def _decide(self, at: datetime, deal: str, end: str) -> None:
        self.portal.update("deals", deal, {"dealstage": end, "closedate": at}, at)

    # Surveys and mailings

    def _answer_survey(self, at: datetime, person: Person, kind: str, ticket: str | None) -> None:
        contact = self._live(person)
        if contact is None or person.quiet(at):
            return
        rng, portal = self.dice.rng, self.portal
        if kind == "NPS":
            value = min(10, max(0, round(rng.gauss(8.0, 2.0))))
            group = "PROMOTER" if value > 8 else "PASSIVE" if value > 6 else "DETRACTOR"
            name = "How likely are you to recommend us?"
        else:
            value = rng.choice((1, 2, 4, 5, 5, 6, 6, 7, 7, 7))
            group = "POSITIVE" if value > 5 else "NEUTRAL" if value > 3 else "NEGATIVE"
            name = "How was our help?"
        answer = portal.create(
            "feedback_submissions",
            {
                "hs_survey_type": kind,
                "hs_survey_id": "71" if kind == "NPS" else "72",
                "hs_survey_name": name,
                "hs_survey_channel": "EMAIL",
                "hs_value": value,
                "hs_sentiment": group,
                "hs_response_group": group.lower(),
                "hs_content": texts.thanks(rng) if self.dice.chance(0.4) else None,
                "hs_submission_timestamp": at,
                "hs_contact_id": contact,
            },
            at,
            source="FEEDBACK",
        )
        portal.associate("feedback_submissions", answer, "contacts", contact, at)
        if ticket is not None:
            portal.associate("feedback_submissions", answer, "tickets", ticket, at)

    def _send(self, at: datetime, subscription: int) -> None:
        """Send an e-mail to all who want it; they open, click, or have had enough."""
        portal, dice = self.portal, self.dice
        self._emails_sent += 1
        name = portal.subscriptions[subscription]["name"]
        email = portal.add_marketing_email(
            f"{name} {at.date():%Y-%m}",
            f"{name}: {dice.rng.choice(texts.THINGS)}",
            at - timedelta(days=2),
            subscription=subscription,
            campaign=self._letters if subscription == NEWSLETTER else None,
        )
        portal.publish(email, at)
        scanners = Dice(Random(f"{self.time.seed}/scanners/{email}"))
        for person in self._people:
            contact = self._live(person)
            if contact is None:
                continue
            address = portal.get("contacts", contact).properties.get("email")
            if not address or portal.consent(address, subscription).status != "SUBSCRIBED":
                continue
            known = (person.work_email, person.private_email)
            portal.note_delivery(email, contact, "sent", at)
            if address not in known:
                portal.note_delivery(email, contact, "bounce", at + timedelta(minutes=1))
                continue
            if scanners.chance(self.rates.mail_scanned):  # opens and clicks all there is, at once
                for seconds, event in ((4, "open"), (5, "click")):
                    when = at + timedelta(seconds=seconds)
                    portal.note_delivery(email, contact, event, when, is_filtered=True)
            if dice.chance(self.rates.mail_opened) and not person.quiet(at):
                opened = at + dice.lognormal(3.0, 1.2)
                self.time.at(opened, self._read, email, contact, "open")
                if dice.chance(self.rates.mail_clicked):
                    again = opened + timedelta(seconds=dice.rng.randrange(10, 600))
                    self.time.at(again, self._read, email, contact, "click")
                    if subscription == EVENTS:
                        portal.add_to_list(self._guild, contact, at)
            if dice.chance(self.rates.mail_unsubscribed):
                leaves = at + dice.lognormal(3.0, 1.0)
                self.time.at(leaves, self._unsubscribe, email, contact, address, subscription)

    def _read(self, at: datetime, email: str, contact: str, event: str) -> None:
        self.portal.note_delivery(email, contact, event, at)

    def _unsubscribe(
        self, at: datetime, email: str, contact: str, address: str, subscription: int
    ) -> None:
        is_wide = self.dice.chance(0.4)
        self.portal.note_delivery(email, contact, "unsubscribed", at, is_wide=is_wide)
        if is_wide:
            self.portal.opt_out(address, at)
        else:
            self.portal.set_consent(
                address, subscription, "UNSUBSCRIBED", at, source="Preference page"
            )

    # What shall surely change when time moves

    def chores(self, at: datetime) -> None:
        """Do one of every kind of change: merge, archive, restore, erase, opt out.

        What is merged or archived has been there for days, so that somebody who looks once
        a week has seen it before.
        """
        known = [person for person in self._people if self._live(person) is not None]
        if not known:
            return
        rng = self.dice.rng
        self._sign_up_again(at, rng.choice(known))
        while len(self._twins) > WAITING:
            self._merge(at, self._twins.pop(0))
        person = rng.choice(known)
        contact = self._live(person)
        if contact is not None:
            self.portal.archive("contacts", contact, at)
            self.time.at(at + timedelta(hours=60), self._restore, person, contact)
        if self.time.day(at) % 3 == 0:
            self._erase(at, rng.choice(known))
            written_down = [o for o in self.population.organizations if o.id in self.companies]
            if written_down:
                self._import_company(at, rng.choice(written_down))
        junk = self.portal.create("contacts", {"firstname": "Test", "lastname": "Test"}, at)
        self.truth.profile("hubspot", "contacts", junk, None, at)
        self.truth.trap("test_record", "hubspot", "contacts", junk, None, at)
        self._junk.append(junk)
        if len(self._junk) > WAITING:
            self.portal.archive("contacts", self._junk.pop(0), at)

    def import_addresses(self, at: datetime) -> None:
        """Import bought addresses, and change all contacts in one stroke a day later."""
        for number in range(self.imported):
            email = f"reader{number}@list{number % 97}.example"
            contact = self.portal.create("contacts", {"email": email}, at, source="IMPORT")
            self.truth.profile("hubspot", "contacts", contact, None, at)
        self.time.at(at + DAY, self._mark_all)

    def _mark_all(self, at: datetime) -> None:
        self.portal.update_all("contacts", {"hs_marketable_status": True}, at)
