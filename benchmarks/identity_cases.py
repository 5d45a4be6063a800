"""Rapport's own cases of `identity_scale`, each a process of its own.

python -m benchmarks.identity_cases profiles FOLDER COUNT  generate about so many profiles
python -m benchmarks.identity_cases hostile FOLDER COUNT   as many profiles for each kind of trap
python -m benchmarks.identity_cases project FOLDER         the identity models on those alone
python -m benchmarks.identity_cases advance FOLDER         publish; let 1 % of the profiles change
python -m benchmarks.identity_cases families FOLDER        two lists of families, twice
python -m benchmarks.identity_cases attributes FOLDER NAME FEBRL or families, files to people
"""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from benchmarks import identity_families
from benchmarks.costs import ROOT
from benchmarks.identity import resolve
from rapport import build, config, dbt
from rapport.identity import state
from rapport.syncing import sync_selected

LISTS = """
home: .
sources:
  list:
    type: files
    silo: other
    streams:
"""
LIST = """
      records{side}:
        path: records{side}.parquet
        key: [rec_id]
        map:
          to: person
          columns: {{given_name: given_name, family_name: surname, birth_date: date_of_birth,
                    personal_number: soc_sec_id, house_number: street_number, street: address_1,
                    postcode: postcode, city: suburb}}
"""
FOUND = """
copy (
    with people as (
        select split_part(profile_key, ':', 3) as record, person_id from identity_person_map
    ),

    together as (
        select person_id, person_id as other_person_id, 1.0 as probability from people
        union
        select person_id, other_person_id, 0.5 from identity_suggestion
    )

    select
        least(one.record, other.record) as "left",
        greatest(one.record, other.record) as "right",
        max(probability) as probability
    from together
    inner join people as one on together.person_id = one.person_id
    inner join people as other on together.other_person_id = other.person_id
    where one.record <> other.record
    group by all
) to '%s'
"""
"""Pairs of records that are one person's: now, or if every suggestion is accepted."""
JUDGED = """
copy (
    select
        rule_id,
        least(split_part(left_key, ':', 3), split_part(right_key, ':', 3)) as "left",
        greatest(split_part(left_key, ':', 3), split_part(right_key, ':', 3)) as "right"
    from identity_edge
    where id_type = 'attributes' and state in ('live', 'suggested')
) to '%s'
"""
"""Pairs that a rule joins or asks about."""
FAMILIES = {"families": True, "unnumbered": False}
"""Lists of families, and whether some of their records have a personal number."""
FAMILIES_SEED = 23

PROFILES_PER_PERSON = 1.69
SOURCES = (("crm", 0.55), ("hub", 0.41), ("forum", 0.50), ("shop", 0.23))
"""Sources and the share of people who are in each: together the profiles of a person."""

PEOPLE = """
create macro dice(person, what) as (hash(person || what) % 1000000) / 1000000.0;
create macro word(number, syllables) as
    list_extract(['ba','den','ko','lis','mar','ner','pol','ri','san','ter','ul','vik','wen','yo',
                  'zam','fro','gal','hin','jor','cas'], 1 + (number % 20)::int)
    || list_extract(['la','mo','ni','sen','dt','ckx','rov','tti','by','gard','ley','man','nov',
                     'per','quist','ra','son','to','va','witz'], 1 + ((number // 20) % 20)::int)
    || case when syllables = 3 then list_extract(['','a','er','i','o','en','in','us','el','an'],
                                                 1 + ((number // 400) % 10)::int) else '' end;
create table people as
select
    person,
    word(hash(person || 'given') % 400, 2) as given,
    word(hash(person || 'family') % 4000, 3) as family,
    case when dice(person, 'free') > 0.18 then hash(person || 'company') % ({people} // 10 + 1) end
        as company,
    '+1' || list_extract([212, 415, 312, 617, 206, 303, 404, 512, 713, 602],
                         1 + (person % 10)::int)
        || lpad((2000000 + hash(person || 'phone') % 7900000)::text, 7, '0') as own_phone
from range({people}) as numbers(person);
"""
PROFILE = """
select
    person, '{source}:people:' || person as profile_key, '{source}' as source, given, family,
    case
        when dice(person, '{source}none') < 0.05 then null
        when dice(person, '{source}role') < 0.02 then 'info@c' || coalesce(company, 0) || '.example'
        when dice(person, '{source}blank') < 0.01 then 'test@test.com'
        when company is not null and dice(person, '{source}work') < 0.6
            then given || '.' || family || person % 7 || '@c' || company || '.example'
        else given || '.' || family || person || '@gmx.de'
    end as email,
    case
        when dice(person, '{source}phone') < 0.4 then own_phone
        when dice(person, '{source}phone') < 0.55 and company is not null
            then '+1202' || (2000000 + company % 7900000)
    end as phone
from people where dice(person, '{source}is') < {share}
"""
HOSTILE = """
create macro name(number) as list_extract(['Ada','Bo','Cy','Di','Ed','Flo','Gus'], 1 + number % 7);
create macro letters(number) as chr((97 + number % 26)::int)
    || chr((97 + number // 26 % 26)::int) || chr((97 + number // 676 % 26)::int);
create view profiles as
select
    number * 10 + trap as person,
    list_extract(['crm', 'hub', 'shop'], 1 + number % 3) as source,
    source || ':people:' || trap || '-' || number as profile_key,
    case trap
        when 2 then ''
        when 3 then 'Test'
        when 4 then list_extract(['Ann', '\u0410nn', 'A\u200bnn', '\uff21nn'], 1 + number % 4)
        when 5 then 'Ann'
        else name(number) end as given,
    case trap
        when 2 then ''
        when 3 then 'Test'
        when 4 then list_extract(['Lee', 'L\u0435e', 'L\u0435\u0435'], 1 + number % 3)
        when 5 then 'Lee'
        when 6 then case number % 2 when 0 then 'Ray' else 'Oak' end
        else 'F' || letters(number) end as family,
    case trap
        when 0 then 'q7@big.example'
        when 3 then 'test@test.com'
        when 4 then list_extract(['ann', '\u0430nn'], 1 + number % 2) || '@big.example'
        when 5 then letters(number) || '@gmail.com'
        when 6 then 'desk.of.many@big.example' end as email,
    case trap when 1 then '+12125550123' end as phone
from range({count}) as numbers(number) cross join range(7) as traps(trap)
"""
"""One mailbox, one phone, no name at all, `test@test.com`, look-alike letters, one name on many
mailboxes of a provider, and a mailbox on which two families have many given names."""

