r"""Exact reading of plain numbers with units: the answers that need no computer algebra.

``18``, ``$1,234.50``, ``-\frac{3}{4}``, ``6\frac15``, ``3/4 cup``, ``50\%``, ``25\text{ km}``,
``3 million dollars``. Values are fractions, so that ``0.5`` equals ``1/2`` and ``0.33`` does not equal
``1/3``.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from distillgame.tasks.grading.currencies import CURRENCY, currency_name

_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}|[0-9]+)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.[0-9]+)?|\.[0-9]+)"
_POWER = r"10\s*\^\s*(?:\{\s*\+?(?P<power>-?[0-9]{1,3})\s*\}|(?P<power1>[0-9]))"
SIGN = rf"(?P<sign>[-+]|\b(?:[Mm]inus|[Nn]egative)\b)?\s*(?P<currency>{CURRENCY})?\s*(?P<inner>[-+]?)\s*"
NUMBER = (
    rf"(?:(?P<whole>[0-9]+)\s*)?\\frac\s*\{{\s*(?P<minus>-?)(?P<top>{_WHOLE})\s*\}}\{{\s*(?P<minus2>-?)(?P<bottom>[0-9]+)\s*\}}"
    rf"|(?:(?P<whole2>[0-9]+)\s+)?(?P<top2>{_WHOLE})\s*/\s*(?P<bottom2>[0-9]+)(?![0-9]|\.[0-9])"
    rf"|(?:(?P<mantissa>{_DECIMAL})\s*\\cdot\s*)?{_POWER}"
    rf"|(?P<decimal>{_DECIMAL})"
)
"""Regular expressions of a tidied number's sign and currency, and of its digits."""
_PLAIN = re.compile(rf"(-?)({_DECIMAL})")
_SIGNED, _NUMBER = re.compile(SIGN), re.compile(NUMBER)
_UNIT = re.compile(
    r"(?:(?P<percent>\\?%)"
    r"|(?P<degree>\^\\circ)(?:\s*(?:\\text\s*\{)?\s*(?:[CFK]|[Cc]elsius|[Ff]ahrenheit)\s*\}?)?"
    rf"|(?P<currency>{CURRENCY})"
    r"|(?P<ordinal>\^?\s*\{?\s*(?:\\text\s*\{)?\s*(?:st|nd|rd|th)(?![A-Za-z])\s*\}?\s*\}?))"
    r"(?P<rest>\s+[A-Za-z][A-Za-z.'’\- ]*|\s*\\text\s*\{[^{}0-9\\=<>]*\})?"
    r"|(?:\\text\s*\{(?P<text>[^{}0-9\\=<>]*)\}|(?P<words>[A-Za-z][A-Za-z.'’\- /]*))(?:\s*\^\s*\{?[0-9]\}?)?"
    r"|"
)
SCALES = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "lakh": 10**5, "crore": 10**7,
}  # fmt: skip
_KNOWN = {
    alias: unit
    for unit, aliases in {
        "dollar": "dollar dollars bucks", "cent": "cent cents ¢", "euro": "euro euros", "rupee": "rupee rupees",
        "yen": "yen yuan", "mph": "mph",
        "degree": "degree degrees deg", "am": "am", "pm": "pm", "mm": "mm millimeter millimeters",
        "cm": "cm centimeter centimeters", "m": "m meter meters metre metres",
        "km": "km kilometer kilometers",
        "inch": "in inch inches", "foot": "ft foot feet", "yard": "yd yard yards", "mile": "mi mile miles",
        "kmh": "km/h kmh kph",
        "second": "s sec second seconds", "minute": "min minute minutes", "hour": "h hr hrs hour hours",
        "day": "day days", "week": "week weeks", "month": "month months", "year": "yr year years",
        "gram": "g gram grams gm", "kilogram": "kg kilogram kilograms", "ounce": "oz ounce ounces",
        "pound": "lb lbs pound pounds", "liter": "l liter liters", "ml": "ml milliliter milliliters",
    }.items()
    for alias in aliases.split()
}  # fmt: skip
UNIT_WORDS = ("units?", "[cmk]m", "ft", "mph", *sorted(alias for alias in _KNOWN if len(alias) > 3))
"""Regular expressions of units that may follow an expression such as ``9\\pi`` without ``\\text``."""
_LINKS = frozenset(("of", "per", "in", "a", "an", "the", "by", "on", "at", "sq", "cu"))
NOT_UNITS = re.compile(
    r"\b(?:and|or|n?either|nor|not|but|if|unless|is|equals|to|from|between|times|plus|minus|over|than|divided|mod"
    r"|choose|squared|cubed|pi|sin|cos|tan|log|sqrt|infinity|half|halves"
    r"|(?:thir|four|fif|six|eigh|ten|hundred)(?:d|th)s?)\b",
    re.IGNORECASE,
)
"""Words that cannot be part of a unit after a number: ``5 or more``, ``5 times``, ``5 is wrong``."""
_DIMENSION = re.compile(r"^(?:square|sq|cubic|cu)\s+|\s+squared$|\s+cubed$")


