"""Names, addresses and company words that the world is made of.

Belongs here: word lists and what turns a name into another spelling of it.
Does not belong here: who is called what (`sandbox.people`).

All organizations live under the reserved `.example` domain; free-mail providers are the
real ones, because recognizing them is part of the problem.
"""

from __future__ import annotations

import re
import unicodedata
from random import Random

Culture = tuple[float, str, str]

_CULTURES: dict[str, Culture] = {
    "en": (
        0.40,
        "Alice James Olivia Robert William Elizabeth Katherine Thomas Emily Daniel Grace Samuel "
        "Margaret Andrew Hannah Michael Jennifer Edward Charlotte Matthew Rebecca Nicholas "
        "Susan Joseph Rachel Benjamin Victoria David Laura Christopher",
        "Smith Taylor Walker Hughes Carter Bennett Foster O'Brien Murphy Reed Wright Coleman "
        "Harris Mitchell Ward Brooks Hayes Fletcher Webster Dyer Tucker Sawyer Weaver Cooper "
        "Mason Turner Fisher Chapman Spencer Clarke McDonald Stone",
    ),
    "de": (
        0.16,
        "Jürgen Anneliese Björn Katharina Matthias Ursula Stefan Claudia Florian Sabine Götz "
        "Heike Thomas Birgit Jörg Monika Andreas Silke Wolfgang Käthe",
        "Müller Schäfer Weber Krüger Schröder Böhm Weiß Groß Köhler Lange Färber Schneider "
        "Fischer Zimmermann Vogel Kühn Schulz Hartmann",
    ),
    "fr": (
        0.09,
        "Hélène François Élodie Benoît Chloé Jérôme Amélie Cédric Geneviève Rémi Zoé Lucie",
        "Lefèvre Dubois Moreau Girard Béranger Tisserand Noël Lambert Garçon Fontaine",
    ),
    "es": (
        0.08,
        "José María Lucía Andrés Beatriz Íñigo Sofía Joaquín Inés Rubén Carmen Raúl",
        "García Muñoz Fernández Peña Ibáñez Rodríguez Núñez Castaño Vidal Ortega",
    ),
    "nordic": (
        0.05,
        "Åsa Søren Ingrid Bjørn Sigrid Øystein Linnéa Jørgen Elin Håkon",
        "Sørensen Lindström Ångström Hansen Nygård Væver Bergström Kjær",
    ),
    "pl": (
        0.05,
        "Łukasz Małgorzata Paweł Agnieszka Zbigniew Świętosława Krzysztof Żaneta",
        "Kowalski Wiśniewska Dąbrowski Łuczak Tkacz Żak Nowak Śliwa",
    ),
    "tr": (0.03, "Ayşe Çağlar İpek Oğuz Şebnem Güneş", "Yılmaz Öztürk Şahin Çelik Dokumacı"),
    "vi": (0.03, "Hương Tuấn Thủy Đức Lan Minh", "Nguyễn Trần Phạm Đặng Vũ"),
    "ja": (
        0.04,
        "陽子=Yoko 健一=Kenichi さくら=Sakura 大輔=Daisuke 美咲=Misaki 誠=Makoto",
        "田中=Tanaka 織田=Oda 服部=Hattori 佐藤=Sato 山本=Yamamoto",
    ),
    "ru": (
        0.03,
        "Ольга=Olga Дмитрий=Dmitry Наталья=Natalia Сергей=Sergey Юлия=Yulia",
        "Иванова=Ivanova Ткаченко=Tkachenko Кузнецов=Kuznetsov Соколова=Sokolova",
    ),
    "ar": (
        0.02,
        "فاطمة=Fatima يوسف=Youssef ليلى=Layla كريم=Karim",
        "الحائك=Alhaik حداد=Haddad منصور=Mansour",
    ),
    "hi": (0.02, "प्रिया=Priya अर्जुन=Arjun मीरा=Meera", "शर्मा=Sharma पटेल=Patel जुलाहा=Julaha"),
}

_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "đ": "d", "Đ": "D", "ı": "i"}
)

NICKNAMES = {
    "Alice": "Ali", "James": "Jim", "Robert": "Bob", "William": "Bill", "Elizabeth": "Liz",
    "Katherine": "Kate", "Thomas": "Tom", "Emily": "Em", "Daniel": "Dan", "Samuel": "Sam",
    "Margaret": "Peggy", "Andrew": "Andy", "Michael": "Mike", "Jennifer": "Jen",
    "Edward": "Ted", "Charlotte": "Lottie", "Matthew": "Matt", "Rebecca": "Becky",
    "Nicholas": "Nick", "Susan": "Sue", "Joseph": "Joe", "Benjamin": "Ben",
    "Victoria": "Vicky", "David": "Dave", "Christopher": "Chris", "Katharina": "Kathi",
    "Matthias": "Matze", "Wolfgang": "Wolf", "José": "Pepe", "Krzysztof": "Krzysiek",
}  # fmt: skip

FREE_MAIL = (
    "gmail.com gmail.com gmail.com outlook.com yahoo.com hotmail.com icloud.com gmx.de web.de "
    "proton.me orange.fr"
).split()
MISTYPED_DOMAINS = {"gmail.com": "gmial.com", "outlook.com": "outlok.com", "yahoo.com": "yaho.com",
                    "hotmail.com": "hotnail.com"}  # fmt: skip

ROLE_MAILBOXES = "info office support sales buero contact kontakt accounts hello orders".split()
PLACEHOLDER_EMAILS = (
    "none@none.com",
    "test@test.com",
    "noemail@noemail.com",
    "na@na.com",
    "unknown@example.com",
)
PLACEHOLDER_PHONES = ("000000", "123456789", "n/a", "0", "+1 555 555 5555", "tbd")