COLUMNS = """
select
    person as true_person, profile_key, profile_key as reference_key, source,
    'import' as source_type,
    case when source in ('crm', 'hub') then 'crm' else source end as silo, 'people' as stream,
    person::text as native_id, 'person' as entity, given || ' ' || family as display_name,
    given || ' ' || family as full_name, given as given_name, family as family_name, email,
    source = 'forum' as is_email_verified, null::text as further_emails,
    null::text as past_emails, false as is_address_only, phone, null::text as further_phone,
    null::text as external_id,
    null::text as alternate_id, true as is_numbered, null::text as organization_key,
    null::text as organization_name, null::text as domain,
    source = 'forum' as is_single_account, false as is_known_by_name,
    false as is_deleted, false as is_bot, null::text as merged_into, null::text as converted_into,
    timestamptz '2024-01-01' as created_at, timestamptz '2024-01-01' as first_seen_at,
    timestamptz '2024-01-01' as last_seen_at, null::text as custom
from profiles order by hash(profile_key)
"""
NO_HANDLE = "select '' as source, '' as profile_key, '' as handle where false"
NO_ATTRIBUTE = """
select
    '' as profile_key, '' as given_name, '' as family_name, '' as full_name, '' as birth_date,
    '' as personal_number, '' as house_number, '' as street, '' as postcode, '' as city
where false
"""
ADVANCE = """
select * replace (
    case when hash(profile_key) % 250 = 1 then family_name || 'son' else family_name end
        as family_name,
    case when hash(profile_key) % 250 = 1 then full_name || 'son' else full_name end as full_name,
    case when hash(profile_key) % 250 = 2 then replace(email, '@', '2@') else email end as email,
    case when hash(profile_key) % 250 = 2 and email is not null then to_json([email])::text end
        as past_emails
)
from profiles where hash(profile_key) % 1000 > 0
union all by name
select * replace (profile_key || '-b' as profile_key, reference_key || '-b' as reference_key,
    native_id || '-b' as native_id)
from profiles where hash(profile_key) % 1000 = 500
"""
"""Of 1,000 profiles four get another name, four another address, one goes, and one comes."""

PROFILE_MODEL = """{{ kept_while_alike() }}
with told as (select * from read_parquet('%s'))
{{ changed_rows('told') }}
"""
PROJECT = """
name: rapport
profile: bench
macro-paths: ['%s/macros']
models: {+materialized: table}
"""
CONNECTION = """
bench:
  target: duckdb
  outputs:
    duckdb: {type: duckdb, path: '%s/bench.duckdb', schema: main, threads: 2, keep_open: true,
             settings: {TimeZone: UTC},
             config_options: {checkpoint_threshold: 1GB, nested_loop_join_threshold: 32,
                              threads: "{{ env_var('RAPPORT_ENGINE_THREADS', '1') }}",
                              memory_limit: %dMB}}
"""
"""As the product's own profile, but for the limit of memory."""
MEMORY_MB = 1500
"""What DuckDB may take for each million profiles, and at least."""
SOURCES_FILE = "sources: [{name: control, tables: [%s]}]\n"
SEEDS = ("free_mail_domain", "identity_rule", "mailbox_word", "nickname")


