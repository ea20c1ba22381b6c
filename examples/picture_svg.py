"""A small SVG canvas: text, boxes, lines and flows in one palette, on a background of its own, with no external font."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

INK, MUTED, SOFT, FAINT = "#1f2a33", "#64717d", "#b4bdc5", "#d9dee3"
PAPER, CARD = "#fbfaf7", "#ffffff"
GOOD, GOOD_TINT = "#1c7a6e", "#e3f1ee"
BAD, BAD_TINT = "#b4532f", "#f9eae3"
FONT = "-apple-system, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
#: Every picture is this wide, with this margin.
WIDTH, MARGIN = 880, 28
#: Mean width of a character as a share of the font size, on the wide side: fonts differ between machines.
_CHARACTER = 0.56


def text_width(text: str, size: float) -> float:
    """About how wide a text is drawn."""
    return len(text) * size * _CHARACTER


def wrap(text: str, width: float, size: float) -> list[str]:
    """The text in lines that fit the width, broken at spaces.

    >>> wrap("set the thermostat to twenty two degrees", 150, 14)
    ['set the thermostat', 'to twenty two', 'degrees']
    """
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


class Canvas:
    """Elements of one picture, drawn in the order they are added; x to the right, y down, in pixels."""

    def __init__(self, height: float, title: str, description: str) -> None:
        width, self.height = WIDTH, height
        self._head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" role="img" font-family={quoteattr(FONT)}>',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
        ]
        self._body: list[str] = []
        self.box(0.5, 0.5, width - 1, height - 1, fill=PAPER, stroke=FAINT, radius=10)

    def box(
        self, x: float, y: float, width: float, height: float, *, fill: str = CARD, stroke: str = "none", radius: float = 8
    ) -> None:
        """A rectangle with round corners."""
        self._body.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{stroke}"/>'
        )

    def text(
        self, x: float, y: float, words: str, *, size: float = 13, fill: str = INK, weight: int = 400, anchor: str = "start"
    ) -> None:
        """One line of text on the baseline y; ``anchor`` is start, middle or end."""
        self._body.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}" fill="{fill}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def lines(
        self,
        x: float,
        y: float,
        words: Sequence[str],
        *,
        size: float = 13,
        fill: str = INK,
        weight: int = 400,
        lead: float = 1.36,
    ) -> float:
        """Lines of text from the baseline y on; returns the baseline after the last."""
        for line in words:
            self.text(x, y, line, size=size, fill=fill, weight=weight)
            y += size * lead
        return y

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = FAINT, width: float = 1) -> None:
        """A straight line."""
        self._body.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" stroke-width="{width:g}"/>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str = MUTED) -> None:
        """A line with a head at its end; horizontal or vertical."""
        self.line(x1, y1, x2, y2, stroke=stroke, width=1.6)
        if y1 == y2:
            d = 5 if x2 < x1 else -5
            points = f"{x2 + d:.1f},{y2 - 4:.1f} {x2:.1f},{y2:.1f} {x2 + d:.1f},{y2 + 4:.1f}"
        else:
            d = 5 if y2 < y1 else -5
            points = f"{x2 - 4:.1f},{y2 + d:.1f} {x2:.1f},{y2:.1f} {x2 + 4:.1f},{y2 + d:.1f}"
        self._body.append(
            f'<polyline points="{points}" fill="none" stroke="{stroke}" stroke-width="1.6" stroke-linecap="round" '
            'stroke-linejoin="round"/>'
        )

    def flow(self, x1: float, y1: float, x2: float, y2: float, height: float, *, fill: str, opacity: float = 0.4) -> None:
        """A smooth band between two points, ``height`` thick from top to bottom all along."""
        middle, half = (x1 + x2) / 2, height / 2
        there = (
            f"M{x1:.1f},{y1 - half:.2f} C{middle:.1f},{y1 - half:.2f} {middle:.1f},{y2 - half:.2f} {x2:.1f},{y2 - half:.2f}"
        )
        back = (
            f"L{x2:.1f},{y2 + half:.2f} C{middle:.1f},{y2 + half:.2f} {middle:.1f},{y1 + half:.2f} {x1:.1f},{y1 + half:.2f}"
        )
        self._body.append(f'<path d="{there} {back} Z" fill="{fill}" fill-opacity="{opacity:g}"/>')

    def svg(self) -> str:
        """The whole picture as an SVG document."""
        return "\n".join([*self._head, *self._body, "</svg>"]) + "\n"


def percent(p: float) -> str:
    """A probability as a percentage with one decimal.

    >>> percent(0.0062), percent(0.967)
    ('0.6%', '96.7%')
    """
    return f"{p:.1%}"


def heading(canvas: Canvas, title: str, subtitle: str) -> None:
    """The picture's title and, below it, how to read it."""
    canvas.text(MARGIN, 40, title, size=18, weight=600)
    canvas.text(MARGIN, 62, subtitle, size=13, fill=MUTED)