@dataclass(frozen=True)
class Quantity:
    """A number with its percent sign or unit.

    Attributes:
        value: The number as written: 50 for ``50%``.
        percent: Whether a percent sign or the word follows.
        unit: A well-known unit in one spelling (``"cm"``), else empty; powers and squares are dropped.
    """

    value: Fraction | int
    percent: bool = False
    unit: str = ""


def parse_quantity(text: str) -> Quantity | None:
    """Read a tidied answer as a number with an optional unit, or return ``None`` if it is anything else."""
    if plain := _PLAIN.fullmatch(text):
        value = _decimal(plain[2])
        return Quantity(-value if plain[1] else value)
    prefix = _SIGNED.match(text)
    number = prefix and _NUMBER.match(text, prefix.end())
    if not prefix or not number:
        return None
    magnitude = _magnitude(number)
    unit = _unit(text[number.end() :])
    if magnitude is None or unit is None:
        return None
    scale, percent, name = unit
    if prefix["currency"]:
        name = currency_name(prefix["currency"]) or name
    signs = (prefix["sign"] not in (None, "+"), prefix["inner"] == "-", bool(number["minus"]), bool(number["minus2"]))
    negative = sum(signs) % 2
    return Quantity((-magnitude if negative else magnitude) * scale, percent, name)


def same_quantity(gold: Quantity, answer: Quantity, percent: bool) -> bool:
    """Return whether ``answer`` states ``gold``.

    Units count only if both sides name well-known units that differ (cents and dollars). A percent sign on both sides
    is treated as a unit. ``44`` and ``0.44`` both match the gold answer ``44%``. ``44%`` matches a gold answer of
    0.44 without a sign, and also 44 if ``percent`` says that the gold solution speaks of percentages.
    """
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return False
    if gold.percent == answer.percent:
        return gold.value == answer.value
    if gold.percent:
        return answer.value in (gold.value, Fraction(gold.value) / 100)
    return gold.value * 100 == answer.value or (percent and gold.value == answer.value)


def _decimal(text: str) -> Fraction | int:
    whole, _, decimals = text.replace(",", "").partition(".")
    if not decimals:
        return int(whole)
    return Fraction(int(whole + decimals), 10 ** len(decimals))


def _magnitude(number: re.Match[str]) -> Fraction | int | None:
    if number["decimal"]:
        return _decimal(number["decimal"])
    if power := number["power"] or number["power1"]:
        return _decimal(number["mantissa"] or "1") * Fraction(10) ** int(power)
    top, bottom = int(_decimal(number["top"] or number["top2"])), int(number["bottom"] or number["bottom2"])
    whole = number["whole"] or number["whole2"]
    # A mixed number has a proper fraction; 2 3/2 and 2\frac{3}{2} could be products.
    if bottom == 0 or (whole and (top >= bottom or number["minus"] or number["minus2"])):
        return None
    return int(whole or 0) + Fraction(top, bottom)


def _unit(text: str) -> tuple[int, bool, str] | None:
    """Read the text after a number as (scale, percent, well-known unit); ``None`` if it cannot be a unit."""
    match = _UNIT.fullmatch(text.strip())
    if not match or (match["words"] and not _unit_words(match["words"], glued=not text[0].isspace())):
        return None
    if match["percent"] or match["degree"] or match["currency"] or match["ordinal"]:
        rest = (match["rest"] or "").replace("\\text", "").strip("{} ")
        if rest and (NOT_UNITS.search(rest) or not _unit_words(rest, glued=False)):
            return None
        name = "degree" if match["degree"] else currency_name(match["currency"] or "")
        return 1, bool(match["percent"]), name
    words = (match["words"] or match["text"] or "").lower().replace(".", "").split()
    scale = SCALES.get(words[0], 1) if words else 1
    name = _DIMENSION.sub("", " ".join(words[scale > 1 :])).replace("per cent", "percent")
    if NOT_UNITS.search(name):
        return None
    if name in ("percent", "percentage", "%"):
        return scale, True, ""
    return scale, False, _KNOWN.get(name, "")


def _unit_words(text: str, glued: bool) -> bool:
    """Return whether bare letters can be a unit, not a product of variables: ``5 cats``, but not ``5ab``."""
    words = text.lower().replace(".", "").split()
    if glued or len(words[0]) == 1:
        return len(words[0]) > 1 and all(part in _KNOWN for part in words[0].split("/"))
    return all(len(word) > 2 or word in _KNOWN or word in _LINKS for word in words)
