"""Phone numbers as people write them, to E.164."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata

_LONGEST_TEXT = 64
_PLAIN = re.compile(r"\+?[1-9](?:[ .()-]*[0-9]){4,16}")
_SIGNS = str.maketrans("", "", "+ .()-")
_NEVER = r"(?!)"


class _Numbering(NamedTuple):
    """What tells a country's common numbers; `prefixes` could be read as something else."""

    country_code: str
    common: tuple[re.Pattern[str], ...]
    prefixes: re.Pattern[str]


def e164(text: str | None, region: str) -> str | None:
    """Return the number in E.164 (`+14155550123`), or None where the text holds no valid one.

    Args:
        text: a number as written; an extension is left out.
        region: two-letter country that numbers without a country code belong to.
    """
    if not text or len(text) > _LONGEST_TEXT:
        return None
    return _common_number(text, region) or _any_number(text, region)


def _any_number(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _common_number(text: str, region: str) -> str | None:
    """Return what nearly every number is read as, at a tenth of the cost; None if in doubt.

    In doubt is what begins with a prefix (`0`, `00`, the country code without a plus), and what
    is not a fixed or mobile number of the country's main region.
    """
    if not _PLAIN.fullmatch(text):
        return None
    digits = text.translate(_SIGNS)
    if text[0] == "+":
        found = next(filter(None, (_numbering(int(digits[:size])) for size in (1, 2, 3))), None)
        if found is None:
            return None
        digits = digits[len(found.country_code) :]
    else:
        found = _numbering(phonenumbers.country_code_for_region(region))
        if found is None or _prefixes_at_home(region).match(digits):
            return None
    if digits[0] == "0" or found.prefixes.match(digits):
        return None
    if not all(pattern.fullmatch(digits) for pattern in found.common):
        return None
    return f"+{found.country_code}{digits}"


@cache
def _numbering(country_code: int) -> _Numbering | None:
    """Return how a country's numbers look; None for a code that no country has."""
    region = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(country_code, ("001",))[0]
    main = PhoneMetadata.metadata_for_region(region, None)
    if main is None or main.leading_digits:
        return None
    general, *kinds = (
        kind.national_number_pattern if kind and kind.national_number_pattern else _NEVER
        for kind in (main.general_desc, main.fixed_line, main.mobile)
    )
    return _Numbering(
        country_code=str(country_code),
        common=(re.compile(general), re.compile("|".join(f"(?:{kind})" for kind in kinds))),
        prefixes=re.compile(main.national_prefix_for_parsing or _NEVER),
    )


@cache
def _prefixes_at_home(region: str) -> re.Pattern[str]:
    """Return what a number without a plus must not begin with to be one of the region."""
    home = PhoneMetadata.metadata_for_region(region, None)
    if home is None:
        return re.compile("")  # nothing is at home there
    texts = (home.international_prefix, home.national_prefix_for_parsing, str(home.country_code))
    return re.compile("|".join(f"(?:{text})" for text in texts if text))
