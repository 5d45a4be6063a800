"""How often everything happens in the sandbox's world.

Belongs here: every rate and share the world is generated with, so that it can be read
and changed in one place. Does not belong here: what happens (`sandbox.world`).

Where a value has an origin it is named; all the others are guesses, chosen so that each
trap occurs at least a handful of times among 2,000 people. They say nothing about any
real company: the traps are the point, not their frequency.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares are of 1 and per record unless a name says otherwise."""

    # Population
    people_per_organization: int = 10
    staff_share: float = 0.015
    present_at_start: float = 0.50
    kinds: tuple[tuple[str, float], ...] = (
        ("customer", 0.67),
        ("prospect", 0.21),
        ("partner", 0.05),
        ("supplier", 0.04),
        ("press", 0.03),
    )
    independent_customers: float = 0.18
    same_full_name: float = 0.015
    subsidiaries: float = 0.06
    single_contact_organizations: float = 0.12

    # Where people appear
    customer_contact: float = 0.78
    customer_forum: float = 0.64
    prospect_lead: float = 0.72
    prospect_forum: float = 0.45
    other_contact: float = 0.55
    other_lead: float = 0.30
    other_forum: float = 0.22

    # Dirt in the CRM
    email_missing: float = 0.06
    email_role: float = 0.025
    email_placeholder: float = 0.02
    email_typo: float = 0.025
    email_upper_case: float = 0.05
    email_private: float = 0.08
    name_nickname: float = 0.05
    name_typo: float = 0.02
    name_swapped: float = 0.01
    name_initial: float = 0.02
    name_odd_case: float = 0.03
    name_without_given: float = 0.02
    phone_direct: float = 0.50
    phone_switchboard: float = 0.22
    phone_placeholder: float = 0.02
    contact_without_account: float = 0.02
    duplicate_contact: float = 0.04
    duplicate_merged: float = 0.65
    handle_volunteered: float = 0.14
    handle_wrong: float = 0.05
    odd_activity_date: float = 0.004
    task_without_person: float = 0.08
    case_without_contact: float = 0.05
    deleted_contact: float = 0.012
    deleted_then_restored: float = 0.35
    deleted_then_purged: float = 0.25
    records_owned_by_integration: float = 0.02

    # Dirt in the forum
    forum_email_work: float = 0.56
    forum_email_plus: float = 0.05
    single_sign_on: float = 0.30
    sso_is_contact_id: float = 0.5
    sso_fifteen_characters: float = 0.15
    second_account: float = 0.015
    renamed: float = 0.02
    name_empty: float = 0.10
    other_script: float = 0.5
    hostile_name: float = 0.004
    hostile_text: float = 0.0008
    spam_topic: float = 0.008
    anonymized_per_year: float = 0.004
    staff_with_private_account: float = 0.12
    unconfirmed: float = 0.03
    forum_email_follows: float = 0.25

    # Life in the forum. Five posts to a topic and a median first answer of about 3.6 h are
    # what public forums of this size show; one in eight topics stays unanswered.
    topics_per_person_day: float = 0.0062
    weekend: float = 0.45
    unanswered: float = 0.12
    answers_mean: float = 3.1
    first_answer_median_h: float = 3.6
    first_answer_sigma: float = 1.5
    staff_answers: float = 0.15
    asker_replies: float = 0.5
    self_answer: float = 0.03
    accepted: float = 0.48
    accepted_by_staff: float = 0.1
    unaccepted: float = 0.01
    likes_per_answer: float = 1.1
    other_reactions: float = 0.08
    edited: float = 0.04
    deleted_by_staff: float = 0.007
    deleted_by_author: float = 0.005
    topic_deleted: float = 0.004
    topic_recovered: float = 0.08
    topic_closed: float = 0.02
    topic_split: float = 0.002
    whisper: float = 0.012
    private_messages_per_topic: float = 0.03
    late_bump: float = 0.012
    forum_life_days: float = 460.0
    comes_back: float = 0.25

    # Life on the social network
    social_people: float = 0.13
    social_strangers: float = 0.05
    social_posts_per_person_day: float = 0.0016
    social_answered: float = 0.55
    social_first_answer_median_h: float = 5.0
    social_thanks: float = 0.35
    social_likes: float = 1.6
    social_own_posts_every_days: int = 4
    social_handle_volunteered: float = 0.35
    social_handle_changed_per_year: float = 0.06
    social_handle_broken_per_year: float = 0.03
    social_not_for_everybody: float = 0.08
    social_edited: float = 0.03
    social_deleted: float = 0.02
    social_leaves_per_year: float = 0.03
    social_blocks_us_per_year: float = 0.02
    social_wrong_clock: float = 0.01
    social_dated_back: float = 0.02

    # Life in the CRM, per account and day where not said otherwise
    tasks: float = 0.081
    meetings: float = 0.027
    meeting_cancelled: float = 0.08
    meeting_with_others: float = 0.4
    meeting_with_colleague: float = 0.25
    invitation_answered_by: tuple[tuple[str, float], ...] = (
        ("Accepted", 0.6), ("Declined", 0.12), ("New", 0.28),
    )  # fmt: skip
    taken_off_meeting: float = 0.05
    task_with_others: float = 0.1
    cases: float = 0.022
    case_reopened: float = 0.06
    case_handed_off: float = 0.15
    private_comment: float = 0.3
    promise_kept_at_all: float = 0.85
    invited: float = 0.25
    invited_despite_opt_out: float = 0.5
    invitation_withdrawn: float = 0.03
    invitation_answered: float = 0.3
    employer_changes_per_person_year: float = 0.03
    mailbox_reissued: float = 0.25
    lead_converted: float = 0.22
    renewal_won: float = 0.88
    deal_reopened: float = 0.02
    tier_changes_per_year: float = 0.3
    accounts_merged_per_year: float = 0.02

    # The portal for marketing and service. A customer is in it by signing up, or by asking
    # for help; the other way round about half of the contacts are in the CRM too.
    portal_customer: float = 0.46
    portal_prospect: float = 0.40
    portal_other: float = 0.25
    portal_work_email: float = 0.62
    portal_email_typo: float = 0.02
    portal_email_missing: float = 0.02
    portal_name_nickname: float = 0.08
    portal_name_lower: float = 0.10
    portal_name_given_only: float = 0.06
    portal_name_typo: float = 0.01
    portal_phone: float = 0.35
    portal_handle: float = 0.10
    portal_crm_id: float = 0.18
    portal_machine: float = 0.5
    portal_newsletter: float = 0.72
    portal_updates: float = 0.40
    portal_events: float = 0.25
    portal_second_contact: float = 0.05
    portal_second_merged: float = 0.6
    portal_archived: float = 0.02
    portal_erased: float = 0.008
    portal_company_twice: float = 0.05
    portal_lead: float = 0.6
    lead_qualified: float = 0.5
    tickets: float = 0.0019
    ticket_reopened: float = 0.05
    ticket_note: float = 0.3
    ticket_rated: float = 0.35
    service_calls: float = 0.0016
    service_meetings: float = 0.0007
    service_notes: float = 0.0010
    service_tasks: float = 0.0012
    service_messages: float = 0.0004
    service_deals: float = 0.00025
    survey_answered: float = 0.08
    mail_opened: float = 0.36
    mail_clicked: float = 0.18
    mail_unsubscribed: float = 0.004
    mail_scanned: float = 0.07

    # The shop. How people buy differs widely: the mean gap of one is log-normal around a median,
    # the chance to stop is beta with this mean, as in models of buying.
    shop_customer: float = 0.42
    shop_prospect: float = 0.08
    shop_found_after_days: float = 25.0
    shop_work_email: float = 0.5
    shop_guest: float = 0.16
    shop_not_signed_in: float = 0.06
    shop_shared_mailbox: float = 0.2
    shop_email_missing: float = 0.02
    shop_trailing_space: float = 0.04
    shop_gap_median_days: float = 42.0
    shop_gap_sigma: float = 0.6
    shop_leaves: float = 0.12
    shop_newcomer_gap_factor: float = 1.3
    shop_welcome_call: float = 0.35
    shop_at_fair: float = 0.05
    shop_by_invoice: float = 0.12
    shop_never_paid: float = 0.12
    shop_cancelled: float = 0.03
    shop_refunded: float = 0.03
    shop_partly_refunded: float = 0.03
    shop_entered_twice: float = 0.01
    shop_in_euro: float = 0.35
    shop_stamp_missing: float = 0.05
    shop_note: float = 0.05
    shop_test_orders_per_day: float = 0.06
    shop_product_user: float = 0.6
    logins_per_user_day: float = 0.06
    login_offline: float = 0.05

    # Planted effects
    quarter_end_factor: float = 2.2
    hand_off_delay_days: float = 6.0
    best_tier_waits_factor: float = 1.8
    cohort_life_factor: float = 2.5
    shop_welcome_call_gap_factor: float = 0.55


PROFILES_ONLY = Rates(
    topics_per_person_day=0.0,
    likes_per_answer=0.0,
    social_posts_per_person_day=0.0,
    social_own_posts_every_days=100_000,
    tasks=0.0,
    meetings=0.0,
    cases=0.0,
    tickets=0.0,
    service_calls=0.0,
    service_meetings=0.0,
    service_notes=0.0,
    service_tasks=0.0,
    service_messages=0.0,
    service_deals=0.0,
    survey_answered=0.0,
    portal_newsletter=0.0,
    portal_updates=0.0,
    portal_events=0.0,
    shop_gap_median_days=10_000.0,
    logins_per_user_day=1e-9,
)
"""A world of records of people and organizations, with all their traps, in which next to nothing
happens: for sizes at which who is whom is measured and interactions would only take room.

What profiles need is left: deals and conversions move leads on, and everybody who finds the shop
orders once, because guests are known by their orders alone. Another world than that of `Rates()`,
not a part of it: the same dice fall on other things.
"""
