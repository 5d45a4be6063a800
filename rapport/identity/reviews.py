"""Asking people about pairs of profiles, keeping what they say, and what that says of each rule.

Belongs here: which pairs to ask about, what to show of them, `identity/reviews.csv`, the measure of
each rule. Does not belong here: reading the file back for a build (`verdicts`), what a verdict
does (`identity_override`, `identity_rule_standing`), or the terminal (`reviewing`).

The build database is read, once and before anybody is asked: whoever judges needs names and
identifiers with their flags, which are published nowhere. A verdict is on two profiles, so it stays
true whatever ids they have by then.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import sqrt
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock

from connectors.errors import BuildError, ConfigError
from connectors.landing import flush
from rapport.config import Config
from rapport.dbt import DATABASE_NAME
from rapport.identity import lines, overrides, verdicts
from rapport.identity.verdicts import REVIEWS, Review
from rapport.report.warehouse import Query, Row

LEAST_PRECISION = 0.99  # as in `identity_rule_standing`
SAMPLE = 20
AS_SHOWN = "as shown"  # the reason of who gives no other
_Z = 1.959964  # 95 %, as in the macro `wilson_low`
_SHEET = ("question", "rule_words", "evidence", "left_shows", "right_shows")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a profile shows; `identifiers` are (kind, value, what the book says against it)."""

    profile_key: str
    source: str
    stream: str
    name: str | None
    organization: str | None
    title: str | None
    is_staff: bool
    is_deleted: bool
    since: date | None
    last_seen: date | None
    identifiers: Sequence[tuple[str, str, str | None]]


@dataclass(frozen=True, kw_only=True)
class Question:
    """Whether two profiles are one.

    Attributes:
        rules: those in whose sample the pair is, strongest first; each is measured by the answer.
        gain: profiles that a yes would bring to the larger of two people; None if they are joined.
        evidence: what each row of the two shows, masked, with the words of its rule.
        names: what the names say: agree, unknown or disagree.
    """

    entity: str
    left: Profile
    right: Profile
    rules: Sequence[str]
    gain: int | None
    evidence: Sequence[tuple[str, str | None]]
    names: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How right a rule is, by what people said here.

    Attributes:
        band: what it may do since the last build; `next_band`: with the next one.
        measured: share of its pairs that are right on generated companies; None if never measured.
        precision, low, high: share of right pairs here with its 95 % interval (Wilson).
        live, suggested: pairs it joined and suggests.
    """

    rule_id: str
    words: str
    band: str
    next_band: str
    measured: float | None
    live: int
    suggested: int
    reviewed: int
    right: int
    wrong: int
    unsure: int
    precision: float | None
    low: float | None
    high: float | None

    @property
    def change(self) -> str:
        """Say what the verdicts change, in words; empty if nothing."""
        if self.band == self.next_band:
            return ""
        return "only suggests from the next build on" if self.next_band == "suggest" else (
            "is automatic again from the next build on"
        )  # fmt: skip


def wilson(right: int, reviewed: int) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of a share; of no trials everything is possible."""
    if not reviewed:
        return 0.0, 1.0
    share, square = right / reviewed, _Z * _Z
    middle = share + square / 2 / reviewed
    spread = _Z * sqrt((share * (1 - share) + square / 4 / reviewed) / reviewed)
    scale = 1 + square / reviewed
    return (middle - spread) / scale, (middle + spread) / scale