def profiles(folder: Path, count: int) -> None:
    """Generate profiles with typed e-mails and phones, shared ones among them, and their truth."""
    with duckdb.connect() as session:
        session.execute("set threads to 2")
        session.execute(PEOPLE.format(people=round(count / PROFILES_PER_PERSON)))
        queries = [PROFILE.format(source=source, share=share) for source, share in SOURCES]
        session.execute(f"create view profiles as {' union all '.join(queries)}")
        session.execute(f"copy ({COLUMNS}) to '{folder}/profiles.parquet'")


def hostile(folder: Path, count: int) -> None:
    """Generate `count` profiles of different people for each kind of trap."""
    with duckdb.connect() as session:
        session.execute(HOSTILE.format(count=count))
        session.execute(f"copy ({COLUMNS}) to '{folder}/profiles.parquet'")


def project(folder: Path) -> None:
    """Lay out a dbt project of the identity models as they are, on the generated profiles."""
    models = folder / "models"
    models.mkdir()
    written = ROOT / "dbt_project" / "models" / "identity"
    for path in (*written.glob("*.sql"), *written.glob("*.py")):
        if path.name != "identity_address_stay.sql":  # of other tables, and read by none of these
            shutil.copy(path, models)
    (models / "identity_profile.sql").write_text(PROFILE_MODEL % (folder / "profiles.parquet"))
    (models / "identity_handle.sql").write_text(NO_HANDLE)
    (models / "identity_attribute.sql").write_text(NO_ATTRIBUTE)
    # Copied, not pointed at: dbt writes what it runs of a seed beside an absolute path.
    (folder / "seeds").mkdir()
    for name in SEEDS:
        shutil.copy(ROOT / "dbt_project" / "seeds" / f"{name}.csv", folder / "seeds")
    (folder / "dbt_project.yml").write_text(PROJECT % (ROOT / "dbt_project"))
    with duckdb.connect() as session:
        count = session.execute(f"select count(*) from '{folder}/profiles.parquet'").fetchall()
    memory_mb = max(MEMORY_MB, MEMORY_MB * count[0][0] // 1_000_000)
    (folder / "profiles.yml").write_text(CONNECTION % (folder, memory_mb))
    names = ", ".join(f"{{name: {name}}}" for name in _write_schemas(folder))
    (models / "sources.yml").write_text(SOURCES_FILE % names)
    dbt.ensure_parsed(folder)


def _nothing(folder: Path) -> config.Config:
    return config.parse({"sources": {}}, folder / "rapport.yml")


def _write_schemas(folder: Path) -> list[str]:
    """Write what dbt reads beside the profiles; return the names of the control tables."""
    nothing = _nothing(folder)
    with duckdb.connect(str(folder / "bench.duckdb")) as session:
        build.write_schemas(session, nothing, build.plan(nothing))
        rows = session.execute(
            "select table_name from information_schema.tables where table_schema = 'control'"
        ).fetchall()
    return [name for (name,) in rows]


def advance(folder: Path) -> None:
    """Change the generated profiles a little, as a day does, and publish the ids of the build."""
    with duckdb.connect() as session:
        session.execute(f"create table profiles as from '{folder}/profiles.parquet'")
        session.execute(f"copy ({ADVANCE}) to '{folder}/profiles.parquet'")
        session.execute("set timezone = 'UTC'")
        session.execute(f"attach '{folder}/bench.duckdb' as bench (read_only)")
        state.save(session, "bench", _nothing(folder).home, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    _write_schemas(folder)


def attributes(folder: Path, name: str) -> None:
    """Take records of attributes alone in as files with a `map:`, and build who is who."""
    home = folder / f"home{name}"
    home.mkdir()
    with duckdb.connect() as session:
        session.execute(f"create view records as from '{folder}/records{name}.parquet'")
        sides = session.execute("select distinct side from records order by side").fetchall()
        for (side,) in sides:
            session.execute(
                f"copy (select * exclude (side) from records where side = '{side}') "
                f"to '{home}/records{side}.parquet'"
            )
    streams = "".join(LIST.format(side=side) for (side,) in sides)
    (home / config.CONFIG_NAME).write_text(LISTS + streams)
    for outcome in sync_selected(config.load(home / config.CONFIG_NAME), ()):
        if outcome.error is not None:
            raise outcome.error
    resolve(home)
    with duckdb.connect(str(home / build.BUILD_NAME)) as session:
        session.execute(FOUND % (folder / f"ours{name}.parquet"))
        session.execute(JUDGED % (folder / f"judged{name}.parquet"))


if __name__ == "__main__":
    case, folder = sys.argv[1], Path(sys.argv[2])
    if case == "profiles":
        profiles(folder, int(sys.argv[3]))
    elif case == "hostile":
        hostile(folder, int(sys.argv[3]))
    elif case == "project":
        project(folder)
    elif case == "advance":
        advance(folder)
    elif case == "families":
        for name, with_numbers in FAMILIES.items():
            identity_families.write(folder, FAMILIES_SEED, with_numbers=with_numbers, name=name)
    else:
        attributes(folder, sys.argv[3])
