"""HTML builders that escape all text which is not markup already."""

import html
import json
from typing import Any


class Html(str):
    """Text that is markup already; any other text is escaped when it is put into an element."""


def element(name: str, *children: str, **attributes: str | float | None) -> Html:
    """Return an element with its children.

    Args:
        name: Its name.
        children: Markup, kept as it is, and other text, which is escaped.
        attributes: ``class_`` becomes ``class`` and ``data_sort`` becomes ``data-sort``; None leaves an attribute out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str) -> Html:
    """Return the pieces joined, escaping those that are not markup."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children))


def table(head: list[Html], body: list[Html], **attributes: str | None) -> Html:
    """Return a table in a container that scrolls on narrow screens."""
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body), **attributes)
    # The container takes the focus, so that it can be scrolled without a mouse.
    label = attributes.get("aria_label")
    return element("div", inner, class_="scroll", tabindex="0", role="region", aria_label=label)


def script_json(data: Any) -> Html:
    """Return data as JSON that cannot end a script element or start a comment in it, whatever its texts are."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)
