"""What the emulated Salesforce organization knows about its objects and fields.

Belongs here: standard objects and fields as one readable table, the describe shape of
a field, default values, ids. Field names, types, lengths and key prefixes follow the
vendor's Object Reference; only fields an ordinary integration reads are declared.
Does not belong here: records (`org`), SOQL (`soql`), HTTP (`http`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FieldDescription = dict[str, Any]
"""One element of describe's `fields`, in the vendor's words."""

DATETIME, DATE = "datetime", "date"

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_INSTANCE = "gL0"
"""Characters 4-6 of every id: the instance that minted it."""


def long_id(short: str) -> str:
    """Return the 18-character, case-safe form of a 15-character id.

    The three added characters spell which letters of each group of five are capitals.
    An id of 18 characters is returned as it is; its check characters are not verified.
    """
    if len(short) == 18:
        return short
    check = ""
    for start in (0, 5, 10):
        group = short[start : start + 5]
        check += _CHECK[sum(1 << i for i, char in enumerate(group) if "A" <= char <= "Z")]
    return short + check


def mint_id(prefix: str, number: int) -> str:
    """Return the `number`-th 18-character id of the object with this key prefix.

    Ids of one object sort in the order they were minted, as the vendor's mostly do.
    """
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return long_id(prefix + _INSTANCE + digits.rjust(9, "0"))


@dataclass
class SObject:
    """One object: its names, and its fields by name in describe's order.

    Attributes:
        prefix: the first three characters of its ids.
        children: plural name under which child records of a parent are found.
        merges: whether records can be merged, and so carry `MasterRecordId`.
        archives: whether old records leave `query` for `queryAll`.
    """

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, FieldDescription] = field(default_factory=dict)
    merges: bool = False
    archives: bool = False

    def __post_init__(self) -> None:
        self.by_lower_name = {name.lower(): name for name in self.fields}

    def add(self, description: FieldDescription) -> None:
        """Add or replace a field."""
        self.fields[description["name"]] = description
        self.by_lower_name[description["name"].lower()] = description["name"]

    def references(self) -> Iterator[FieldDescription]:
        """Yield the fields that point to other records."""
        return (f for f in self.fields.values() if f["type"] == "reference")


_SYSTEM = """
Id                      id                      system
IsDeleted               boolean                 system required
{master}
{body}
CreatedDate             datetime                system required
CreatedById             reference(User)         system required
LastModifiedDate        datetime                system required
LastModifiedById        reference(User)         system required
SystemModstamp          datetime                system required
"""
_MASTER = "MasterRecordId reference({name}) system"

_PICKLISTS = {
    "Account.Type": (
        "Prospect|Customer - Direct|Customer - Channel|Channel Partner / Reseller|"
        "Installation Partner|Technology Partner|Other"
    ),
    "Account.Industry": (
        "Agriculture|Banking|Biotechnology|Consulting|Education|Electronics|Energy|"
        "Engineering|Finance|Government|Healthcare|Hospitality|Insurance|Manufacturing|"
        "Media|Not For Profit|Retail|Technology|Telecommunications|Transportation|"
        "Utilities|Other"
    ),
    "LeadSource": "Web|Phone Inquiry|Partner Referral|Purchased List|Other",
    "Lead.Status": (
        "Open - Not Contacted|Working - Contacted|Closed - Converted|Closed - Not Converted"
    ),
    "Lead.Industry": (
        "Banking|Consulting|Education|Energy|Finance|Government|Healthcare|Manufacturing|"
        "Media|Retail|Technology|Other"
    ),
    "Opportunity.StageName": (
        "Prospecting|Qualification|Needs Analysis|Value Proposition|Id. Decision Makers|"
        "Perception Analysis|Proposal/Price Quote|Negotiation/Review|Closed Won|Closed Lost"
    ),
    "Opportunity.Type": (
        "Existing Customer - Upgrade|Existing Customer - Replacement|"
        "Existing Customer - Downgrade|New Customer"
    ),
    "OpportunityContactRole.Role": (
        "Business User|Decision Maker|Economic Buyer|Economic Decision Maker|Evaluator|"
        "Executive Sponsor|Influencer|Technical Buyer|Other"
    ),
    "Case.Type": "Mechanical|Electrical|Electronic|Structural|Other",
    "Case.Reason": (
        "Installation|Equipment Complexity|Performance|Breakdown|Equipment Design|Feedback|Other"
    ),
    "Task.Status": "Not Started|In Progress|Completed|Waiting on someone else|Deferred",
    "User.TimeZoneSidKey": "America/Los_Angeles|America/New_York|Europe/London|GMT",
    "User.UserType": (
        "Standard|PowerPartner|PowerCustomerSuccess|CustomerSuccess|Guest|CspLitePortal|"
        "AutomatedProcess"
    ),
}
"""Values of the longer picklists, divided by `|`; `@Object.Field` in the table below."""

# One line per field: name, type(length | values | targets | precision,scale), then flags.
# `children=X`: the name of the child relationship; `cascade`: the child goes with its
# parent; `restrict`: the parent cannot go while the child is there. `calculated`: read only.
_STANDARD: tuple[tuple[str, str, str, str, str], ...] = (
    ("Account", "Account", "Accounts", "001", """
        Name                    string(255) required
        Type                    picklist(@Account.Type)
        ParentId                reference(Account) children=ChildAccounts
        BillingAddress          address
        ShippingAddress         address
        Phone                   phone(40)
        Fax                     phone(40)
        AccountNumber           string(40)
        Website                 url(255)
        Industry                picklist(@Account.Industry)
        AnnualRevenue           currency(18,0)
        NumberOfEmployees       int
        Ownership               picklist(Public|Private|Subsidiary|Other)
        Description             textarea(32000)
        Rating                  picklist(Hot|Warm|Cold)
        OwnerId                 reference(User) required
        LastActivityDate        date calculated
        AccountSource           picklist(@LeadSource)
    """),
    ("Contact", "Contact", "Contacts", "003", """
        AccountId               reference(Account) children=Contacts cascade
        Name                    name
        OtherAddress            address
        MailingAddress          address
        Phone                   phone(40)
        Fax                     phone(40)
        MobilePhone             phone(40)
        HomePhone               phone(40)
        OtherPhone              phone(40)
        AssistantPhone          phone(40)
        ReportsToId             reference(Contact) children=ReportsTo
        Email                   email(80)
        Title                   string(128)
        Department              string(80)
        AssistantName           string(40)
        LeadSource              picklist(@LeadSource)
        Birthdate               date
        Description             textarea(32000)
        OwnerId                 reference(User) required
        HasOptedOutOfEmail      boolean required
        HasOptedOutOfFax        boolean required
        DoNotCall               boolean required
        IndividualId            reference(Individual) children=Contacts
        LastActivityDate        date calculated
        EmailBouncedReason      string(255)
        EmailBouncedDate        datetime
        IsEmailBounced          boolean calculated required
    """),
    ("Lead", "Lead", "Leads", "00Q", """
        Name                    name
        Title                   string(128)
        Company                 string(255) required
        Address                 address
        Phone                   phone(40)
        MobilePhone             phone(40)
        Fax                     phone(40)
        Email                   email(80)
        Website                 url(255)
        Description             textarea(32000)
        LeadSource              picklist(@LeadSource)
        Status                  picklist(@Lead.Status) required
        Industry                picklist(@Lead.Industry)
        Rating                  picklist(Hot|Warm|Cold)
        AnnualRevenue           currency(18,0)
        NumberOfEmployees       int
        OwnerId                 reference(User) required
        HasOptedOutOfEmail      boolean required
        HasOptedOutOfFax        boolean required
        DoNotCall               boolean required
        IsConverted             boolean calculated required
        ConvertedDate           date calculated
        ConvertedAccountId      reference(Account) calculated
        ConvertedContactId      reference(Contact) calculated
        ConvertedOpportunityId  reference(Opportunity) calculated
        IndividualId            reference(Individual) children=Leads
        IsUnreadByOwner         boolean required
        LastActivityDate        date calculated
        EmailBouncedReason      string(255)
        EmailBouncedDate        datetime
    """),
    ("Opportunity", "Opportunity", "Opportunities", "006", """
        AccountId               reference(Account) children=Opportunities cascade
        IsPrivate               boolean required
        Name                    string(120) required
        Description             textarea(32000)
        StageName               picklist(@Opportunity.StageName) required
        Amount                  currency(16,2)
        Probability             percent(3,0)
        ExpectedRevenue         currency(16,2) calculated
        CloseDate               date required
        Type                    picklist(@Opportunity.Type)
        NextStep                string(255)
        LeadSource              picklist(@LeadSource)
        IsClosed                boolean calculated required
        IsWon                   boolean calculated required
        ForecastCategory        picklist(Omitted|Pipeline|BestCase|Forecast|Closed) calculated
        OwnerId                 reference(User) required
        LastActivityDate        date calculated
        LastStageChangeDate     datetime calculated
        FiscalYear              int calculated
        FiscalQuarter           int calculated
    """),
    ("OpportunityContactRole", "Opportunity Contact Role", "Opportunity Contact Roles", "00K", """
        OpportunityId  reference(Opportunity) required children=OpportunityContactRoles cascade
        ContactId               reference(Contact) required children=OpportunityContactRoles cascade
        Role                    picklist(@OpportunityContactRole.Role)
        IsPrimary               boolean required
    """),
    ("Case", "Case", "Cases", "500", """
        CaseNumber              string(30) calculated required
        ContactId               reference(Contact) children=Cases restrict
        AccountId               reference(Account) children=Cases restrict
        ParentId                reference(Case) children=Cases
        SuppliedName            string(80)
        SuppliedEmail           email(80)
        SuppliedPhone           string(40)
        SuppliedCompany         string(80)
        Type                    picklist(@Case.Type)
        Status                  picklist(New|Working|Escalated|Closed) required
        Reason                  picklist(@Case.Reason)
        Origin                  picklist(Phone|Email|Web)
        Subject                 string(255)
        Priority                picklist(High|Medium|Low)
        Description             textarea(32000)
        IsClosed                boolean calculated required
        ClosedDate              datetime calculated
        IsEscalated             boolean required
        OwnerId                 reference(User) required
    """),
    ("CaseComment", "Case Comment", "Case Comment", "00a", """
        ParentId                reference(Case) required children=CaseComments cascade
        IsPublished             boolean required
        CommentBody             textarea(4000)
    """),
    ("Task", "Task", "Tasks", "00T", """
        WhoId                   reference(Contact|Lead) children=Tasks cascade
        WhatId                  reference(Account|Opportunity|Case) children=Tasks cascade
        Subject                 combobox(255)
        ActivityDate            date
        Status                  picklist(@Task.Status) required
        Priority                picklist(High|Normal|Low) required
        IsHighPriority          boolean calculated required
        OwnerId                 reference(User) required
        Description             textarea(32000)
        Type                    picklist(Call|Email|Meeting|Other)
        AccountId               reference(Account) calculated
        IsClosed                boolean calculated required
        IsArchived              boolean calculated required
        CallDurationInSeconds   int
        CallType                picklist(Internal|Inbound|Outbound)
        CallDisposition         string(255)
        TaskSubtype             picklist(Task|Email|Call|LinkedIn)
        CompletedDateTime       datetime calculated
    """),
    ("Event", "Event", "Events", "00U", """
        WhoId                   reference(Contact|Lead) children=Events cascade
        WhatId                  reference(Account|Opportunity|Case) children=Events cascade
        Subject                 combobox(255)
        Location                string(255)
        IsAllDayEvent           boolean required
        ActivityDateTime        datetime
        ActivityDate            date calculated
        DurationInMinutes       int
        StartDateTime           datetime
        EndDateTime             datetime
        Description             textarea(32000)
        AccountId               reference(Account) calculated
        OwnerId                 reference(User) required
        Type                    picklist(Email|Meeting|Other|Call)
        IsPrivate               boolean required
        ShowAs                  picklist(Busy|OutOfOffice|Free)
        IsChild                 boolean calculated required
        IsGroupEvent            boolean calculated required
        IsArchived              boolean calculated required
        EventSubtype            picklist(Event)
    """),
    ("User", "User", "Users", "005", """
        Username                string(80) required
        Name                    name
        CompanyName             string(80)
        Division                string(80)
        Department              string(80)
        Title                   string(80)
        Address                 address
        Email                   email(128) required
        Phone                   phone(40)
        MobilePhone             phone(40)
        Alias                   string(8) required
        CommunityNickname       string(40) required
        IsActive                boolean required
        TimeZoneSidKey          picklist(@User.TimeZoneSidKey) required
        UserType                picklist(@User.UserType) calculated
        EmployeeNumber          string(20)
        ManagerId               reference(User)
        LastLoginDate           datetime calculated
        FederationIdentifier    string(512)
    """),
    ("Campaign", "Campaign", "Campaigns", "701", """
        Name                    string(80) required
        ParentId                reference(Campaign) children=ChildCampaigns
        Type                    picklist(Conference|Webinar|Trade Show|Email|Other)
        Status                  picklist(Planned|In Progress|Completed|Aborted)
        StartDate               date
        EndDate                 date
        IsActive                boolean required
        OwnerId                 reference(User) required
    """),
    ("CampaignMember", "Campaign Member", "Campaign Members", "00v", """
        CampaignId              reference(Campaign) required children=CampaignMembers cascade
        LeadId                  reference(Lead) children=CampaignMembers cascade
        ContactId               reference(Contact) children=CampaignMembers cascade
        Status                  picklist(Sent|Responded)
        HasResponded            boolean calculated required
        FirstRespondedDate      date calculated
    """),
    ("EmailMessage", "Email Message", "Email Messages", "02s", """
        ParentId                reference(Case) children=EmailMessages cascade
        RelatedToId             reference(Account|Opportunity|Case) children=Emails
        ReplyToEmailMessageId   reference(EmailMessage) children=EmailMessageReplies
        Subject                 string(3000)
        TextBody                textarea(131072)
        FromAddress             string(1000)
        ToAddress               string(4000)
        CcAddress               string(4000)
        Incoming                boolean required
        IsExternallyVisible     boolean required
        Status                  picklist(0|1|2|3|4|5) required
        MessageDate             datetime
    """),
    ("EmailMessageRelation", "Email Message Relation", "Email Message Relations", "0Dd", """
        EmailMessageId      reference(EmailMessage) required children=EmailMessageRelations cascade
        RelationId              reference(Contact|Lead|User)
        RelationType            picklist(ToAddress|CcAddress|BccAddress|FromAddress|OtherAddress)
        RelationAddress         string(255)
    """),
    ("AccountContactRelation", "Account Contact Relationship", "Account Contact Relationships",
     "07k", """
        AccountId               reference(Account) required children=AccountContactRelations cascade
        ContactId               reference(Contact) required children=AccountContactRelations cascade
        Roles                   multipicklist(Business User|Decision Maker|Influencer|Other)
        IsDirect                boolean calculated required
        IsActive                boolean required
        StartDate               date
        EndDate                 date
    """),
    ("EventRelation", "Event Relation", "Event Relations", "0RE", """
        EventId                 reference(Event) required children=EventRelations cascade
        RelationId reference(Contact|Lead|User|Account|Opportunity|Case) required
        IsWhat                  boolean required
        IsParent                boolean required
        IsInvitee               boolean required
        IsOrganizer             boolean calculated required
        Status                  picklist(New|Declined|Accepted)
        RespondedDate           datetime
        Response                string(255)
    """),
    ("TaskRelation", "Task Relation", "Task Relations", "0RT", """
        TaskId                  reference(Task) required children=TaskRelations cascade
        RelationId              reference(Contact|Lead|Account|Opportunity|Case) required
        IsWhat                  boolean required
    """),
    ("Individual", "Individual", "Individuals", "0PK", """
        Name                    name
        HasOptedOutTracking     boolean required
        HasOptedOutProfiling    boolean required
        HasOptedOutProcessing   boolean required
        HasOptedOutSolicit      boolean required
        HasOptedOutGeoTracking  boolean required
        ShouldForget            boolean required
        SendIndividualData      boolean required
        CanStorePiiElsewhere    boolean required
        OwnerId                 reference(User) required
    """),
    ("ContactPointEmail", "Contact Point Email", "Contact Point Emails", "9Vl", """
        ParentId                reference(Account|Individual) children=ContactPointEmails cascade
        EmailAddress            email(80) required
        IsPrimary               boolean required
        ActiveFromDate          date
        ActiveToDate            date
        OwnerId                 reference(User) required
    """),
    ("ContactPointPhone", "Contact Point Phone", "Contact Point Phones", "0OX", """
        ParentId                reference(Account|Individual) children=ContactPointPhones cascade
        TelephoneNumber         phone(40) required
        IsPrimary               boolean required
        ActiveFromDate          date
        ActiveToDate            date
        OwnerId                 reference(User) required
    """),
    ("ContactPointConsent", "Contact Point Consent", "Contact Point Consents", "0ZU", """
        Name                    string(255) required
        ContactPointId reference(ContactPointEmail|ContactPointPhone|Contact|Lead) required cascade
        DataUsePurposeId        string(18)
        PrivacyConsentStatus    picklist(NotSeen|Seen|OptIn|OptOut) required
        EffectiveFrom           datetime
        EffectiveTo             datetime
        CaptureDate             datetime
        OwnerId                 reference(User) required
    """),
    ("ContactPointTypeConsent", "Contact Point Type Consent", "Contact Point Type Consents",
     "0ZX", """
        Name                    string(255) required
        PartyId                 reference(Individual) required cascade
        ContactPointType        picklist(Email|Phone|MailingAddress|Social|Web) required
        DataUsePurposeId        string(18)
        PrivacyConsentStatus    picklist(NotSeen|Seen|OptIn|OptOut) required
        EffectiveFrom           datetime
        EffectiveTo             datetime
        CaptureDate             datetime
        OwnerId                 reference(User) required
    """),
    ("OpportunityHistory", "Opportunity History", "Opportunity History", "008", """
        OpportunityId       reference(Opportunity) required children=OpportunityHistories cascade
        StageName               picklist(@Opportunity.StageName)
        Amount                  currency(16,2)
        ExpectedRevenue         currency(16,2)
        CloseDate               date
        Probability             percent(3,0)
        ForecastCategory        picklist(Omitted|Pipeline|BestCase|Forecast|Closed)
    """),
    ("AccountHistory", "Account History", "Account History", "017", "@Account"),
    ("ContactHistory", "Contact History", "Contact History", "017", "@Contact"),
    ("LeadHistory", "Lead History", "Lead History", "017", "@Lead"),
    ("CaseHistory", "Case History", "Case History", "017", "@Case"),
    ("OpportunityFieldHistory", "Opportunity Field History", "Opportunity Field History", "017",
     "@Opportunity"),
    ("LoginHistory", "Login History", "Login History", "0Ya", """
        UserId                  reference(User) required
        LoginTime               datetime required
        LoginType               picklist(Application|Remote Access 2.0|Other Apex API)
        Status                  string(128)
    """),
)  # fmt: skip
"""Key prefixes of the consent objects and relations are made up where none is documented."""

FIELD_HISTORY = {
    "Account": "AccountHistory",
    "Contact": "ContactHistory",
    "Lead": "LeadHistory",
    "Case": "CaseHistory",
    "Opportunity": "OpportunityFieldHistory",
}
"""Object -> where changes of its tracked fields are kept."""
_TRACKED = """
{parent}Id              reference({parent}) required children=Histories cascade
Field                   picklist(created)
DataType                picklist(Text|Currency|Number|EnumOrId|DateOnly|Boolean)
OldValue                anyType
NewValue                anyType
"""
SNAPSHOTS = ("StageName", "Amount", "ExpectedRevenue", "CloseDate", "Probability",
             "ForecastCategory")  # fmt: skip
"""What OpportunityHistory keeps of an opportunity."""

_MERGES = {"Account", "Contact", "Lead", "Case"}
_ARCHIVES = {"Task", "Event"}
_WRITTEN_BY_THE_SYSTEM = {*FIELD_HISTORY.values(), "OpportunityHistory", "LoginHistory"}
_NOT_DELETABLE = {"User", *_WRITTEN_BY_THE_SYSTEM}
SKIPS_BIN = {"CampaignMember"}
"""Objects whose deletion is final at once."""
RELATIONS = {"Event": "EventRelation", "Task": "TaskRelation"}
"""Activity -> who else, and what, it is about. A relation deleted by itself skips the bin; one that
went with its activity does not (Object Reference: TaskRelation, `IsDeleted`)."""
ONLY_WITH_SHARED_ACTIVITIES = {"TaskRelation"}
FIELDS_OF_SHARED_ACTIVITIES = {"EventRelation": {"IsParent", "IsWhat"}}
"""What an org has only with Shared Activities switched on (Object Reference: TaskRelation,
EventRelation; Field Reference: EventRelation)."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "Lead": {"Status": "Open - Not Contacted"},
    "Case": {"Status": "New", "Priority": "Medium"},
    "Task": {"Status": "Not Started", "Priority": "Normal", "TaskSubtype": "Task"},
    "Event": {"ShowAs": "Busy", "EventSubtype": "Event", "DurationInMinutes": 60},
    "CampaignMember": {"Status": "Sent"},
    "EmailMessage": {"Status": "3"},
    "EventRelation": {"Status": "New"},
    "User": {"IsActive": True, "UserType": "Standard", "TimeZoneSidKey": "GMT"},
}
"""Values a new record takes when the writer gives none (booleans default to false)."""

