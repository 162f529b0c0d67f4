"""Colours, markers and settings of all figures."""

from contextlib import AbstractContextManager

INK, MUTED, RULE, SURFACE = "#23272e", "#69707d", "#d9dce1", "#ffffff"
"""Text, secondary text, grid lines, and the fill of hollow points."""

COLOURS = ["#5f6b7a", "#b3541e", "#2563b0", "#1e7f5c", "#8f3f97", "#a8791a", "#14808f", "#b03060"]
"""One per series, in turn; the first is the undefended teacher's."""

MARKERS = "osD^vPXp"
"""One per series as well, so that series differ in more than colour."""


def style() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn with the common settings."""
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": "distillgame",
            "text.parse_math": False,  # names come from configurations, and a dollar sign in one is a dollar sign
        }
    )


def look(index: int) -> dict[str, str]:
    """Return the colour and marker of a series."""
    return {"color": COLOURS[index % len(COLOURS)], "marker": MARKERS[index % len(MARKERS)]}