def questions(
    config: Config,
    *,
    rule: str | None = None,
    only_suggestions: bool = False,
    sample: int = SAMPLE,
    seed: int = 0,
) -> list[Question]:
    """Return whom to ask about: what waits for an answer, most gain first, then samples.

    Of each automatic rule `sample` pairs are drawn at random, weakest rule first. The order of the
    draw depends on the pair and `seed` alone, so that a pair of two rules is drawn for both. What
    was judged is not drawn again.

    Raises:
        BuildError: nothing is built, or a build goes on.
        ConfigError: there is no such rule, or a file of people cannot be read.
    """
    told = overrides.load(config.folder, on=datetime.now(UTC).date())
    with _opened(config) as query:
        known = {row["rule_id"] for row in query.rows("select rule_id from identity_rule_standing")}
        if rule is not None:
            lines.choice("--rule", "rule_id", rule, sorted(known))
        query.register(
            "judged",
            pa.table(
                {
                    "left_key": pa.array([one.left for one in told.reviews], pa.string()),
                    "right_key": pa.array([one.right for one in told.reviews], pa.string()),
                }
            ),
        )
        drawn = query.rows(_SUGGESTED, rule=rule, seed=str(seed))
        if not only_suggestions:
            drawn += query.rows(_SAMPLED, rule=rule, seed=str(seed), sample=sample)
        pairs: dict[tuple[str, str], list[Row]] = {}
        for row in drawn:
            pairs.setdefault((row["left_key"], row["right_key"]), []).append(row)
        query.register(
            "asked",
            pa.table(
                {
                    "left_key": pa.array([left for left, _ in pairs], pa.string()),
                    "right_key": pa.array([right for _, right in pairs], pa.string()),
                }
            ),
        )
        edges = query.by("pair", _EDGES)
        profiles = _profiles(query)
    return [
        Question(
            entity=edges[f"{left} {right}"][0]["entity"],
            left=profiles[left],
            right=profiles[right],
            rules=list(dict.fromkeys(row["rule_id"] for row in reversed(rows))),
            gain=rows[0]["gain"],
            evidence=[(row["words"], row["evidence"]) for row in edges[f"{left} {right}"]],
            names=edges[f"{left} {right}"][0]["names"],
        )
        for (left, right), rows in pairs.items()
    ]


_SUGGESTED = """
select left_key, right_key, rule_id, gain
from identity_suggestion
anti join judged using (left_key, right_key)
where rule_id = coalesce($rule, rule_id)
order by gain desc, score desc nulls last, md5(concat_ws(' ', $seed, left_key, right_key)), left_key
"""

# The draw is by pair, not by row: two values that both show are one pair.
_SAMPLED = """
with pairs as (
    select distinct left_key, right_key, edges.rule_id, rules.tier
    from identity_edge as edges
    inner join identity_rule_standing as rules on edges.rule_id = rules.rule_id
    anti join judged using (left_key, right_key)
    where state = 'live' and edges.rule_id = coalesce($rule, edges.rule_id)
)
select left_key, right_key, rule_id, null as gain
from pairs
qualify row_number() over (
    partition by rule_id order by md5(concat_ws(' ', $seed, left_key, right_key)), left_key
) <= $sample
order by tier desc, rule_id, md5(concat_ws(' ', $seed, left_key, right_key)), left_key
"""

_EDGES = """
select distinct left_key || ' ' || right_key as pair, entity, words, evidence, names, tier
from identity_pair
inner join asked using (left_key, right_key)
where state in ('live', 'suggested')
order by pair, tier, words, evidence
"""

_STANDING = """
select
    rules.rule_id, rules.words, rules.declared_band, rules.band,
    case when rules.n_pairs > 0 then rules.measured_precision end as measured,
    count(case when edges.state = 'live' then 1 end) as live,
    count(case when edges.state = 'suggested' then 1 end) as suggested
from identity_rule_standing as rules
left join (
    select distinct left_key, right_key, rule_id, state from identity_edge
) as edges on rules.rule_id = edges.rule_id
group by all
order by min(rules.tier), rules.rule_id
"""


def _profiles(query: Query) -> dict[str, Profile]:
    concerned = "(select left_key from asked union select right_key from asked)"
    identifiers = query.by(
        "profile_key",
        f"""
        select distinct profile_key, ids.id_type, ids.written, book.flag, book.reason
        from identity_identifier as ids
        left join identity_identifier_book as book
            on ids.entity = book.entity and ids.id_type = book.id_type and ids.value = book.value
        where profile_key in {concerned} and ids.id_type <> 'record_id'
        order by all
        """,
    )
    rows = query.rows(
        f"""
        select profile_key, source, stream, display_name as name, organization_name as organization,
            title, is_staff, is_deleted, coalesce(created_at, first_seen_at)::date as since,
            last_seen_at::date as last_seen
        from identity_profile
        where profile_key in {concerned}
        """
    )
    return {
        row["profile_key"]: Profile(
            **row,
            identifiers=[
                (one["id_type"], one["written"], None)
                if one["flag"] == "ok"
                else (one["id_type"], masked(one["written"]), one["reason"] or one["flag"])
                for one in identifiers.get(row["profile_key"], ())
            ],
        )
        for row in rows
    }


