"""What a portal has before anybody uses it: objects, properties, pipelines, association types.

Belongs here: declarations, and how a value is checked and written down by its type.
Does not belong here: records (`portal`), search (`search`), HTTP (`http`).

Each object lists what the portal of a small company uses of the vendor's hundreds of
properties, under the vendor's names, types and field types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

HISTORY_KEPT = {"contacts": 45}
HISTORY_KEPT_ELSEWHERE = 20
"""Past versions of a value that the vendor keeps."""

ENGAGEMENTS = ("calls", "emails", "meetings", "notes", "tasks", "communications", "postal_mail")

MAY_MERGE = ("contacts", "companies", "deals", "tickets")

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")

Property = dict[str, Any]
"""A property as the properties API describes it."""


@dataclass
class ObjectType:
    """One kind of record.

    Attributes:
        name: in paths (`contacts`); `singular`: in messages and association types.
        stamp: the property that tells the last change; contacts alone have their own.
        born: the property that tells when it was made.
        default: what an answer holds when no property is asked for.
        unique: properties that no two records share and that look one up.
        read_only: the API makes and changes none of it.
        scope: without it, reading is refused; `write_scope` likewise.
    """

    name: str
    singular: str
    type_id: str
    properties: dict[str, Property]
    default: tuple[str, ...]
    stamp: str = "hs_lastmodifieddate"
    born: str = "hs_createdate"
    unique: tuple[str, ...] = ()
    read_only: bool = False
    scope: str = "crm.objects.contacts.read"
    write_scope: str = "crm.objects.contacts.write"
    searched: tuple[str, ...] = ()
    fully_qualified_name: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def always(self) -> tuple[str, str, str]:
        """What an answer holds whatever is asked for."""
        return self.born, "hs_object_id", self.stamp


def describe(
    name: str,
    type: str = "string",
    *,
    options: Iterable[str | tuple[str, str]] = (),
    label: str | None = None,
    hubspot_defined: bool = False,
    at: datetime | None = None,
    **more: Any,
) -> Property:
    """Return a property's description, whole, from what is said of it.

    Args:
        options: values of an enumeration, or (value, label).
        at: when it was declared, for those the vendor did not.
        more: any key of the vendor's description, for example `dataSensitivity`,
            `calculated`, `hasUniqueValue`, `referencedObjectType`, `groupName`.
    """
    field_types = {
        "string": "text",
        "number": "number",
        "bool": "booleancheckbox",
        "date": "date",
        "datetime": "date",
        "enumeration": "select",
        "phone_number": "phonenumber",
    }
    calculated = bool(more.pop("calculated", False))
    read_only = bool(more.pop("readOnlyValue", calculated))
    pairs = [option if isinstance(option, tuple) else (option, option) for option in options]
    if type == "bool":
        pairs = [("true", "True"), ("false", "False")]
    described: Property = {
        "name": name,
        "label": label or name.removeprefix("hs_").replace("_", " ").capitalize(),
        "type": type,
        "fieldType": more.pop("fieldType", field_types[type]),
        "description": more.pop("description", ""),
        "groupName": more.pop("groupName", "information"),
        "options": [
            {
                "label": text,
                "value": value,
                "displayOrder": number,
                "hidden": False,
                "description": "",
            }
            for number, (value, text) in enumerate(pairs)
        ],
        "displayOrder": -1,
        "calculated": calculated,
        "externalOptions": "referencedObjectType" in more,
        "archived": False,
        "hasUniqueValue": False,
        "hidden": False,
        "hubspotDefined": hubspot_defined,
        "modificationMetadata": {
            "archivable": not hubspot_defined,
            "readOnlyDefinition": hubspot_defined,
            "readOnlyOptions": hubspot_defined,
            "readOnlyValue": read_only,
        },
        "formField": not hubspot_defined,
        "dataSensitivity": "non_sensitive",
    }
    if at is not None:
        described |= {"createdAt": iso(at), "updatedAt": iso(at)}
    return described | more


class InvalidValue(ValueError):
    """A value a property does not take; `error` is the vendor's code for why."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(message)
        self.error = error