STAGES: dict[str, tuple[int, str]] = {
    "Prospecting": (10, "Pipeline"),
    "Qualification": (10, "Pipeline"),
    "Needs Analysis": (20, "Pipeline"),
    "Value Proposition": (50, "Pipeline"),
    "Id. Decision Makers": (60, "Pipeline"),
    "Perception Analysis": (70, "Pipeline"),
    "Proposal/Price Quote": (75, "Pipeline"),
    "Negotiation/Review": (90, "Pipeline"),
    "Closed Won": (100, "Closed"),
    "Closed Lost": (0, "Omitted"),
}
"""Opportunity stage -> probability in percent, forecast category (a new org's settings)."""

_LINE = re.compile(r"(\w+)\s+(\w+)(?:\(([^)]*)\))?\s*(.*)")
ADDRESS_PARTS = (
    ("Street", "textarea(255)"),
    ("City", "string(40)"),
    ("State", "string(80)"),
    ("PostalCode", "string(20)"),
    ("Country", "string(80)"),
    ("Latitude", "double(18,15)"),
    ("Longitude", "double(18,15)"),
    ("GeocodeAccuracy", "picklist(Address|NearAddress|Block|Street|ExtendedZip|Zip|City|State)"),
)
_SOAP = {
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "id": "tns:ID",
    "reference": "tns:ID",
    "address": "urn:address",
}
_BYTES_PER_CHARACTER = 3
_LENGTHS = {"id": 18, "reference": 18, "picklist": 255, "multipicklist": 4099, "email": 80}


