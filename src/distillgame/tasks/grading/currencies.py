"""Currencies in front of numbers and behind them: signs, codes and names, each with one name."""

_SIGNS = {
    "$": "dollar", "€": "euro", "£": "sterling", "¥": "yen", "₹": "rupee", "¢": "cent", "₩": "won", "₽": "ruble",
    "₺": "lira", "₱": "peso", "₪": "shekel", "₫": "dong", "₦": "naira", "฿": "baht", "₴": "hryvnia", "₿": "bitcoin",
    "円": "yen", "元": "yen",
}  # fmt: skip
_CODES = {
    "usd": "dollar", "aud": "dollar", "cad": "dollar", "nzd": "dollar", "hkd": "dollar", "sgd": "dollar",
    "eur": "euro", "gbp": "sterling", "jpy": "yen", "cny": "yen", "rmb": "yen", "inr": "rupee", "pkr": "rupee",
    "rs": "rupee", "krw": "won", "rub": "ruble", "php": "peso", "mxn": "peso", "chf": "franc", "sek": "krona",
    "nok": "krone", "dkk": "krone", "pln": "zloty", "brl": "real", "zar": "rand",
}  # fmt: skip
_COUNTRIES = "US|USA|AU|A|CA|C|NZ|HK|SG|S"
_ANY_CODE = "|".join(f"{code.upper()}|{code.capitalize()}" for code in _CODES)

CURRENCY = (
    rf"(?:(?<![A-Za-z])(?:{_COUNTRIES}))?\\?\$|[{''.join(_SIGNS)[1:]}]"
    rf"|(?<![A-Za-z])(?:{_ANY_CODE})(?![A-Za-z])\.?"
    rf"|\\text\s*\{{\s*(?:(?:{_COUNTRIES})?\\?\$|(?:{_ANY_CODE})\.?)\s*\}}"
)
"""A regular expression of a currency's sign or code, perhaps in ``\\text``."""


def currency_name(sign: str) -> str:
    """Return the one name of a currency's sign or code, e.g. ``"dollar"`` for ``US$`` and ``USD``."""
    key = sign.replace("\\text", "").strip("\\{}. ")
    return _SIGNS.get(key[-1:], _CODES.get(key.lower(), ""))
