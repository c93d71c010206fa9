"""Charts: small SVG pictures to stand inside an HTML page, which gives them their colours.

A page sets the CSS variables --ink, --soft, --rule, --first and --second, for light and for dark.
Every chart has a title that a screen reader reads in its place; the numbers stand in tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from hwr.evaluation.metrics import Bin, Confusion, Coverage

#: Size of the plotting area, and the room for labels on its left and below, in pixels.
SIDE = 300
LEFT, BELOW, ABOVE = 58, 46, 14

#: Colours of the series of a chart, in their order.
COLOURS = ("var(--first)", "var(--second)")


def reliability_chart(series: Mapping[str, Sequence[Bin]]) -> str:
    """Return how often readings of a confidence are right, with how many they are below.

    series: bins by what the readings were compared with, two at most.
    """
    parts = [_axes("confidence", "names exactly right", 0.0)]
    parts.append(_line([(0, 0), (1, 1)], 0.0, "var(--soft)", dashed=True))
    most = max((each.n for bins in series.values() for each in bins), default=1)
    for colour, (name, bins) in zip(COLOURS, series.items(), strict=False):
        points = [(each.confidence, each.accuracy) for each in bins]
        parts.append(_line(points, 0.0, colour))
        for each in bins:
            x, y = _at(each.confidence, each.accuracy, 0.0)
            radius = 3 + 6 * (each.n / most) ** 0.5
            told = (
                f"{name}: {each.n} readings of confidence {each.low:.1f} to {each.high:.1f}, "
                f"{each.confidence:.1%} on the mean: {each.accuracy:.1%} right"
            )
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}" '
                f'fill-opacity="0.75"><title>{escape(told)}</title></circle>'
            )
    parts.append(_legend(list(series)))
    title = "Reliability: share of names exactly right by confidence; on the dashed line, honest"
    return _svg(title, parts)


def coverage_chart(series: Mapping[str, Sequence[Coverage]]) -> str:
    """Return how many of the surest readings are right, by the share that is taken."""
    lowest = min((p.accuracy for curve in series.values() for p in curve), default=0.0)
    base = max(0.0, min(0.9, int(lowest * 20) / 20))
    parts = [_axes("share of the pictures taken, the surest first", "of them right", base)]
    for colour, curve in zip(COLOURS, series.values(), strict=False):
        parts.append(_line([(p.coverage, p.accuracy) for p in curve], base, colour))
    parts.append(_legend(list(series)))
    return _svg("Accuracy against coverage: share right among the surest readings", parts)


def confusion_chart(
    confusions: Sequence[Confusion], totals: Mapping[str, int], characters: str
) -> str:
    """Return a matrix of the errors: truth in rows, reading in columns, darker for more.

    totals: how often each character occurs in the truths.
    """
    rows = [c for c in characters if totals.get(c)] + [""]
    columns = [*characters, ""]
    cell, edge = 19, 74
    width, height = edge + cell * len(columns) + 12, edge + cell * len(rows) + 12
    counts = {(each.truth, each.read): each.count for each in confusions}
    most = max(counts.values(), default=1)
    parts = []
    for number, read in enumerate(columns):
        x = edge + cell * number + cell / 2
        if read:
            parts.append(_text(x, edge - 8, read.replace(" ", "␣"), "middle"))
        else:
            parts.append(
                f'<text x="{x + 4:.1f}" y="{edge - 8}" fill="var(--soft)" '
                f'transform="rotate(-60 {x + 4:.1f} {edge - 8})">left out</text>'
            )
    for line, truth in enumerate(rows):
        y = edge + cell * line
        label = truth.replace(" ", "␣") or "too many"
        parts.append(
            _text(edge - 8, y + 14, label, "end", "var(--ink)" if truth else "var(--soft)")
        )
        for number, read in enumerate(columns):
            x = edge + cell * number
            box = f'<rect x="{x}" y="{y}" width="{cell - 1}" height="{cell - 1}" '
            if truth == read:
                parts.append(f'{box}fill="var(--rule)"/>' if truth else "")
                continue
            found = counts.get((truth, read), 0)
            if not found:
                parts.append(f'{box}fill="var(--rule)" fill-opacity="0.25"/>')
                continue
            told = _told(truth, read, found, totals)
            strength = 0.15 + 0.85 * (found / most) ** 0.5
            parts.append(
                f'<g>{box}fill="var(--first)" fill-opacity="{strength:.2f}"/>'
                f"{_text(x + 9, y + 13.5, str(found), 'middle', 'var(--ink)', 10)}"
                f"<title>{escape(told)}</title></g>"
            )
    worst = "; ".join(_told(c.truth, c.read, c.count, totals) for c in confusions[:5])
    title = f"Confusion matrix, truth in rows, reading in columns. Most frequent: {worst or 'none'}"
    return _frame(title, parts, width, height)


def interval_chart(share: float, low: float, high: float, base: float) -> str:
    """Return a share with its interval as a dot on a line from `base` to 1.

    It repeats the number beside it, and is hidden from screen readers.
    """
    width, height = 150, 18

    def x(value: float) -> float:
        return 6 + (width - 12) * (max(value, base) - base) / max(1e-9, 1 - base)

    return (
        f'<svg class="interval" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'aria-hidden="true"><line x1="6" x2="{width - 6}" y1="9" y2="9" stroke="var(--rule)"/>'
        f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="9" y2="9" stroke="var(--first)" '
        f'stroke-width="4" stroke-opacity="0.45" stroke-linecap="round"/>'
        f'<circle cx="{x(share):.1f}" cy="9" r="4.5" fill="var(--first)"/></svg>'
    )


def describe(truth: str, read: str) -> str:
    """Return one kind of error in words."""
    if not truth:
        return f"{_visible(read)} read where nothing stands"
    if not read:
        return f"{_visible(truth)} left out"
    return f"{_visible(truth)} read as {_visible(read)}"


# === Parts ===


def _visible(character: str) -> str:
    return "space" if character == " " else character


def _told(truth: str, read: str, found: int, totals: Mapping[str, int]) -> str:
    total = totals.get(truth)
    return f"{describe(truth, read)}, {found} times" + (f" of {total}" if total else "")


def _at(x: float, y: float, base: float) -> tuple[float, float]:
    """Place of a point in the plotting area, whose lower edge is `base`."""
    return LEFT + SIDE * x, ABOVE + SIDE * (1 - (y - base) / (1 - base))


def _line(
    points: Sequence[tuple[float, float]], base: float, colour: str, *, dashed: bool = False
) -> str:
    placed = " ".join("{:.1f},{:.1f}".format(*_at(x, y, base)) for x, y in points)
    dash = ' stroke-dasharray="4 4"' if dashed else ""
    width = 1 if dashed else 2
    return (
        f'<polyline points="{placed}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    colour: str = "var(--ink)",
    size: int = 12,
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}">{escape(text)}</text>'
    )


def _axes(across: str, up: str, base: float) -> str:
    parts = []
    for step in range(6):
        share = step / 5
        x, bottom = _at(share, base, base)
        _, y = _at(0, base + share * (1 - base), base)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{LEFT + SIDE}M{x:.1f} {ABOVE}V{bottom:.1f}" '
            f'stroke="var(--rule)"/>'
        )
        parts.append(_text(x, bottom + 17, f"{share * 100:.0f} %", "middle", "var(--soft)"))
        parts.append(
            _text(
                LEFT - 8, y + 4, f"{(base + share * (1 - base)) * 100:.0f} %", "end", "var(--soft)"
            )
        )
    parts.append(_text(LEFT + SIDE / 2, ABOVE + SIDE + 38, across, "middle"))
    middle = ABOVE + SIDE / 2
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" fill="var(--ink)" '
        f'transform="rotate(-90 14 {middle})">{escape(up)}</text>'
    )
    return "".join(parts)


def _legend(names: Sequence[str]) -> str:
    """Return the names of the series in the lower right corner, if there are several."""
    if len(names) < 2:
        return ""
    parts = []
    for line, (colour, name) in enumerate(zip(COLOURS, names, strict=False)):
        y = ABOVE + SIDE - 12 - 18 * (len(names) - 1 - line)
        parts.append(_text(LEFT + SIDE - 22, y, name, "end"))
        parts.append(
            f'<rect x="{LEFT + SIDE - 17}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        )
    return "".join(parts)


def _svg(title: str, parts: Sequence[str]) -> str:
    return _frame(title, parts, LEFT + SIDE + 16, ABOVE + SIDE + BELOW)


def _frame(title: str, parts: Sequence[str], width: float, height: float) -> str:
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" font-size="12">{"".join(parts)}</svg>'
    )