def describe_field(given: FieldDescription) -> FieldDescription:
    """Return the whole describe entry of a field from the keys that matter.

    `given` needs `name` and `type`; whatever else it says overrides what follows from
    these. `picklistValues` may be plain strings.
    """
    name, kind = given["name"], given["type"]
    custom = name.endswith("__c")
    length = given.get("length", _LENGTHS.get(kind, 0))
    read_only = bool(given.get("calculated"))
    relationship = None
    if kind == "reference":
        relationship = name[:-1] + "r" if custom else name.removesuffix("Id")
    values = [
        v
        if isinstance(v, dict)
        else {"active": True, "defaultValue": False, "label": v, "validFor": None, "value": v}
        for v in given.get("picklistValues", ())
    ]
    long_text = kind == "textarea" and length > 255
    return {
        "aggregatable": kind not in {"boolean", "address", "anyType"} and not long_text,
        "autoNumber": False,
        "byteLength": length * _BYTES_PER_CHARACTER,
        "calculated": False,
        "calculatedFormula": None,
        "caseSensitive": False,
        "compoundFieldName": None,
        "createable": not read_only,
        "custom": custom,
        "defaultValue": False if kind == "boolean" else None,
        "defaultedOnCreate": kind == "boolean",
        "deprecatedAndHidden": False,
        "digits": 8 if kind == "int" else 0,
        "encrypted": False,
        "externalId": False,
        "extraTypeInfo": "plaintextarea" if kind == "textarea" else None,
        "filterable": kind not in {"address", "anyType"} and not long_text,
        "groupable": kind not in {"address", "anyType", "currency", "double", "percent"}
        and not long_text,
        "idLookup": kind == "id",
        "inlineHelpText": None,
        "label": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c").replace("_", " ")),
        "length": length,
        "nameField": False,
        "nillable": kind != "boolean",
        "permissionable": not given.get("required", False),
        "precision": 0,
        "relationshipName": relationship,
        "restrictedPicklist": False,
        "scale": 0,
        "soapType": _SOAP.get(kind, "xsd:string"),
        "sortable": kind not in {"address", "anyType"} and not long_text,
        "unique": False,
        "updateable": not read_only,
        **{key: value for key, value in given.items() if key not in {"required", "system"}},
        "picklistValues": values,
        "referenceTo": list(given.get("referenceTo", ())),
    }