def masked(value: str) -> str:
    """Return what may be shown of a value that is somebody else's too, as the macro `masked`."""
    local, at, domain = value.partition("@")
    return f"{local[:1]}***@{domain}" if at else f"***{value[-3:]}"


def standings(config: Config) -> list[Standing]:
    """Return the measure of each rule by all verdicts there are now, strongest first.

    Raises:
        BuildError: nothing is built, or a build goes on.
        ConfigError: a file of people cannot be read.
    """
    told = overrides.load(config.folder, on=datetime.now(UTC).date())
    counts = _counts(told.reviews)
    with _opened(config) as query:
        rules = query.rows(_STANDING)
    return [_standing(row, counts.get(row["rule_id"], {})) for row in rules]


def _counts(reviews: Iterable[Review]) -> dict[str, dict[str, int]]:
    """Return rule -> verdict -> pairs; a pair counts once, and who is sure beats who is not."""
    said: dict[str, dict[tuple[str, str], str]] = {}
    for one in reviews:
        for rule in one.rules:
            held = said.setdefault(rule, {})
            if held.get((one.left, one.right), "unsure") == "unsure":
                held[one.left, one.right] = one.verdict
    return {
        rule: {verdict: list(held.values()).count(verdict) for verdict in verdicts.VERDICTS}
        for rule, held in said.items()
    }


def _standing(row: Row, counts: Mapping[str, int]) -> Standing:
    right, wrong = counts.get("yes", 0), counts.get("no", 0)
    low, high = wilson(right, right + wrong)
    fails = wrong > 0 and low < LEAST_PRECISION
    return Standing(
        rule_id=row["rule_id"],
        words=row["words"],
        band=row["band"],
        next_band="suggest" if row["declared_band"] == "auto" and fails else row["declared_band"],
        measured=row["measured"],
        live=row["live"],
        suggested=row["suggested"],
        reviewed=right + wrong,
        right=right,
        wrong=wrong,
        unsure=counts.get("unsure", 0),
        precision=right / (right + wrong) if right + wrong else None,
        low=low if right + wrong else None,
        high=high if right + wrong else None,
    )


def answer(
    config: Config, question: Question, verdict: str, reason: str, author: str, on: date
) -> None:
    """Append one verdict to reviews.csv; it is there whole, or not at all.

    Raises:
        ConfigError: it contradicts what people said before; nothing was written.
    """
    _append(config, [{
        "rule_id": " ".join(question.rules), "left": question.left.profile_key,
        "right": question.right.profile_key, "verdict": verdict, "reason": reason or AS_SHOWN,
        "author": author, "date": on.isoformat(),
    }], REVIEWS)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Lines of a sheet: taken, known already, and without a verdict."""

    taken: int
    known: int
    open: int


def import_sheet(config: Config, path: Path, author: str, on: date) -> Imported:
    """Take the verdicts of a sheet that `export_sheet` wrote and somebody filled in; all or none.

    Raises:
        ConfigError: it is not there, a line cannot be understood, or contradicts another.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file. Write one with `--export`.")
    optional = ("verdict", "reason", "author", "date")
    rows = [
        row | {"reason": row["reason"] or AS_SHOWN, "author": row["author"] or author,
               "date": row["date"] or on.isoformat(), "line": str(line)}
        for line, row in lines.rows(path.parent, path.name, verdicts.COLUMNS, optional=optional,
                                    ignores_others=True)
    ]  # fmt: skip
    filled = [row | {"verdict": row["verdict"].lower()} for row in rows if row["verdict"]]
    taken = _append(config, filled, path.name)
    return Imported(taken=taken, known=len(filled) - taken, open=len(rows) - len(filled))


