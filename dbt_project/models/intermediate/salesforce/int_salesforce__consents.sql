{# stream, flag, channel, purpose; a flag of an individual is one of all their records #}
{% set flags = [
    ('contacts', 'is_out_of_email', 'email', 'all'),
    ('contacts', 'is_out_of_fax', 'fax', 'all'),
    ('contacts', 'is_out_of_calls', 'phone', 'all'),
    ('leads', 'is_out_of_email', 'email', 'all'),
    ('leads', 'is_out_of_fax', 'fax', 'all'),
    ('leads', 'is_out_of_calls', 'phone', 'all'),
    ('individuals', 'is_out_of_tracking', 'any', 'tracking'),
    ('individuals', 'is_out_of_profiling', 'any', 'profiling'),
    ('individuals', 'is_out_of_processing', 'any', 'processing'),
    ('individuals', 'is_out_of_soliciting', 'any', 'soliciting'),
    ('individuals', 'is_out_of_locating', 'any', 'locating'),
] %}

with records as (
    {%- for stream in ('contacts', 'leads') %}
    select _source, {{ profile_key(stream, '_key') }} as profile_key, individual_id
    from {{ current(ref('stg_salesforce__' ~ stream)) }} as {{ stream }}
    where not _is_deleted
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

flagged as (
    {%- for stream, flag, channel, purpose in flags %}
    select
        _source,
        {{ "_key" if stream == 'individuals' else profile_key(stream, '_key') }} as party,
        '{{ purpose }}' as purpose,
        '{{ channel }}' as channel,
        {{ flag }} as is_out,
        lag({{ flag }}) over (partition by _source, _key order by _version, _seq) as was_out,
        _version as occurred_at,
        cast(null as {{ type_moment() }}) as valid_until,
        _loaded_at
    from {{ known(ref('stg_salesforce__' ~ stream)) }} as {{ stream }}
    where {{ flag }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

points as (
    select _source, _key, parent_id, 'email' as channel
    from {{ current(ref('stg_salesforce__contact_point_emails')) }} as emails
    union all
    select _source, _key, parent_id, 'phone'
    from {{ current(ref('stg_salesforce__contact_point_phones')) }} as phones
),

answered as (
    select
        _source,
        individual_id as party,
        lower(channel) as channel,
        purpose_id,
        status,
        coalesce(captured_at, effective_from, _version) as occurred_at,
        effective_to as valid_until,
        _loaded_at
    from {{ known(ref('stg_salesforce__contact_point_type_consents')) }} as consents
    where _op <> 'delete'

    union all

    -- an answer for one address counts for its channel, one for a person for all of them
    select
        consents._source,
        coalesce(
            points.parent_id,
            {{ profile_key('contacts', "case when contact_point_id like '003%' then contact_point_id end", 'consents._source') }},
            {{ profile_key('leads', "case when contact_point_id like '00Q%' then contact_point_id end", 'consents._source') }}
        ),
        coalesce(points.channel, 'any'),
        consents.purpose_id,
        consents.status,
        coalesce(consents.captured_at, consents.effective_from, consents._version),
        consents.effective_to,
        consents._loaded_at
    from {{ known(ref('stg_salesforce__contact_point_consents')) }} as consents
    left join points
        on consents._source = points._source and consents.contact_point_id = points._key
    where consents._op <> 'delete'
),

told as (
    select
        _source, party, purpose, channel,
        case when is_out then 'refused' else 'granted' end as answer,
        occurred_at, valid_until, _loaded_at
    from flagged
    where is_out <> coalesce(was_out, false)

    union all

    select
        _source, party, coalesce(purpose_id, 'all'), channel,
        case status when 'OptIn' then 'granted' else 'refused' end,
        occurred_at, valid_until, _loaded_at
    from answered
    where status in ('OptIn', 'OptOut')
)

select {{ consent_row({
    'source': 'told._source', 'profile_key': 'records.profile_key', 'purpose_id': 'told.purpose',
    'purpose': 'told.purpose', 'channel': 'told.channel', 'answer': 'told.answer',
    'occurred_at': 'told.occurred_at', 'valid_until': 'told.valid_until',
    'loaded_at': 'told._loaded_at',
}) }}
from told
inner join records
    on told._source = records._source
    and (told.party = records.profile_key or told.party = records.individual_id)
