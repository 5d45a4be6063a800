"""What is read of a Salesforce org: objects and their standard fields.

Histories take what changed from what to what for deals and cases, whose fields are stages,
states and owners; of people and organizations only which field changed, for its values may be
anything. No text of any message is taken.

Belongs here: declarations, as tables. Does not belong here: how anything is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connectors.base import Stream, by_field

LAG = timedelta(minutes=1)
LOOKBACK = timedelta(minutes=10)

_TYPES = by_field(
    timestamp="ActivityDateTime CaptureDate ClosedDate CompletedDateTime CreatedDate EffectiveFrom "
    "EffectiveTo EndDateTime MessageDate RespondedDate StartDateTime SystemModstamp",
    date="ActiveFromDate ActiveToDate ActivityDate CloseDate ConvertedDate EndDate "
    "FirstRespondedDate StartDate",
    decimal="Amount Probability",
    integer="CallDurationInSeconds DurationInMinutes NumberOfEmployees",
    boolean="CanStorePiiElsewhere DoNotCall HasOptedOutGeoTracking HasOptedOutOfEmail "
    "HasOptedOutOfFax HasOptedOutProcessing HasOptedOutProfiling HasOptedOutSolicit "
    "HasOptedOutTracking HasResponded Incoming IsActive IsAllDayEvent IsChild IsClosed "
    "IsConverted IsDirect IsEscalated IsExternallyVisible IsGroupEvent IsInvitee IsParent "
    "IsPersonAccount IsPrimary IsPrivate IsPublished IsWhat IsWon PersonHasOptedOutOfEmail "
    "SendIndividualData ShouldForget",
)
_PII = by_field(
    direct="CcAddress Email EmailAddress FirstName FromAddress LastName MobilePhone NewValue "
    "OldValue PersonEmail PersonMobilePhone Phone RelationAddress SuppliedEmail SuppliedName "
    "TelephoneNumber ToAddress",
)
_STREAMS_OF_NAMES = ("accounts", "contacts", "leads", "users")  # an account can be a person
ONLY_IN_SOME_ORGS = {
    "Account": "FirstName LastName IsPersonAccount PersonContactId PersonEmail "
    "PersonMobilePhone PersonTitle PersonHasOptedOutOfEmail",
    "Contact": "IsPersonAccount IndividualId",
    "EventRelation": "IsWhat IsParent",
    "Lead": "IndividualId",
    "Opportunity": "CurrencyIsoCode",
}
"""Fields of features an org may not have: their absence hides nothing."""
OBJECTS_ONLY_IN_SOME_ORGS = frozenset(
    {
        "AccountContactRelation",
        "ContactPointConsent",
        "ContactPointEmail",
        "ContactPointPhone",
        "ContactPointTypeConsent",
        "EmailMessageRelation",
        "Individual",
        "TaskRelation",
    }
)
"""Objects of such features."""


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
        spans=True,
        reconciles="`COUNT()` of what is not in the bin, at every sync; all ids, weekly, and daily "
        "while more is held than counted",
        deletes="tombstones",
        types={field: _TYPES[field] for field in taken if field in _TYPES},
        pii={field: pii[field] for field in taken if field in pii},
    )


def _history(name: str, object_name: str, fields: str, more: str = "") -> Stream:
    """Return a history: rows are only ever added, and say when in `CreatedDate` alone."""
    stream = _stream(name, object_name, f"{fields} CreatedById {more}")
    return replace(
        stream,
        fields=tuple(field for field in stream.fields if field != "SystemModstamp"),
        types={field: kind for field, kind in stream.types.items() if field != "SystemModstamp"},
        cursor="CreatedDate",
        deletes="none",
        reconciles=None,
        unreconciled="rows that went with their record left no trace, so a count would differ for "
        "good",
        coverage="rows that went with their record, or after some 18 months, left no trace; fields "
        "that the org does not track have none",
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
        "Department LeadSource MailingCountry HasOptedOutOfEmail HasOptedOutOfFax DoNotCall "
        "IsPersonAccount IndividualId",
    ),
    _stream(
        "leads",
        "Lead",
        "OwnerId FirstName LastName Name Company Title Email Phone MobilePhone Website Country "
        "LeadSource Status Industry HasOptedOutOfEmail HasOptedOutOfFax DoNotCall IsConverted "
        "ConvertedDate ConvertedContactId ConvertedAccountId ConvertedOpportunityId IndividualId",
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
        "CallDurationInSeconds ActivityDate CompletedDateTime IsClosed",
    ),
    _stream(
        "events",
        "Event",
        "WhoId WhatId AccountId OwnerId CreatedById Type EventSubtype ActivityDate "
        "ActivityDateTime StartDateTime EndDateTime DurationInMinutes IsAllDayEvent IsPrivate "
        "IsChild IsGroupEvent",
    ),
    _stream(
        "users",
        "User",
        "Name FirstName LastName Email Title Department ManagerId IsActive UserType",
    ),
    _stream(
        "account_contact_relations",
        "AccountContactRelation",
        "AccountId ContactId Roles IsDirect IsActive StartDate EndDate",
    ),
    _stream(
        "event_relations",
        "EventRelation",
        "EventId RelationId IsWhat IsParent IsInvitee Status RespondedDate",
    ),
    _stream("task_relations", "TaskRelation", "TaskId RelationId IsWhat"),
    _stream(
        "email_messages",
        "EmailMessage",
        "ParentId RelatedToId ReplyToEmailMessageId CreatedById Incoming IsExternallyVisible "
        "Status MessageDate FromAddress ToAddress CcAddress",
    ),
    _stream(
        "email_message_relations",
        "EmailMessageRelation",
        "EmailMessageId RelationId RelationType RelationAddress",
    ),
    _stream(
        "campaigns",
        "Campaign",
        "Name ParentId OwnerId Type Status StartDate EndDate IsActive",
    ),
    _stream(
        "campaign_members",
        "CampaignMember",
        "CampaignId LeadId ContactId Status HasResponded FirstRespondedDate",
    ),
    _stream(
        "individuals",
        "Individual",
        "HasOptedOutTracking HasOptedOutProfiling HasOptedOutProcessing HasOptedOutSolicit "
        "HasOptedOutGeoTracking ShouldForget SendIndividualData CanStorePiiElsewhere",
    ),
    _stream(
        "contact_point_emails",
        "ContactPointEmail",
        "ParentId EmailAddress IsPrimary ActiveFromDate ActiveToDate",
    ),
    _stream(
        "contact_point_phones",
        "ContactPointPhone",
        "ParentId TelephoneNumber IsPrimary ActiveFromDate ActiveToDate",
    ),
    _stream(
        "contact_point_consents",
        "ContactPointConsent",
        "ContactPointId DataUsePurposeId PrivacyConsentStatus EffectiveFrom EffectiveTo "
        "CaptureDate",
    ),
    _stream(
        "contact_point_type_consents",
        "ContactPointTypeConsent",
        "PartyId ContactPointType DataUsePurposeId PrivacyConsentStatus EffectiveFrom EffectiveTo "
        "CaptureDate",
    ),
    _history(
        "opportunity_history",
        "OpportunityHistory",
        "OpportunityId StageName Amount CloseDate Probability ForecastCategory",
    ),
    _history(
        "opportunity_field_history",
        "OpportunityFieldHistory",
        "OpportunityId Field",
        "OldValue NewValue",
    ),
    _history("case_history", "CaseHistory", "CaseId Field", "OldValue NewValue"),
    _history("account_history", "AccountHistory", "AccountId Field"),
    _history("contact_history", "ContactHistory", "ContactId Field"),
    _history("lead_history", "LeadHistory", "LeadId Field"),
)


def custom_object(object_name: str) -> Stream:
    """Return the stream of an object that rapport.yml adds."""
    return _stream(object_name.lower(), object_name, "Name OwnerId")