def _append(config: Config, rows: Sequence[Mapping[str, str]], name: str) -> int:
    """Append rows that say something new; return how many. Errors say `name` and row's `line`."""
    path = (config.folder / REVIEWS).resolve()
    path.parent.mkdir(exist_ok=True)
    config.home.mkdir(parents=True, exist_ok=True)
    with FileLock(config.home / "reviews.lock"):
        held = path.read_bytes() if path.is_file() else b""
        told = overrides.load(config.folder, on=datetime.now(UTC).date())
        known = {(one.left, one.right, rule, one.verdict) for one in told.reviews
                 for rule in one.rules}  # fmt: skip
        new, reviews = [], []
        for row in rows:
            line = int(row.get("line", held.count(b"\n") + 1))
            one = verdicts.review(line, row, name)
            said = {(one.left, one.right, rule, one.verdict) for rule in one.rules}
            if not said <= known:
                known |= said
                new.append(row)
                reviews.append(one)
        overrides.refuse_contradictions(
            [*overrides.said(told.links, told.reviews), *overrides.said((), reviews, name)]
        )
        if new:
            _replace(path, held, new)
    return len(new)


def _replace(path: Path, held: bytes, rows: Iterable[Mapping[str, str]]) -> None:
    """Write what the file held with rows after it, in the order of its columns."""
    text = held.decode("utf-8-sig")
    header = [cell.strip() for cell in next(csv.reader(io.StringIO(text, newline="")), [])]
    added = io.StringIO(newline="")
    columns = header or verdicts.COLUMNS
    writer = csv.DictWriter(added, columns, extrasaction="ignore", lineterminator="\n")
    if not header:
        writer.writeheader()
    writer.writerows(rows)
    gap = b"\n" if held and not held.endswith(b"\n") else b""
    temporary = path.with_name(f".{path.name}.next")
    temporary.write_bytes(held + gap + added.getvalue().encode())
    if path.exists():
        shutil.copymode(path, temporary)
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)


def export_sheet(path: Path, asked: Sequence[Question]) -> None:
    """Write questions as a sheet to fill in: `verdict` and `reason` are empty.

    Raises:
        ConfigError: the file is there already; somebody may have filled it in.
    """
    if path.exists():
        raise ConfigError(f"{path}: it is there already. Import it or move it away first.")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, (*verdicts.COLUMNS, *_SHEET))
        writer.writeheader()
        for one in asked:
            writer.writerow({
                "rule_id": " ".join(one.rules), "left": one.left.profile_key,
                "right": one.right.profile_key,
                "question": "suggestion" if one.gain else "sample",
                "rule_words": "; ".join(dict.fromkeys(words for words, _ in one.evidence)),
                "evidence": _harmless("; ".join(shown for _, shown in one.evidence if shown)),
                "left_shows": _harmless(shows(one.left)),
                "right_shows": _harmless(shows(one.right)),
            })  # fmt: skip


def shows(profile: Profile) -> str:
    """Return what a profile shows on one line."""
    ids = [value + (f" ({flag})" if flag else "") for _, value, flag in profile.identifiers]
    return "; ".join(filter(None, [profile.name, *ids, profile.title, profile.organization]))


def _harmless(text: str) -> str:
    """Return a stranger's text so that a spreadsheet does not take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Build(Query):
    """The build database, opened for reading and closed soon."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._own = connection

    def __enter__(self) -> _Build:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        self._own.close()
        if kind is not None and issubclass(kind, duckdb.CatalogException):
            raise BuildError(
                f"`{DATABASE_NAME}` was not built by this version. Run `rapport build` first."
            )

    def register(self, name: str, table: pa.Table) -> None:
        self._own.register(name, table)


def _opened(config: Config) -> _Build:
    path = config.home / DATABASE_NAME
    if not path.exists():
        raise BuildError(f"no `{path.name}` to read pairs from. Run `rapport build` first.")
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except duckdb.IOException:
        raise BuildError(
            f"`{path.name}` cannot be read: a build is going on. Try again when it is done."
        ) from None
    connection.execute("set timezone = 'UTC'")
    return _Build(connection)
