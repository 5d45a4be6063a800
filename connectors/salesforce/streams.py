"""What is read of a Salesforce org: objects and their standard fields.

Belongs here: declarations, as tables. Does not belong here: how anything is asked for.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.base import Stream, by_field

LAG = timedelta(minutes=1)
LOOKBACK = timedelta(minutes=10)

_TYPES = by_field(
    timestamp="ActivityDateTime ClosedDate CompletedDateTime CreatedDate EndDateTime "
    "StartDateTime SystemModstamp",
    date="ActivityDate CloseDate ConvertedDate",
    decimal="Amount Probability",
    integer="CallDurationInSeconds DurationInMinutes NumberOfEmployees",
    boolean="DoNotCall HasOptedOutOfEmail IsActive IsAllDayEvent IsArchived IsChild IsClosed "
    "IsConverted IsEscalated IsGroupEvent IsPersonAccount IsPrimary IsPrivate IsPublished IsWon "
    "PersonHasOptedOutOfEmail",
)
_PII = by_field(
    direct="Email FirstName LastName MobilePhone PersonEmail PersonMobilePhone Phone "
    "SuppliedEmail SuppliedName",
)
_STREAMS_OF_NAMES = ("accounts", "contacts", "leads", "users")  # an account can be a person
ONLY_IN_SOME_ORGS = {
    "Account": "FirstName LastName IsPersonAccount PersonContactId PersonEmail "
    "PersonMobilePhone PersonTitle PersonHasOptedOutOfEmail",
    "Contact": "IsPersonAccount",
    "Opportunity": "CurrencyIsoCode",
}
"""Fields of features an org may not have: their absence hides nothing."""


def _stream(name: str, object_name: str, fields: str) -> Stream:
    taken = ("Id", *fields.split(), "CreatedDate", "SystemModstamp")
    pii = _PII | ({"Name": "direct"} if name in _STREAMS_OF_NAMES else {})
    return Stream(
        name=name,
        object_name=object_name,
        key=("Id",),
        fields=taken,
        cursor="SystemModstamp",
        lag=LAG,
        lookback=LOOKBACK,
        deletes="tombstones",
        types={field: _TYPES[field] for field in taken if field in _TYPES},
        pii={field: pii[field] for field in taken if field in pii},
    )


STREAMS: tuple[Stream, ...] = (
    _stream(
        "accounts",
        "Account",
        "Name Type ParentId OwnerId Website Industry Phone NumberOfEmployees BillingCountry "
        "FirstName LastName IsPersonAccount PersonContactId PersonEmail PersonMobilePhone "
        "PersonTitle PersonHasOptedOutOfEmail",
    ),
    _stream(
        "contacts",
        "Contact",
        "AccountId OwnerId ReportsToId FirstName LastName Name Email Phone MobilePhone Title "
        "Department LeadSource MailingCountry HasOptedOutOfEmail DoNotCall IsPersonAccount",
    ),
    _stream(
        "leads",
        "Lead",
        "OwnerId FirstName LastName Name Company Title Email Phone MobilePhone Website Country "
        "LeadSource Status Industry HasOptedOutOfEmail DoNotCall IsConverted ConvertedDate "
        "ConvertedContactId ConvertedAccountId ConvertedOpportunityId",
    ),
    _stream(
        "opportunities",
        "Opportunity",
        "AccountId OwnerId Name StageName Amount CurrencyIsoCode Probability CloseDate IsClosed "
        "IsWon Type LeadSource",
    ),
    _stream(
        "opportunity_contact_roles",
        "OpportunityContactRole",
        "OpportunityId ContactId Role IsPrimary",
    ),
    _stream(
        "cases",
        "Case",
        "CaseNumber AccountId ContactId OwnerId ParentId CreatedById Status Priority Origin Type "
        "Reason IsClosed IsEscalated ClosedDate SuppliedEmail SuppliedName",
    ),
    _stream("case_comments", "CaseComment", "ParentId CreatedById IsPublished"),
    _stream(
        "tasks",
        "Task",
        "WhoId WhatId AccountId OwnerId CreatedById Status Priority Type TaskSubtype CallType "
        "CallDurationInSeconds ActivityDate CompletedDateTime IsClosed IsArchived",
    ),
    _stream(
        "events",
        "Event",
        "WhoId WhatId AccountId OwnerId CreatedById Type EventSubtype ActivityDate "
        "ActivityDateTime StartDateTime EndDateTime DurationInMinutes IsAllDayEvent IsPrivate "
        "IsChild IsGroupEvent IsArchived",
    ),
    _stream(
        "users",
        "User",
        "Name FirstName LastName Email Title Department ManagerId IsActive UserType",
    ),
)


def custom_object(object_name: str) -> Stream:
    """Return the stream of an object that rapport.yml adds."""
    return _stream(object_name.lower(), object_name, "Name OwnerId")