def _parse_line(line: str) -> Iterator[FieldDescription]:
    """Yield the descriptions one line of the table stands for (compounds give several)."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(f"not a field declaration: {line!r}")
    name, kind, argument, flags = match[1], match[2], match[3] or "", match[4].split()
    if kind == "address":
        stem = name.removesuffix("Address")
        for part, part_type in ADDRESS_PARTS:
            for component in _parse_line(f"{stem}{part} {part_type}"):
                yield component | {"compoundFieldName": name}
        yield describe_field(
            {"name": name, "type": "address", "createable": False, "updateable": False}
        )
        return
    if kind == "name":
        part_of = {"compoundFieldName": "Name"}
        yield from (
            describe_field({"name": "LastName", "type": "string", "length": 80, "nillable": False})
            | part_of,
            describe_field({"name": "FirstName", "type": "string", "length": 40}) | part_of,
            describe_field(
                {
                    "name": "Salutation",
                    "type": "picklist",
                    "picklistValues": ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof."),
                }
            )
            | part_of,
            describe_field(
                {
                    "name": "Name",
                    "type": "string",
                    "length": 121,
                    "nameField": True,
                    "nillable": False,
                    "createable": False,
                    "updateable": False,
                }
            ),
        )
        return
    given: FieldDescription = {"name": name, "type": kind}
    if kind in {"picklist", "multipicklist"}:
        values = _PICKLISTS[argument[1:]] if argument.startswith("@") else argument
        given["picklistValues"] = values.split("|")
    elif kind == "reference":
        given["referenceTo"] = argument.split("|")
    elif "," in argument:
        given["precision"], given["scale"] = map(int, argument.split(","))
    elif argument:
        given["length"] = int(argument)
    if "required" in flags:
        given["nillable"] = False
        given["required"] = True
    if "system" in flags or "calculated" in flags:
        given |= {"createable": False, "updateable": False}
    if name == "Name" or name == "CaseNumber":
        given["nameField"] = True
    if name == "CaseNumber":
        given["autoNumber"] = True
    for flag in flags:
        key, _, value = flag.partition("=")
        if key == "children":
            given["childRelationshipName"] = value
        elif key in {"cascade", "restrict"}:
            given[key] = True
    yield describe_field(given)


def _table(name: str, body: str) -> str:
    master = _MASTER.format(name=name) if name in _MERGES else ""
    if body.startswith("@"):
        body = _TRACKED.format(parent=body[1:])
    text = _SYSTEM.format(master=master, body=body)
    missing: tuple[str, ...] = ()
    if name == "User":
        missing = ("IsDeleted",)
    elif name == "LoginHistory":
        missing = tuple(line.split()[0] for line in _SYSTEM.splitlines() if "system" in line)[1:]
    elif name in _WRITTEN_BY_THE_SYSTEM:
        stamped = ("SystemModstamp",) if name != "OpportunityHistory" else ()
        missing = ("LastModifiedDate", "LastModifiedById", *stamped)
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(tuple(f"{m} " for m in missing)))


def standard_objects() -> dict[str, SObject]:
    """Return fresh standard objects by name, free to be extended."""
    objects = {}
    for name, label, plural, prefix, body in _STANDARD:
        described = [
            description
            for line in _table(name, body).splitlines()
            if line.strip()
            for description in _parse_line(line)
        ]
        objects[name] = SObject(
            name=name,
            label=label,
            plural=plural,
            prefix=prefix,
            fields={description["name"]: description for description in described},
            merges=name in _MERGES,
            archives=name in _ARCHIVES,
        )
    return objects


def custom_object(name: str, prefix: str, label: str | None = None) -> SObject:
    """Return an empty custom object (`X__c`): name, owner and the system fields."""
    described = [
        description
        for line in _table(name, "Name string(80)\n OwnerId reference(User) required").splitlines()
        if line.strip()
        for description in _parse_line(line)
    ]
    label = label or name.removesuffix("__c").replace("_", " ")
    return SObject(
        name=name,
        label=label,
        plural=label + "s",
        prefix=prefix,
        fields={description["name"]: description for description in described},
    )


def is_written_by_users(name: str) -> bool:
    """Histories are written by the system alone."""
    return name not in _WRITTEN_BY_THE_SYSTEM


def is_deletable(name: str) -> bool:
    """Users are deactivated, never deleted."""
    return name not in _NOT_DELETABLE
