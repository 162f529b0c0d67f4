import re

import pytest

from distillgame.tasks.grading.currencies import CURRENCY, currency_name


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("$", "dollar"), (r"\$", "dollar"), ("US$", "dollar"), ("USD", "dollar"), (r"\text{USD }", "dollar"),
        ("€", "euro"),
        ("EUR", "euro"), ("£", "sterling"), ("¥", "yen"), ("Rs.", "rupee"), ("₹", "rupee"), ("¢", "cent"),
    ],
)  # fmt: skip
def test_each_currency_has_one_name(sign: str, name: str) -> None:
    assert re.fullmatch(CURRENCY, sign)
    assert currency_name(sign) == name


@pytest.mark.parametrize("text", ["USDA", "x$", "us", "Rsx"])
def test_other_texts_are_no_currencies(text: str) -> None:
    assert not re.fullmatch(CURRENCY, text)
