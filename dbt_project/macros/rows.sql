{#
    The shapes that every source's profiles, interactions, reactions, cases and deals are brought into
    before identities are resolved. `values` maps a column to a SQL expression; columns not
    named are null.
#}

{% macro profile_row(values) -%}
{{ typed_row(values, {
    'source': 'string', 'stream': 'string', 'native_id': 'string', 'entity': 'string',
    'display_name': 'string', 'full_name': 'string',
    'given_name': 'string', 'family_name': 'string',
    'email': 'string', 'is_email_verified': 'boolean', 'further_emails': 'string',
    'phone': 'string', 'further_phone': 'string',
    'external_id': 'string', 'alternate_id': 'string', 'is_numbered': 'boolean',
    'organization_key': 'string', 'organization_name': 'string', 'domain': 'string',
    'parent_key': 'string', 'owner_profile_key': 'string', 'party_kind': 'string',
    'title': 'string', 'industry': 'string',
    'renewal_date': 'date', 'renewal_amount': 'decimal(38, 9)',
    'is_staff': 'boolean', 'is_bot': 'boolean',
    'is_single_account': 'boolean', 'is_known_by_name': 'boolean',
    'is_deleted': 'boolean', 'merged_into': 'string', 'converted_into': 'string',
    'created_at': 'moment', 'first_seen_at': 'moment', 'last_seen_at': 'moment',
    'custom': 'string',
}) }}
{%- endmacro %}

{% macro interaction_row(values) -%}
{{ typed_row(values, {
    'source': 'string', 'stream': 'string', 'interaction_id': 'string',
    'channel': 'string', 'place': 'string', 'kind': 'string', 'direction': 'string',
    'thread_id': 'string', 'in_reply_to_interaction_id': 'string',
    'actor_profile_key': 'string', 'target_profile_key': 'string', 'organization_key': 'string',
    'is_accepted': 'boolean', 'accepted_seen_at': 'moment', 'is_prompted': 'boolean', 'visibility': 'string',
    'occurred_at': 'moment', 'source_seen_at': 'moment', 'loaded_at': 'moment',
    'is_deleted': 'boolean',
}) }}
{%- endmacro %}

{% macro reaction_row(values) -%}
{{ typed_row(values, {
    'interaction_id': 'string', 'kind': 'string', 'n_reactions': 'bigint', 'look': 'bigint',
    'observed_at': 'moment',
}) }}
{%- endmacro %}

{% macro given_reaction_row(values) -%}
{{ typed_row(values, {
    'source': 'string', 'interaction_id': 'string', 'actor_profile_key': 'string',
    'kind': 'string', 'occurred_at': 'moment', 'first_seen_at': 'moment', 'taken_back_at': 'moment',
}) }}
{%- endmacro %}

{% macro case_row(values) -%}
{{ typed_row(values, {
    'case_id': 'string', 'source': 'string', 'organization_key': 'string',
    'person_key': 'string', 'owner_key': 'string', 'channel': 'string', 'status': 'string',
    'priority': 'string', 'opened_at': 'moment', 'closed_at': 'moment',
    'is_closed': 'boolean', 'is_deleted': 'boolean', 'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro assignment_row(values) -%}
{{ typed_row(values, {
    'assignment_id': 'string', 'case_id': 'string', 'actor_key': 'string', 'owner_key': 'string',
    'occurred_at': 'moment', 'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro deal_row(values) -%}
{{ typed_row(values, {
    'deal_id': 'string', 'source': 'string', 'organization_key': 'string', 'owner_key': 'string',
    'name': 'string', 'stage': 'string', 'amount': 'decimal(18, 2)', 'currency': 'string',
    'is_closed': 'boolean', 'is_won': 'boolean', 'created_at': 'moment',
    'closed_at': 'moment', 'expected_close_date': 'date', 'is_deleted': 'boolean',
    'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro consent_row(values) -%}
{{ typed_row(values, {
    'source': 'string', 'profile_key': 'string', 'purpose_id': 'string', 'purpose': 'string',
    'channel': 'string', 'answer': 'string', 'legal_basis': 'string', 'occurred_at': 'moment',
    'valid_until': 'moment', 'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro survey_answer_row(values) -%}
{{ typed_row(values, {
    'survey_answer_id': 'string', 'source': 'string', 'stream': 'string',
    'person_key': 'string', 'organization_key': 'string', 'channel': 'string',
    'survey_id': 'string', 'survey': 'string', 'kind': 'string', 'question': 'string',
    'score': 'decimal(38, 9)', 'scale_low': 'decimal(38, 9)', 'scale_high': 'decimal(38, 9)',
    'answer_group': 'string', 'occurred_at': 'moment', 'source_seen_at': 'moment',
    'loaded_at': 'moment', 'is_deleted': 'boolean',
}) }}
{%- endmacro %}

{% macro commitment_row(values) -%}
{{ typed_row(values, {
    'commitment_id': 'string', 'source': 'string', 'person_key': 'string',
    'organization_key': 'string', 'owner_key': 'string', 'case_id': 'string', 'kind': 'string',
    'is_ours': 'boolean', 'made_at': 'moment', 'due_at': 'moment', 'fulfilled_at': 'moment',
    'is_fulfilled': 'boolean', 'is_called_off': 'boolean', 'occurred_at': 'moment',
    'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro message_sent_row(values) -%}
{{ typed_row(values, {
    'message_sent_id': 'string', 'source': 'string', 'person_key': 'string',
    'organization_key': 'string', 'message_id': 'string', 'message': 'string',
    'campaign': 'string', 'channel': 'string', 'occurred_at': 'moment', 'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro message_response_row(values) -%}
{{ typed_row(values, {
    'message_response_id': 'string', 'source': 'string', 'person_key': 'string',
    'organization_key': 'string', 'message_sent_id': 'string', 'kind': 'string',
    'is_automatic': 'boolean', 'occurred_at': 'moment', 'loaded_at': 'moment',
}) }}
{%- endmacro %}

{% macro typed_row(values, columns) -%}
{%- for name in values if name not in columns -%}
    {%- do exceptions.raise_compiler_error('no such column here: ' ~ name) -%}
{%- endfor -%}
{%- for name, type in columns.items() %}
    {%- set sql_type = {'string': dbt.type_string(), 'moment': type_moment()}.get(type, type) %}
    cast({{ values.get(name, 'null') }} as {{ sql_type }}) as {{ name }}{{ ',' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{# What a reaction of this kind says, in so far as it is plain. #}
{% macro polarity(kind) -%}
case
        when {{ kind }} in (
            'like', 'repost', '+1', 'thumbsup', 'heart_eyes', 'clap', 'tada', 'hugs', 'hugging_face',
            'rocket', 'star_struck', 'pray', 'raised_hands', 'muscle', '100'
        ) then 'positive'
        when {{ kind }} in ('-1', 'thumbsdown', 'angry', 'rage') then 'negative'
        else 'unknown'
    end
{%- endmacro %}
