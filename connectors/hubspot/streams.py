"""What is read of a HubSpot account: kinds of records, their properties, links and scopes.

Belongs here: declarations, as tables. Does not belong here: how anything is asked for (`client`)
or in which order it is read (`reads`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from connectors.base import Stream, by_field
from connectors.errors import ConfigError, suggestion

LAG = timedelta(minutes=1)
LOOKBACK = timedelta(hours=1)  # how far the search index has been seen behind

HISTORY = "property_history"
MEMBERSHIPS = "list_memberships"
LEADS = "leads"
EMAIL_EVENTS = "email_events"
BEHAVIOR = "behavior_events"

_TYPES = by_field(
    timestamp="createdate lastmodifieddate hs_lastmodifieddate hs_createdate closedate closed_date "
    "hs_timestamp hs_meeting_start_time hs_meeting_end_time hs_task_completion_date "
    "hs_submission_timestamp first_agent_reply_date last_reply_date",
    decimal="amount hs_value hs_deal_stage_probability",
    integer="numberofemployees hs_call_duration hs_object_id",
    boolean="hs_email_optout hs_is_closed hs_is_closed_won",
)
_PII = by_field(
    direct="email hs_additional_emails firstname lastname phone mobilephone hs_email_from_email "
    "hs_email_to_email hs_lead_name",
)
ENVELOPE = ("id", "createdAt", "updatedAt", "archived")
_ENVELOPE_TYPES = by_field(timestamp="createdAt updatedAt", boolean="archived")


def _properties(names: Iterable[str], of: Mapping[str, str]) -> dict[str, str]:
    return {f"properties.{name}": of[name] for name in names if name in of}


def _object(
    name: str, properties: str, object_name: str = "", coverage: str | None = None
) -> Stream:
    names = properties.split()
    return Stream(
        name=name,
        object_name=object_name or name,
        key=("id",),
        fields=(*ENVELOPE, *(f"properties.{name}" for name in names)),
        cursor="updatedAt",
        lag=LAG,
        lookback=LOOKBACK,
        deletes="archived",
        reconciles="the total of a search, daily and after every change; the list of all records, "
        "weekly, and daily while more is held than counted",
        types=_ENVELOPE_TYPES | _properties(names, _TYPES),
        pii=_properties(names, _PII),
        coverage=coverage,
        pages_ahead=1,
    )


def _list(name: str, fields: str, *, key: str = "id", pii: str = "", json: str = "") -> Stream:
    """Declare a list that is short, cannot say what changed, and is read whole."""
    return Stream(
        name=name,
        object_name=name,
        key=tuple(key.split()),
        fields=tuple(fields.split()),
        sync_mode="full",
        deletes="census",
        reconciles="the whole list, at every sync",
        types={
            field: kind
            for field, kind in (
                _ENVELOPE_TYPES
                | by_field(timestamp="publishDate", boolean="isActive isDefault isInternal")
                | by_field(json=json)
            ).items()
            if field in fields.split()
        },
        pii=by_field(direct=pii),
    )


STREAMS: tuple[Stream, ...] = (
    _object(
        "contacts",
        "email hs_additional_emails firstname lastname phone mobilephone jobtitle company "
        "associatedcompanyid hubspot_owner_id lifecyclestage hs_lead_status country industry "
        "hs_email_optout hs_email_hard_bounce_reason_enum hs_legal_basis createdate "
        "lastmodifieddate",
    ),
    _object(
        "companies",
        "name domain website phone industry type lifecyclestage country numberofemployees "
        "hubspot_owner_id hs_parent_company_id createdate hs_lastmodifieddate",
    ),
    _object(
        "deals",
        "dealname dealstage pipeline dealtype amount deal_currency_code closedate hs_is_closed "
        "hs_is_closed_won hs_deal_stage_probability hubspot_owner_id createdate "
        "hs_lastmodifieddate",
    ),
    _object(
        "tickets",
        "hs_pipeline hs_pipeline_stage hs_ticket_priority hs_ticket_category source_type "
        "hubspot_owner_id hs_is_closed closed_date first_agent_reply_date last_reply_date "
        "createdate hs_lastmodifieddate",
    ),
    _object(
        "calls",
        "hs_timestamp hs_call_direction hs_call_status hs_call_disposition hs_call_duration "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "emails",
        "hs_timestamp hs_email_direction hs_email_status hs_email_from_email hs_email_to_email "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "meetings",
        "hs_timestamp hs_meeting_start_time hs_meeting_end_time hs_meeting_outcome "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object("notes", "hs_timestamp hubspot_owner_id hs_createdate hs_lastmodifieddate"),
    _object(
        "tasks",
        "hs_timestamp hs_task_status hs_task_type hs_task_priority hs_task_completion_date "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object(
        "communications",
        "hs_timestamp hs_communication_channel_type hs_communication_logged_from "
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
    ),
    _object("postal_mail", "hs_timestamp hubspot_owner_id hs_createdate hs_lastmodifieddate"),
    _object(
        "feedback_submissions",
        "hs_survey_type hs_survey_id hs_survey_name hs_survey_channel hs_value hs_sentiment "
        "hs_response_group hs_submission_timestamp hs_contact_id hs_createdate "
        "hs_lastmodifieddate",
    ),
    _object(
        LEADS,
        "hs_lead_name hs_lead_type hs_lead_label hs_pipeline hs_pipeline_stage hubspot_owner_id "
        "hs_createdate hs_lastmodifieddate",
        coverage="only where `objects` names them",
    ),
    Stream(
        name="associations",
        key=("fromType", "fromId", "toType"),
        fields=("fromType", "fromId", "toType", "to.toObjectId", "to.associationTypes"),
        lag=LAG,
        lookback=LOOKBACK,
        deletes="census",
        types={"to": "json"},
        reconciles="the links of all records, daily: which records have any",
        coverage="a link that changes without its record is noticed within a day; those of records "
        "whose scope is missing stay as they were",
    ),
    Stream(
        name="subscription_statuses",
        key=("contactId",),
        fields=(
            "contactId",
            *(
                f"statuses.{field}"
                for field in ("subscriptionId", "status", "source", "timestamp", "legalBasis")
            ),
            *(
                f"wideStatuses.{field}"
                for field in ("wideStatusType", "businessUnitId", "status", "timestamp")
            ),
        ),
        lag=LAG,
        lookback=LOOKBACK,
        deletes="census",
        types={"statuses": "json", "wideStatuses": "json"},
        reconciles="the consents of all contacts, weekly",
        coverage="a consent that changes without its contact is noticed within 7 days",
    ),
    Stream(
        name=HISTORY,
        key=("objectType", "objectId", "property"),
        fields=(
            "objectType",
            "objectId",
            "property",
            *(
                f"versions.{field}"
                for field in ("value", "timestamp", "sourceType", "updatedByUserId")
            ),
        ),
        lag=LAG,
        lookback=LOOKBACK,
        deletes="census",
        types={"versions": "json"},
        reconciles="the histories of all records, weekly",
        coverage="only what `history` names; of each property the vendor tells its last values, "
        "some 20, for contacts 45",
    ),
    _list(
        "owners",
        "id email firstName lastName userId userIdIncludingInactive type archived createdAt "
        "updatedAt",
        pii="email firstName lastName",
    ),
    _list(
        "pipelines",
        "objectType id label displayOrder archived stages createdAt updatedAt",
        key="objectType id",
        json="stages",
    ),
    _list(
        "marketing_emails",
        "id name state type publishDate createdAt updatedAt archived campaign subscriptionDetails "
        "allEmailCampaignIds stats.counters",
        json="allEmailCampaignIds subscriptionDetails stats",
    ),
    _list(
        "subscription_types",
        "id name purpose communicationMethod isActive isDefault isInternal createdAt updatedAt",
    ),
    _list("campaigns", "id properties createdAt updatedAt", json="properties"),
    _list("lists", "listId name objectTypeId processingType createdAt updatedAt", key="listId"),
    Stream(
        name=MEMBERSHIPS,
        key=("listId", "recordId"),
        fields=("listId", "recordId", "membershipTimestamp"),
        deletes="census",
        types=by_field(timestamp="membershipTimestamp"),
        reconciles="how many the lists say are on them, at every sync; who that is, weekly, and "
        "daily while more are held than counted",
        coverage="only lists that `members_of` names; who left one is noticed within a week, and "
        "within a day where nobody came instead",
    ),
    _list("forms", "id name formType archived createdAt updatedAt"),
    Stream(
        name="form_submissions",
        key=("conversionId",),
        fields=("conversionId", "formId", "contactId", "submittedAt"),
        cursor="submittedAt",
        lookback=LOOKBACK,
        types={"submittedAt": "timestamp"},
        unreconciled="a form does not tell how often it was submitted",
        coverage="forms that were archived show nothing any more",
    ),
    Stream(
        name=EMAIL_EVENTS,
        key=("id",),
        fields=(
            *("id", "created", "type", "contactId", "emailCampaignId", "sentBy.id"),
            *("filteredEvent", "source", "portalSubscriptionStatus"),
            *("subscriptions.id", "subscriptions.status", "category"),
        ),
        cursor="created",
        lag=LAG,
        lookback=LOOKBACK,
        types={
            **by_field(timestamp="created", boolean="filteredEvent", json="subscriptions"),
            "sentBy": "json",
        },
        unreconciled="the log does not tell how many events it has",
        coverage="only where `email_events` asks for it; who got a message is known while a "
        "contact has the address that it went to",
    ),
    Stream(
        name=BEHAVIOR,
        key=("id",),
        fields=("id", "eventType", "objectType", "objectId", "occurredAt"),
        cursor="occurredAt",
        lag=LAG,
        lookback=LOOKBACK,
        types={"occurredAt": "timestamp"},
        unreconciled="the vendor does not count them",
        coverage="only the types that `events` names; how long they are kept is not documented",
    ),
)

TYPE_IDS = {
    "0-1": "contacts", "0-2": "companies", "0-3": "deals", "0-5": "tickets", "0-27": "tasks",
    "0-46": "notes", "0-47": "meetings", "0-48": "calls", "0-49": "emails", "0-136": LEADS,
}  # fmt: skip
"""The vendor's own objects by the ids that stand for them; the account's own have none here."""

_ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks", "communications")
LINKED_TO_CUSTOM = ("contacts", "companies")
LINKED: dict[str, Sequence[str]] = {
    "contacts": ("companies",),
    "deals": ("contacts", "companies"),
    "tickets": ("contacts", "companies"),
    **dict.fromkeys(_ENGAGEMENTS, ("contacts", "companies", "deals", "tickets")),
    "postal_mail": ("contacts", "companies"),
}
"""Object type -> the types whose links to it are read."""
MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")
CHANGED = {"contacts": "lastmodifieddate"}  # all others: hs_lastmodifieddate
CREATED = dict.fromkeys(("contacts", "companies", "deals", "tickets"), "createdate")
_SCOPES = {
    "tickets": "tickets",
    "emails": "sales-email-read",
    "feedback_submissions": "crm.objects.feedback_submissions.read",
    **dict.fromkeys(("marketing_emails", EMAIL_EVENTS), "content"),
    "subscription_types": "communication_preferences.read",
    "subscription_statuses": "communication_preferences.statuses.batch.read",
    **{
        name: f"crm.objects.{name}.read"
        for name in ("contacts", "companies", "deals", "owners", LEADS, "custom")
    },
    **dict.fromkeys(("calls", "meetings", "notes", "tasks"), "crm.objects.contacts.read"),
    **dict.fromkeys(("communications", "postal_mail"), "crm.objects.contacts.read"),
    **dict.fromkeys(("forms", "form_submissions"), "forms"),
    "campaigns": "marketing.campaigns.read",
    **dict.fromkeys(("lists", MEMBERSHIPS), "crm.lists.read"),
    "pipelines": "crm.objects.deals.read` and `tickets",
    "associations": "crm.objects.contacts.read",
    HISTORY: "crm.objects.contacts.read",
    BEHAVIOR: "crm.objects.contacts.read` and a plan of the tier `Enterprise",
}
OPTIONAL = {
    *("tickets", "emails", "communications", "postal_mail", "feedback_submissions"),
    *("marketing_emails", EMAIL_EVENTS, "subscription_types", "subscription_statuses"),
    *("campaigns", "lists", MEMBERSHIPS, "forms", "form_submissions", BEHAVIOR),
}
"""Streams that many accounts do not have: a missing scope is coverage there, not a mistake."""


def custom_object(object_name: str) -> Stream:
    """Return the stream of an object of the account's own, named by name or type id."""
    name = object_name.lower().replace("-", "_")
    return _object(
        f"object_{name}" if name[:1].isdigit() else name,
        "hubspot_owner_id hs_createdate hs_lastmodifieddate",
        object_name,
    )