COMPANY_FIRST = (
    "Northwind Silver Copper Blue Heron Maple Granite River Orchard Lantern Juniper Willow "
    "Cobalt Anchor Harvest Meridian Falcon Amber Thistle Saltmarsh Highland Cedar Indigo "
    "Ember Foxglove Kestrel Linden Quarry Sparrow Tidewater Wren Alder Bramble Clover Drift "
    "Elm Fern Gale Hazel Iris"
).split()
COMPANY_SECOND = (
    "Mill Textiles Weavers Threads Fabrics Yarns Looms Fibres Studio Works Cloth Tapestry Wool "
    "Cotton Linen Dyehouse Supply Collective"
).split()
COMPANY_FORM = ("", "", "", " Ltd", " GmbH", " Inc.", " LLC", " & Sons", " S.A.", " B.V.")
INDUSTRIES = ("Manufacturing", "Retail", "Education", "Not For Profit", "Hospitality", "Other")
TITLES = (
    "Head Weaver", "Buyer", "Production Manager", "Owner", "Designer", "IT Manager",
    "Purchasing Lead", "Apprentice", "Operations Director", "Teacher", "Technician", "CEO",
)  # fmt: skip
HANDLE_FIRST = "warp weft shuttle heddle treadle selvage twill bobbin tabby loom fringe".split()
HANDLE_SECOND = "wizard fan 77 lover cat geek mum dad works speed hero smith".split()


def ascii_of(name: str) -> str:
    """Return a name in plain letters: ü becomes u, ß becomes ss."""
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return plain.encode("ascii", "ignore").decode()


def _split(words: str) -> list[tuple[str, str]]:
    """Return (as written at home, in Latin letters) of each word."""
    pairs = []
    for word in words.split():
        native, _, latin = word.partition("=")
        pairs.append((native, latin or native))
    return pairs


_POOLS = {
    culture: (_split(given), _split(family)) for culture, (_, given, family) in _CULTURES.items()
}
_CULTURE_NAMES = tuple(_CULTURES)
_CULTURE_WEIGHTS = tuple(share for share, _, _ in _CULTURES.values())


def person_name(rng: Random) -> tuple[str, str, str]:
    """Return (given, family, name as written at home); the first two in Latin letters."""
    culture = rng.choices(_CULTURE_NAMES, _CULTURE_WEIGHTS)[0]
    given_pool, family_pool = _POOLS[culture]
    given, given_latin = rng.choice(given_pool)
    family, family_latin = rng.choice(family_pool)
    if rng.random() < 0.12:
        second, second_latin = rng.choice(family_pool)
        family, family_latin = f"{family}-{second}", f"{family_latin}-{second_latin}"
    home = f"{family} {given}" if culture == "ja" else f"{given} {family}"
    return given_latin, family_latin, home


def company_name(rng: Random) -> str:
    """Return a company's name; rarely with characters that hurt."""
    name = f"{rng.choice(COMPANY_FIRST)} {rng.choice(COMPANY_SECOND)}{rng.choice(COMPANY_FORM)}"
    if rng.random() < 0.015:
        name = rng.choice((f'"{name}"', f"{name} \N{EM DASH} R&D <Europe>", f"{name}\u200b"))
    return name


def domain_of(company: str) -> str:
    """Return a company's mail domain, always under `.example`."""
    return re.sub(r"[^a-z0-9]+", "", ascii_of(company).lower())[:30] + ".example"


def local_part(given: str, family: str, style: int) -> str:
    """Return the part before the @ in a company's style (0-3)."""
    first = re.sub(r"[^a-z]", "", ascii_of(given).lower()) or "x"
    last = re.sub(r"[^a-z]", "", ascii_of(family).lower()) or "y"
    return (f"{first}.{last}", f"{first[0]}{last}", f"{first}_{last}", first)[style]


def mistyped(text: str, rng: Random) -> str:
    """Return a text with two letters swapped, one doubled or one lost."""
    if len(text) < 4:
        return text + text[-1:]
    at = rng.randrange(1, len(text) - 2)
    kind = rng.random()
    if kind < 0.4:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind < 0.7:
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1 :]


def mistyped_email(email: str, rng: Random) -> str:
    """Return an address somebody typed wrongly: the provider, or the name."""
    local, _, domain = email.partition("@")
    if domain in MISTYPED_DOMAINS and rng.random() < 0.6:
        return f"{local}@{MISTYPED_DOMAINS[domain]}"
    return f"{mistyped(local, rng)}@{domain}"


def phone_number(rng: Random) -> str:
    """Return a number as +<country><national digits>; US numbers use the fiction range."""
    if rng.random() < 0.6:
        return f"+1{rng.choice(('212', '415', '617', '312', '206'))}55501{rng.randrange(100):02d}"
    if rng.random() < 0.6:
        return f"+4930{rng.randrange(1_000_000, 9_999_999)}"
    return f"+4420794600{rng.randrange(100):02d}"


def written_phone(number: str, rng: Random) -> str:
    """Return one of the ways people write a number down."""
    style = rng.randrange(5)
    if number.startswith("+1"):
        area, first, last = number[2:5], number[5:8], number[8:]
        return (
            f"({area}) {first}-{last}",
            f"{area}-{first}-{last}",
            f"+1 {area} {first} {last}",
            f"1{number[2:]}",
            f"{area}.{first}.{last} ext. 12",
        )[style]
    country, rest = number[1:3], number[3:]
    return (number, f"00{country}{rest}", f"+{country} (0){rest}", f"+{country} {rest}", number)[
        style
    ]
