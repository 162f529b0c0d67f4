"""Building HTML so that what is not markup cannot become it."""

import html
import json
from typing import Any


class Html(str):
    """Text that is markup already; any other text is escaped where it is put into an element."""


def element(name: str, *children: str, **attributes: str | float | None) -> Html:
    """An element with its children.

    Args:
        name: Its name.
        children: Markup as it is, other text escaped.
        attributes: ``class_`` is ``class`` and ``data_sort`` is ``data-sort``; those that are None are left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """Pieces one after the other, those that are not markup escaped."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def table(head: list[Html], body: list[Html], **attributes: str | None) -> Html:
    """A table in a container of its own that scrolls where the screen is narrow."""
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body), **attributes)
    # Whoever has no mouse must be able to scroll it too.
    label = attributes.get("aria_label")
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)


def script_json(data: Any) -> Html:
    """Data as JSON that cannot end a script element or start a comment in one, wherever its texts come from."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)
