"""Words that decide how a number beside them is read."""

import re

UNITS = frozenset(
    (
        "cm", "mm", "km", "kgs", "am", "pm", "gb", "mb", "kb", "tb", "dm", "ft", "in", "yd", "mi", "kg", "mg", "lb",
        "lbs", "oz", "ml", "cl", "gal", "mph", "kph", "km/h", "hr", "hrs", "min", "sec", "usd", "deg", "m", "g", "h",
        "l", "s",
    )
)  # fmt: skip
"""Units that may be glued to a number; single letters are doubtful."""

VARIABLES = re.compile(r"(?![aAI]$)[^\W\d_]$|[A-Z]{2,3}$")
"""Letters that stand for an unknown number, even in prose."""

NOT_BEHIND = frozenset(
    (
        "is", "are", "was", "were", "be", "equals", "equal", "then", "so", "total", "cost", "costs", "gives",
        "makes", "get", "gets", "which", "that", "because", "since", "if", "where", "when", "he", "she", "they",
        "we", "you", "it", "i", "left", "altogether", "but", "and", "or", "than", "more", "less", "fewer",
    )
)  # fmt: skip
"""Words that cannot be part of a unit between a number and an equality sign."""

COMPOUNDS = frozenset(
    (
        "hour", "hours", "hr", "hrs", "minute", "minutes", "min", "foot", "feet", "ft", "yard", "yards", "pound",
        "pounds", "lb", "lbs", "week", "weeks", "day", "days", "month", "months", "year", "years", "dollar",
        "dollars", "dozen", "remainder", "r", "with",
    )
)  # fmt: skip
"""Words after which a second number belongs to the first: ``6 feet 3 inches``, ``5 remainder 1``."""

CONVERTIBLE = {
    spelling: (kind, unit.split()[0])
    for kind, units in {
        "time": ("second sec", "minute min", "hour hr", "day", "week", "month", "year", "decade", "century"),
        "volume": ("ml milliliter", "liter litre l", "gallon", "quart", "pint", "cup"),
        "data": ("kb", "mb", "gb", "tb"),
        "length": (
            "inche inch in",
            "foot feet ft",
            "yard yd",
            "mile",
            "mm",
            "centimeter cm",
            "meter m",
            "kilometer km",
            "m²",
            "cm²",
        ),
        "weight": ("gram g", "kilogram kg", "ounce oz", "pound lb"),
        "money": ("cent ¢", "dollar"),
        "count": ("dozen", "pair", "score"),
    }.items()
    for unit in units
    for spelling in unit.split()
}
"""Units that are converted into each other, in the singular, by what they measure."""

SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
"""Words that multiply the number before them."""

CHANGES_WHAT_FOLLOWS = re.compile(
    r"(?:half|halves|third|thirds|quarter|quarters|fourth|fourths|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|twice|double|triple|thrice|average|mean|root"
    r"|square|squared|cube|percent|product|difference|quotient|ratio|inverse|negative|log|mod"
    r"|step|day|week|month|year|case|part|page|number|no|grade|level|room|chapter|question|problem|team|class|phase"
    r"|stage|section|item|option|example|equation|line|base)s?$",
    re.IGNORECASE,
)
"""Words that make a number behind them something else than it says: ``half of 20``, ``step 2``."""

BETWEEN = frozenset(
    (
        "of", "the", "those", "these", "his", "her", "their", "its", "this", "that", "a",
    )
)  # fmt: skip
"""Words that may stand between such a word and the number."""

CONJUNCTIONS = re.compile(
    r"\s*,?\s*(?:and|or|so|if|since|because|when|where|for|thus|hence|then|but|while|as|we|is)\b", re.IGNORECASE
)
"""The beginning of a text inside a formula that separates two formulas."""
