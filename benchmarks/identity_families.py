"""Two lists of families, as clubs and insurers have them, and who is who in them.

Belongs here: people who share what one person's records share: relatives under one roof, twins,
children named after a parent, a home of a hundred, neighbors. FEBRL has none of these, so that it
cannot show who is wrongly joined. Does not belong here: any resolving. How often people err is a
guess; nothing was tuned on it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import pyarrow
import pyarrow.parquet as pq

HOUSEHOLDS, IN_A_HOME = 1_500, 120
LISTS = (0.7, 0.6)
"""Share of all people who are on each list; one in ten of them is on it twice."""

NUMBER = "soc_sec_id"
FIELDS = (
    "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "date_of_birth",
    NUMBER,
)  # fmt: skip
SLIPS = {
    "given_name": 0.04, "surname": 0.04, "date_of_birth": 0.03, NUMBER: 0.03, "address_1": 0.08,
    "postcode": 0.04,
}  # fmt: skip
"""Share of records in which the field has a slip of the hand."""
GAPS = {"given_name": 0.02, "street_number": 0.03, "date_of_birth": 0.08, NUMBER: 0.35}
"""Share of records that do not tell the field."""
SYLLABLES = tuple("ba den ko lis mar ner pol ri san ter ul vik wen yo zam fro gal hin jor".split())

Record = dict[str, str | None]


@dataclass
class Town:
    """What names and addresses are made of, by one seed."""

    dice: random.Random
    givens: list[str] = field(init=False)
    families: list[str] = field(init=False)
    streets: list[str] = field(init=False)
    places: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.givens = [self.word(2 + number % 2) for number in range(500)]
        self.families = [self.word(3) for _ in range(1_500)]
        self.streets = [f"{self.word(3)} street" for _ in range(400)]
        self.places = [(self.word(3), str(self.dice.randrange(1000, 9999))) for _ in range(120)]

    def word(self, syllables: int) -> str:
        return "".join(self.dice.choice(SYLLABLES) for _ in range(syllables))

    def given(self) -> str:
        return self._often(self.givens)

    def family(self) -> str:
        return self._often(self.families)

    def address(self) -> Record:
        suburb, postcode = self.dice.choice(self.places)
        return {
            "street_number": str(self.dice.randrange(1, 150)),
            "address_1": self.dice.choice(self.streets),
            "suburb": suburb,
            "postcode": postcode,
        }

    def birthday(self, first_year: int, last_year: int) -> str:
        year = self.dice.randint(first_year, last_year)
        return f"{year}{self.dice.randint(1, 12):02d}{self.dice.randint(1, 28):02d}"

    def number(self) -> str:
        return str(self.dice.randrange(10**6, 10**7))

    def _often(self, names: list[str]) -> str:
        """Return a name: the first are borne by many, the last by few."""
        weights = [1 / (20 + place) for place in range(len(names))]
        return self.dice.choices(names, weights)[0]


def people(town: Town) -> list[Record]:
    """Return everybody, as they are: households of one, two and more, and a home."""
    dice, found = town.dice, []

    def person(address: Record, family: str, birthday: str, given: str | None = None) -> Record:
        told = {"given_name": given or town.given(), "surname": family, "date_of_birth": birthday}
        found.append(address | told | {NUMBER: town.number()})
        return found[-1]

    for _ in range(HOUSEHOLDS):
        address, family, year = town.address(), town.family(), dice.randint(1930, 1994)
        size = dice.random()
        parent = person(address, family, town.birthday(year, year))
        if size > 0.3:
            other = family if dice.random() < 0.85 else town.family()
            person(address, other, town.birthday(year - 4, year + 4))
        for _ in range(dice.choice((1, 1, 2, 2, 3)) if size > 0.6 else 0):
            birthday = town.birthday(year + 22, year + 35)
            same = parent["given_name"] if dice.random() < 0.02 else None
            person(address, family, birthday, same)
            if dice.random() < 0.015:
                person(address, family, birthday)  # a twin
    home = town.address()
    for _ in range(IN_A_HOME):
        person(home, town.family(), town.birthday(1928, 1944))
    return found


def entered(town: Town, person: Record) -> Record:
    """Return a record of a person as somebody entered it, with all that goes wrong."""
    dice, record = town.dice, dict(person)
    if dice.random() < 0.08:
        record |= town.address()  # moved
    if dice.random() < 0.02:
        record["surname"] = town.family()  # married
    if dice.random() < 0.02:
        record["given_name"] = town.given()  # goes by another name
    if dice.random() < 0.01:
        record[NUMBER] = town.number()  # somebody else's
    if dice.random() < 0.01:
        record["date_of_birth"] = town.birthday(1930, 2010)
    for name, share in SLIPS.items():
        if dice.random() < share:
            record[name] = slip(dice, str(record[name]))
    if dice.random() < 0.01:
        record |= {"given_name": record["surname"], "surname": record["given_name"]}
    return record | {name: None for name, share in GAPS.items() if dice.random() < share}


def slip(dice: random.Random, text: str) -> str:
    """Return text with a sign too many, too few, wrong, or two in the wrong order."""
    at, sign = (
        dice.randrange(1, len(text)),
        dice.choice("0123456789" if text.isdigit() else "aeinrst"),
    )
    return dice.choice(
        (
            text[:at] + text[at + 1 :],
            text[:at] + sign + text[at:],
            text[:at] + sign + text[at + 1 :],
            text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :],
        )
    )


def write(folder: Path, seed: int, *, with_numbers: bool, name: str) -> None:
    """Write the records of both lists, and the pairs of one person, as FEBRL's are written."""
    town = Town(random.Random(seed))
    rows, of_one = [], defaultdict(list)
    for place, person in enumerate(people(town)):
        for side, share in enumerate(LISTS):
            times = (town.dice.random() < share) * (1 + (town.dice.random() < 0.1))
            for time in range(times):
                record = entered(town, person)
                of_one[place].append(f"rec-{place}-{side}{time}")
                rows.append(
                    {"rec_id": of_one[place][-1], "side": str(side)}
                    | {each: record[each] for each in FIELDS}
                    | ({} if with_numbers else {NUMBER: None})
                )
    links = [
        {"left": left, "right": right}
        for keys in of_one.values()
        for left, right in combinations(sorted(keys), 2)
    ]
    shape = pyarrow.schema([(each, pyarrow.string()) for each in ("rec_id", "side", *FIELDS)])
    pq.write_table(pyarrow.Table.from_pylist(rows, shape), folder / f"records{name}.parquet")
    pq.write_table(pyarrow.Table.from_pylist(links), folder / f"links{name}.parquet")
