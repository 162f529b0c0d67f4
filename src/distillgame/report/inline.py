"""Figures inside the page: SVG whose colours follow the page, light or dark."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET

from matplotlib.figure import Figure

from distillgame.markup import Html
from distillgame.records import Results
from distillgame.report.figure import COLOURS, INK, MUTED, RULE, SURFACE, style

SVG = "http://www.w3.org/2000/svg"

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    RULE: "rule",
    SURFACE: "surface",
    **{colour: f"series-{i + 1}" for i, colour in enumerate(COLOURS)},
}
"""The custom properties of page.css that replace the colours of a file."""


def inline_svg(panel: Callable[[Any, Results], None], results: Results, title: str, prefix: str) -> Html:
    """Draw one panel as an SVG element for the page.

    Args:
        panel: One of those of :mod:`distillgame.report.figure`.
        results: A game.
        title: What a reader who cannot see it is told.
        prefix: Goes before all ids, which have to differ between the figures of a page.
    """
    with style():
        figure = Figure(figsize=(5.0, 3.9), layout="constrained")
        figure.patch.set_visible(False)
        panel(figure.subplots(), results)
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ET.fromstring(drawn.getvalue())
    for size in ("width", "height"):
        del root.attrib[size]
    root.attrib.update({"role": "img", "aria-label": title})
    for element in list(root.iter()):
        for name, value in element.attrib.items():
            element.attrib[name] = _adapted(name, value, prefix)
        # A style element in a page would be about the whole page; page.css says the same of figures alone.
        for child in [child for child in element if child.tag in (f"{{{SVG}}}style", f"{{{SVG}}}metadata")]:
            element.remove(child)
    return Html(ET.tostring(root, encoding="unicode"))


def _adapted(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return f"{prefix}-{value}"
    if name.endswith("href"):
        return value.replace("#", f"#{prefix}-")
    if name in ("style", "clip-path"):
        value = value.replace("url(#", f"url(#{prefix}-").replace("'DejaVu Sans'", "system-ui, sans-serif")
        return re.sub("#[0-9a-f]{6}", lambda match: _variable(match.group()), value)
    return value


def _variable(colour: str) -> str:
    return f"var(--{VARIABLES[colour]})" if colour in VARIABLES else colour