def written(described: Property, value: Any) -> str | None:
    """Return a value as the portal keeps it: a text, or None for none.

    Raises:
        InvalidValue: the property's type or options do not allow it.
    """
    if value is None or value == "":
        return None
    kind, name = described["type"], described["name"]
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, datetime):
        text = iso(value)
        if kind == "datetime":
            return text
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = str(value)
    if kind == "number" and not _NUMBER.fullmatch(text):
        raise InvalidValue("INVALID_INTEGER", f"{text} was not a valid number.")
    if kind == "bool" and text not in ("true", "false"):
        raise InvalidValue("INVALID_OPTION", f"{text} was not one of the allowed options: [true, "
                           "false]")  # fmt: skip
    if kind == "datetime":
        return iso(_moment(text, "INVALID_LONG"))
    if kind == "date":
        return _moment(text, "INVALID_DATE").date().isoformat()
    if kind == "enumeration" and described["options"]:
        allowed = {option["value"] for option in described["options"]}
        several = described["fieldType"] == "checkbox"
        if not set(text.split(";") if several else [text]) <= allowed:
            raise InvalidValue(
                "INVALID_OPTION",
                f"{text} was not one of the allowed options: [{', '.join(sorted(allowed))}]",
            )
    return text.strip().lower() if name == "email" else text


