"""Campaigns in the CRM: who is invited, who responds, who should not have been written to.

Belongs here: the life of campaigns and of their members. Does not belong here: calls, meetings
and cases (`sandbox.crm_life`), mailings of the portal (`sandbox.portal_life`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sandbox.crm_life import CrmLife
from sandbox.people import Population
from sandbox.rates import Rates
from sandbox.salesforce.org import Org
from sandbox.timeline import Dice, Timeline
from sandbox.truth import Truth

EVERY_DAYS = 45
LEAD_DAYS = 10  # from writing down who is invited to the first day
RUNS_DAYS = 30
KINDS = (("Webinar", "Warping for beginners"), ("Email", "New looms"), ("Trade Show", "Fair"))


class CampaignLife:
    """Life of campaigns, on dice of its own, so that nothing else in the world depends on it."""

    def __init__(
        self,
        org: Org,
        crm: CrmLife,
        timeline: Timeline,
        population: Population,
        truth: Truth,
        rates: Rates,
    ) -> None:
        self.org = org
        self.crm = crm
        self.time = timeline
        self.population = population
        self.truth = truth
        self.rates = rates

    def plan_day(self, midnight: datetime) -> None:
        """Write a campaign down every few weeks; every fourth is dropped before it begins."""
        number, rest = divmod(self.time.day(midnight), EVERY_DAYS)
        if rest == 0:
            self.time.at(midnight + timedelta(hours=9), self._invite, number)

    def _invite(self, at: datetime, number: int) -> None:
        kind, name = KINDS[number % len(KINDS)]
        begins = at + timedelta(days=LEAD_DAYS)
        ends = begins + timedelta(days=RUNS_DAYS)
        campaign = self.org.insert(
            "Campaign",
            {
                "Name": f"{name} {begins:%Y-%m}",
                "Type": kind,
                "Status": "Planned",
                "StartDate": begins.date(),
                "EndDate": ends.date(),
                "IsActive": True,
            },
            at,
        )
        dice = Dice(Random(f"{self.time.seed}/campaign/{number}"))
        is_held = number % 4 != 3
        for person in self.population.people:
            contact = self.crm.live_contact(person)
            if contact is None or person.is_staff or not dice.chance(self.rates.invited):
                continue
            refuses = self.org.table("Contact").rows[contact]["HasOptedOutOfEmail"]
            if refuses and not dice.chance(self.rates.invited_despite_opt_out):
                continue
            fields = {"CampaignId": campaign, "ContactId": contact, "Status": "Sent"}
            member = self.org.insert("CampaignMember", fields, at)
            if not is_held:
                self._trap("campaign_never_held", member, person.id, at)
            elif dice.chance(self.rates.invitation_withdrawn):
                self.time.at(begins - timedelta(days=1), self._withdraw, member, person.id)
            else:
                if refuses:
                    self._trap("written_despite_opt_out", member, person.id, at)
                if dice.chance(self.rates.invitation_answered) and not person.quiet(begins):
                    self.time.at(begins + dice.waits(3), self._respond, member)
        if is_held:
            self.time.at(begins, self._set_status, campaign, "In Progress")
            self.time.at(ends, self._set_status, campaign, "Completed")

    def _withdraw(self, at: datetime, member: str, person: str) -> None:
        if self._is_there(member):
            self.org.delete("CampaignMember", member, at)
            self._trap("invitation_withdrawn", member, person, at)

    def _respond(self, at: datetime, member: str) -> None:
        if self._is_there(member):
            self.org.update("CampaignMember", member, {"Status": "Responded"}, at)

    def _set_status(self, at: datetime, campaign: str, status: str) -> None:
        self.org.update("Campaign", campaign, {"Status": status}, at)

    def _is_there(self, member: str) -> bool:
        row = self.org.table("CampaignMember").rows.get(member)
        return row is not None and not row["IsDeleted"]

    def _trap(self, trap: str, member: str, person: str, at: datetime) -> None:
        self.truth.trap(trap, "salesforce", "campaign_members", member, person, at)
