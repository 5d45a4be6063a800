"""Phone numbers as people write them, to E.164."""

from __future__ import annotations

import phonenumbers


def e164(text: str | None, region: str) -> str | None:
    """Return the number in E.164 (`+14155550123`), or None where the text holds no valid one.

    Args:
        text: a number as written; an extension is left out.
        region: two-letter country that numbers without a country code belong to.
    """
    if not text or len(text) > 64:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