def has_properties(stream: Stream) -> bool:
    """Tell whether a stream is of records with properties, which can be listed and searched."""
    return stream.cursor == "updatedAt"


def with_history(
    source: str, streams: Sequence[Stream], history: Mapping[str, Sequence[str]]
) -> tuple[Stream, ...]:
    """Return the streams with `property_history` only if something is asked of it.

    Its values are as personal as the properties that they were of.

    Raises:
        ConfigError: `history` names records that are not read, or that have no properties.
    """
    known = {stream.object_name: stream for stream in streams if has_properties(stream)}
    for kind in history:
        if kind not in known:
            meant = suggestion(kind, known)
            raise ConfigError(
                f"{source}: `history: {kind}` names no records whose properties are read.{meant} "
                "A custom object must stand under `objects` first."
            )
    classes = {
        known[kind].pii.get(f"properties.{name}", _PII.get(name, "none"))
        for kind, names in history.items()
        for name in names
    }
    pii = next((word for word in ("direct", "text", "pseudonym") if word in classes), None)
    return tuple(
        replace(stream, pii={"versions.value": pii}) if pii and stream.name == HISTORY else stream
        for stream in streams
        if stream.name != HISTORY or history
    )


def scope_of(stream_name: str) -> str:
    """Return the scope that a stream needs; custom objects share one."""
    return _SCOPES.get(stream_name, _SCOPES["custom"])


def wanted(stream: Stream) -> list[str]:
    """Return the properties to ask for: those taken, and what tells of merges."""
    names = [field.partition(".")[2] for field in stream.fields if field.startswith("properties.")]
    return ["hs_object_id", *names, *MERGED]