def _moment(text: str, error: str) -> datetime:
    try:
        if re.fullmatch(r"-?\d{10,}", text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidValue(error, f"{text} was not a valid date.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Return `2024-01-31T09:12:00.250Z`; a moment without milliseconds shows none."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    has_millis = moment.microsecond >= 1000
    return moment.isoformat(timespec="milliseconds" if has_millis else "seconds")[:-6] + "Z"


def epoch_ms(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


# What the vendor defines


_OWNER: dict[str, Any] = {"referencedObjectType": "OWNER"}
_ROBOT: dict[str, Any] = {"readOnlyValue": True}
_CALCULATED: dict[str, Any] = {"calculated": True}

LIFECYCLE = (
    "subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity",
    "customer", "evangelist", "other",
)  # fmt: skip

_Declared = tuple[str, str, Mapping[str, Any]]


def _texts(names: str) -> list[_Declared]:
    return [(name, "string", {}) for name in names.split()]


def _numbers(names: str, **more: Any) -> list[_Declared]:
    return [(name, "number", more) for name in names.split()]


def _moments(names: str, **more: Any) -> list[_Declared]:
    return [(name, "datetime", more) for name in names.split()]


def _choice(name: str, options: str, **more: Any) -> _Declared:
    return name, "enumeration", {"options": options.split(), **more}


_EVERYWHERE: list[_Declared] = [
    ("hs_object_id", "number", _ROBOT),
    ("hs_merged_object_ids", "enumeration", {"fieldType": "checkbox", **_CALCULATED}),
    ("hubspot_owner_id", "enumeration", _OWNER),
    *_moments("hubspot_owner_assigneddate", **_ROBOT),
    _choice("hs_object_source", "", **_ROBOT),
    *_numbers("hs_created_by_user_id hs_updated_by_user_id", **_ROBOT),
]

_CONTACT: list[_Declared] = [
    *_texts("email firstname lastname jobtitle company website address city state zip country"),
    *_texts("hs_additional_emails hs_linkedin_url twitterhandle salutation message"),
    ("hs_calculated_merged_vids", "string", _CALCULATED),
    ("hs_email_domain", "string", _CALCULATED),
    ("phone", "string", {"fieldType": "phonenumber"}),
    ("mobilephone", "string", {"fieldType": "phonenumber"}),
    _choice("lifecyclestage", " ".join(LIFECYCLE), fieldType="radio"),
    _choice(
        "hs_lead_status",
        "NEW OPEN IN_PROGRESS OPEN_DEAL UNQUALIFIED ATTEMPTED_TO_CONTACT CONNECTED BAD_TIMING",
        fieldType="radio",
    ),
    _choice(
        "hs_legal_basis",
        "LEGITIMATE_INTEREST_PQL LEGITIMATE_INTEREST_CLIENT CONSENT_WITH_NOTICE "
        "PERFORMANCE_OF_CONTRACT OTHER",
        fieldType="checkbox",
    ),
    _choice(
        "hs_analytics_source",
        "ORGANIC_SEARCH EMAIL_MARKETING REFERRALS DIRECT_TRAFFIC SOCIAL_MEDIA OFFLINE",
        **_ROBOT,
    ),
    ("hs_email_optout", "bool", _ROBOT),
    ("hs_marketable_status", "bool", _ROBOT),
    *_numbers("associatedcompanyid", referencedObjectType="COMPANY"),
    *_numbers("hs_email_delivered hs_email_open hs_email_click hs_email_bounce", **_ROBOT),
    *_numbers("num_contacted_notes num_associated_deals", **_CALCULATED),
    *_moments("hs_email_last_send_date hs_email_last_open_date hs_email_last_click_date", **_ROBOT),
    *_moments("notes_last_contacted", **_CALCULATED),
    *_moments("createdate lastmodifieddate", **_ROBOT),
    *_moments("closedate"),
    ("hs_email_hard_bounce_reason_enum", "enumeration", _ROBOT),
]

_COMPANY: list[_Declared] = [
    *_texts("name domain website industry address city state zip country description"),
    *_texts("hs_additional_domains linkedin_company_page"),
    ("phone", "string", {"fieldType": "phonenumber"}),
    _choice("lifecyclestage", " ".join(LIFECYCLE), fieldType="radio"),
    _choice("type", "PROSPECT PARTNER RESELLER VENDOR OTHER"),
    *_numbers("numberofemployees annualrevenue"),
    *_numbers("hs_parent_company_id", **_CALCULATED),
    *_numbers("num_associated_contacts num_associated_deals", **_CALCULATED),
    *_moments("createdate hs_lastmodifieddate", **_ROBOT),
]

_DEAL: list[_Declared] = [
    *_texts("dealname description hs_next_step"),
    (
        "amount",
        "number",
        {"showCurrencySymbol": True, "currencyPropertyName": "deal_currency_code"},
    ),
    _choice("deal_currency_code", "USD EUR GBP"),
    _choice("dealtype", "newbusiness existingbusiness", fieldType="radio"),
    _choice("pipeline", "", externalOptions=True),
    _choice("dealstage", "", fieldType="radio", externalOptions=True),
    *_moments("closedate"),
    *_moments("createdate hs_lastmodifieddate", **_ROBOT),
    ("hs_is_closed", "bool", _CALCULATED),
    ("hs_is_closed_won", "bool", _CALCULATED),
    *_numbers("hs_deal_stage_probability num_associated_contacts", **_CALCULATED),
]

_TICKET: list[_Declared] = [
    *_texts("subject content hs_resolution"),
    _choice("hs_pipeline", "", externalOptions=True),
    _choice("hs_pipeline_stage", "", externalOptions=True),
    _choice("hs_ticket_priority", "LOW MEDIUM HIGH URGENT"),
    _choice(
        "hs_ticket_category",
        "PRODUCT_ISSUE BILLING_ISSUE FEATURE_REQUEST GENERAL_INQUIRY",
        fieldType="checkbox",
    ),
    _choice("source_type", "CHAT EMAIL FORM PHONE"),
    *_numbers("hs_ticket_id time_to_close", **_CALCULATED),
    *_numbers("time_to_first_agent_reply"),
    ("hs_is_closed", "bool", _CALCULATED),
    *_moments("closed_date first_agent_reply_date last_reply_date"),
    *_moments("hs_last_message_received_at hs_last_message_sent_at"),
    *_moments("createdate hs_lastmodifieddate", **_ROBOT),
]

_LEAD: list[_Declared] = [
    *_texts("hs_lead_name hs_lead_disqualification_note"),
    _choice("hs_lead_type", "NEW_BUSINESS RE_ATTEMPTING UPSELL", fieldType="radio"),
    _choice("hs_lead_label", "HOT WARM COLD", fieldType="radio"),
    _choice("hs_pipeline", "", externalOptions=True),
    _choice("hs_pipeline_stage", "", fieldType="radio", externalOptions=True),
    *_moments("hs_createdate hs_lastmodifieddate", **_ROBOT),
]

_ENGAGEMENT: list[_Declared] = [
    *_moments("hs_timestamp"),
    *_moments("hs_createdate hs_lastmodifieddate", **_ROBOT),
    *_texts("hs_activity_type hs_engagement_source"),
    *_texts("hs_attachment_ids"),
]

_KINDS: dict[str, list[_Declared]] = {
    "calls": [
        *_texts("hs_call_title hs_call_body hs_call_disposition hs_call_from_number"),
        *_texts("hs_call_to_number hs_call_recording_url"),
        *_numbers("hs_call_duration"),
        _choice("hs_call_direction", "INBOUND OUTBOUND"),
        _choice("hs_call_status", "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED "
                "IN_PROGRESS MISSED NO_ANSWER QUEUED RINGING"),
    ],
    "emails": [
        *_texts("hs_email_subject hs_email_text hs_email_html hs_email_headers hs_email_thread_id"),
        *_texts("hs_email_from_email hs_email_from_firstname hs_email_from_lastname"),
        *_texts("hs_email_to_email hs_email_cc_email hs_email_message_id"),
        _choice("hs_email_direction", "EMAIL INCOMING_EMAIL FORWARDED_EMAIL DRAFT_EMAIL"),
        _choice("hs_email_status", "BOUNCED FAILED SCHEDULED SENDING SENT"),
    ],
    "meetings": [
        *_texts("hs_meeting_title hs_meeting_body hs_internal_meeting_notes hs_meeting_location"),
        *_texts("hs_meeting_external_url"),
        *_moments("hs_meeting_start_time hs_meeting_end_time"),
        _choice("hs_meeting_outcome", "SCHEDULED COMPLETED RESCHEDULED NO_SHOW CANCELED"),
    ],
    "notes": [("hs_note_body", "string", {"fieldType": "html"})],
    "tasks": [
        *_texts("hs_task_subject hs_task_body"),
        _choice("hs_task_status", "NOT_STARTED IN_PROGRESS WAITING COMPLETED DEFERRED"),
        _choice("hs_task_priority", "NONE LOW MEDIUM HIGH"),
        _choice("hs_task_type", "TODO CALL EMAIL"),
        *_moments("hs_task_completion_date"),
    ],
    "communications": [
        *_texts("hs_communication_body"),
        _choice("hs_communication_channel_type", "LINKEDIN_MESSAGE SMS WHATS_APP"),
        _choice("hs_communication_logged_from", "CRM"),
    ],
    "postal_mail": [*_texts("hs_postal_mail_body")],
}  # fmt: skip

_FEEDBACK: list[_Declared] = [
    *_moments("hs_createdate hs_lastmodifieddate", **_ROBOT),
    *_moments("hs_submission_timestamp"),
    *_texts("hs_survey_id hs_survey_name hs_content hs_response_group hs_submission_name"),
    *_texts("hs_submission_url hs_ingestion_id"),
    _choice("hs_survey_type", "NPS CSAT CES CUSTOM"),
    _choice("hs_survey_channel", "EMAIL WEB SHAREABLE_LINK"),
    _choice("hs_sentiment", "PROMOTER PASSIVE DETRACTOR POSITIVE NEUTRAL NEGATIVE"),
    *_numbers("hs_value hs_contact_id"),
]

_TYPE_IDS = {
    "contacts": "0-1", "companies": "0-2", "deals": "0-3", "tickets": "0-5",
    "feedback_submissions": "0-19", "tasks": "0-27", "notes": "0-46", "meetings": "0-47",
    "calls": "0-48", "emails": "0-49", "communications": "0-18", "postal_mail": "0-116",
    "leads": "0-136",
}  # fmt: skip
_SINGULAR = {
    "contacts": "contact", "companies": "company", "deals": "deal", "tickets": "ticket",
    "feedback_submissions": "feedback_submission", "tasks": "task", "notes": "note",
    "meetings": "meeting_event", "calls": "call", "emails": "email",
    "communications": "communication", "postal_mail": "postal_mail", "leads": "lead",
}  # fmt: skip
ALSO_CALLED = {"meeting": "meetings", "feedback-submissions": "feedback_submissions"}

_DEFAULT = {
    "contacts": "createdate email firstname hs_object_id lastmodifieddate lastname",
    "companies": "createdate domain hs_lastmodifieddate hs_object_id name",
    "deals": "amount closedate createdate dealname dealstage hs_lastmodifieddate hs_object_id "
    "pipeline",
    "tickets": "content createdate hs_lastmodifieddate hs_object_id hs_pipeline "
    "hs_pipeline_stage hs_ticket_category hs_ticket_priority subject",
}
_SEARCHED = {
    "contacts": ("firstname", "lastname", "email", "phone", "hs_additional_emails", "company"),
    "companies": ("website", "phone", "name", "domain"),
    "deals": ("dealname", "pipeline", "dealstage", "description", "dealtype"),
    "tickets": ("subject", "content", "hs_pipeline_stage", "hs_ticket_category", "hs_ticket_id"),
    "calls": ("hs_call_title", "hs_body_preview"),
    "emails": ("hs_email_subject",),
    "meetings": ("hs_meeting_title", "hs_meeting_body"),
    "notes": ("hs_note_body",),
    "tasks": ("hs_task_body", "hs_task_subject"),
    "feedback_submissions": ("hs_submission_name", "hs_content"),
    "leads": ("hs_lead_name",),
}


def object_types() -> dict[str, ObjectType]:
    """Return the vendor's objects, with properties that nobody else shares."""
    declared = {
        "contacts": _CONTACT,
        "companies": _COMPANY,
        "deals": _DEAL,
        "tickets": _TICKET,
        **{name: [*_ENGAGEMENT, *_KINDS[name]] for name in ENGAGEMENTS},
        "feedback_submissions": _FEEDBACK,
        "leads": _LEAD,
    }
    types = {}
    for name, properties in declared.items():
        known = {
            prop: describe(prop, kind, **{"hubspot_defined": True, **more})
            for prop, kind, more in [*_EVERYWHERE, *properties]
        }
        scope, write_scope = f"crm.objects.{name}.read", f"crm.objects.{name}.write"
        if name in ENGAGEMENTS:
            scope, write_scope = "crm.objects.contacts.read", "crm.objects.contacts.write"
        elif name == "tickets":
            scope = write_scope = "tickets"
        elif name == "feedback_submissions":
            write_scope = scope
        born = "createdate" if name in MAY_MERGE else "hs_createdate"
        stamp = "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate"
        if name == "contacts":
            known["email"]["hasUniqueValue"] = True
        types[name] = ObjectType(
            name=name,
            singular=_SINGULAR[name],
            type_id=_TYPE_IDS[name],
            properties=known,
            default=tuple(_DEFAULT.get(name, f"{born} {stamp} hs_object_id").split()),
            stamp=stamp,
            born=born,
            unique=("email",) if name == "contacts" else (),
            read_only=name == "feedback_submissions",
            scope=scope,
            write_scope=write_scope,
            searched=_SEARCHED.get(name, ()),
        )
    return types


# Associations


@dataclass(frozen=True, slots=True)
class AssociationType:
    """One kind of link in one direction.

    Attributes:
        type_id: with `category` its identity; `inverse`: the same link seen from the other end.
        label: as shown; None for the plain link.
        name: in answers of v3.
    """

    type_id: int
    category: str
    label: str | None
    inverse: int
    name: str


_PLAIN: dict[tuple[str, str], tuple[int, int]] = {
    ("contacts", "companies"): (279, 280),
    ("contacts", "deals"): (4, 3),
    ("contacts", "tickets"): (15, 16),
    ("contacts", "contacts"): (449, 449),
    ("companies", "companies"): (450, 450),
    ("companies", "deals"): (342, 341),
    ("companies", "tickets"): (340, 339),
    ("deals", "tickets"): (27, 28),
    ("calls", "contacts"): (194, 193),
    ("calls", "companies"): (182, 181),
    ("calls", "deals"): (206, 205),
    ("calls", "tickets"): (220, 219),
    ("emails", "contacts"): (198, 197),
    ("emails", "companies"): (186, 185),
    ("emails", "deals"): (210, 209),
    ("emails", "tickets"): (224, 223),
    ("meetings", "contacts"): (200, 199),
    ("meetings", "companies"): (188, 187),
    ("meetings", "deals"): (212, 211),
    ("meetings", "tickets"): (226, 225),
    ("notes", "contacts"): (202, 201),
    ("notes", "companies"): (190, 189),
    ("notes", "deals"): (214, 213),
    ("notes", "tickets"): (228, 227),
    ("tasks", "contacts"): (204, 203),
    ("tasks", "companies"): (192, 191),
    ("tasks", "deals"): (216, 215),
    ("tasks", "tickets"): (230, 229),
    ("communications", "contacts"): (81, 82),
    ("communications", "companies"): (87, 88),
    ("communications", "deals"): (85, 86),
    ("communications", "tickets"): (84, 83),
    ("postal_mail", "contacts"): (453, 454),
    ("postal_mail", "companies"): (459, 460),
    ("feedback_submissions", "contacts"): (98, 97),
    ("feedback_submissions", "tickets"): (100, 99),
    ("leads", "contacts"): (608, 607),
    ("leads", "companies"): (610, 609),
    ("leads", "calls"): (596, 595),
    ("leads", "emails"): (598, 597),
    ("leads", "meetings"): (600, 599),
    ("leads", "communications"): (602, 601),
    ("leads", "tasks"): (646, 645),
    ("leads", "notes"): (854, 853),
}
_PRIMARY: dict[tuple[str, str], tuple[int, int]] = {
    ("contacts", "companies"): (1, 2),
    ("deals", "companies"): (5, 6),
    ("tickets", "companies"): (26, 25),
    ("leads", "contacts"): (578, 577),
}
AssociationTypes = dict[tuple[str, str], dict[int, AssociationType]]


def association_types() -> AssociationTypes:
    """Return the vendor's kinds of links by (from, to), then by type id."""
    types: AssociationTypes = {}

    def add(one: str, other: str, ids: tuple[int, int], label: str | None, suffix: str) -> None:
        for source, target, here, there in (
            (one, other, *ids),
            (other, one, ids[1], ids[0]),
        ):
            name = f"{_SINGULAR[source]}_to_{_SINGULAR[target]}{suffix}"
            types.setdefault((source, target), {})[here] = AssociationType(
                here, "HUBSPOT_DEFINED", label, there, name
            )

    for pair, ids in _PLAIN.items():
        primary = pair in _PRIMARY or pair[::-1] in _PRIMARY
        add(*pair, ids, None, "_unlabeled" if primary else "")
    for pair, ids in _PRIMARY.items():
        add(*pair, ids, "Primary", "")
    companies = types["companies", "companies"]
    companies[13] = AssociationType(
        13, "HUBSPOT_DEFINED", "Parent Company", 14, "child_to_parent_company"
    )
    companies[14] = AssociationType(
        14, "HUBSPOT_DEFINED", "Child Company", 13, "parent_to_child_company"
    )
    return types


def plain_type(types: Mapping[int, AssociationType]) -> AssociationType:
    """Return the link without a label."""
    return next(kind for kind in types.values() if kind.label is None)


# Pipelines


def pipelines(at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the pipelines a new portal has, for deals, tickets and leads."""
    deal_stages = (
        ("appointmentscheduled", "Appointment Scheduled", "0.2"),
        ("qualifiedtobuy", "Qualified To Buy", "0.4"),
        ("presentationscheduled", "Presentation Scheduled", "0.6"),
        ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
        ("contractsent", "Contract Sent", "0.9"),
        ("closedwon", "Closed Won", "1.0"),
        ("closedlost", "Closed Lost", "0.0"),
    )
    deal_metadata = [
        (key, label, {"isClosed": str(key.startswith("closed")).lower(), "probability": odds})
        for key, label, odds in deal_stages
    ]
    ticket_stages = (("1", "New"), ("2", "Waiting on contact"), ("3", "Waiting on us"))
    ticket_metadata = [
        *(
            (key, label, {"isClosed": "false", "ticketState": "OPEN"})
            for key, label in ticket_stages
        ),
        ("4", "Closed", {"isClosed": "true", "ticketState": "CLOSED"}),
    ]
    lead_stages = ("New", "Attempting", "Connected", "Qualified", "Unqualified")
    lead_metadata = [
        (
            f"{label.lower()}-stage-id",
            label,
            {"isClosed": str("qualified" in label.lower()).lower()},
        )
        for label in lead_stages
    ]
    return {
        "leads": [pipeline("lead-pipeline-id", "Lead pipeline", lead_metadata, at)],
        "deals": [pipeline("default", "Sales Pipeline", deal_metadata, at)],
        "tickets": [pipeline("0", "Support Pipeline", ticket_metadata, at)],
    }


def pipeline(
    key: str,
    label: str,
    stages: Iterable[tuple[str, str, Mapping[str, str]]],
    at: datetime,
    order: int = 0,
) -> dict[str, Any]:
    """Return a pipeline as the API answers it; `stages`: (id, label, metadata)."""
    stamps = {"archived": False, "createdAt": iso(at), "updatedAt": iso(at)}
    return {
        "label": label,
        "displayOrder": order,
        "id": key,
        "stages": [
            {
                "label": text,
                "displayOrder": number,
                "metadata": dict(metadata),
                "id": stage,
                "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                **stamps,
            }
            for number, (stage, text, metadata) in enumerate(stages)
        ],
        **stamps,
    }
