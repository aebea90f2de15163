"""Three columns of bars as SVG: requests that failed, carts that were lost, the longest wait."""

import math
from html import escape

from comparison.plot import COLORS, INK, NAMES, PALE

from . import disturbances
from .targets import failed

WIDTH, LEFT, TOP, BAR, GAP = 1080, 330, 92, 13, 14
COLUMN, SPACE = 200, 50
PANELS = [
    ("requests that failed", failed, "{:.0f}", 1000),
    ("carts lost, their server alive", lambda result: result["lost"], "{:.0f}", 1000),
    ("longest wait, s", lambda result: result["longest"], "{:.2f}", 30),
]


def _text(x: float, y: float, words: str, size: int = 11, anchor: str = "start",
          color: str = INK, weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{color}" font-weight="{weight}">{escape(words)}</text>')


def _length(value: float, most: float) -> float:
    """Small figures stay visible beside large ones: a logarithm that begins at 0."""
    unit = 1 if most > 100 else 0.05
    return COLUMN * min(math.log1p(value / unit) / math.log1p(most / unit), 1)


def draw(about: dict, results: dict) -> str:
    proxies = list(about["versions"])
    rows = [(name, [one for one in proxies if one in row]) for name, row in results.items()]
    height = TOP + sum(BAR * len(there) + GAP for _, there in rows) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="system-ui, sans-serif" role="img" '
        'aria-label="Failed requests, lost carts and longest waits">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(24, 30, f"What {about['clients']} shoppers see while something is disturbed", 18,
              weight="600"),
        _text(24, 50, "Shorter is better. The scales are logarithmic.", 12, color="#52606d"),
    ]
    for number, name in enumerate(proxies):
        x = 24 + number * 84
        parts.append(f'<rect x="{x}" y="64" width="11" height="11" fill="{COLORS[name]}"/>')
        parts.append(_text(x + 16, 74, NAMES[name], 12))
    for panel, (title, *_) in enumerate(PANELS):
        x = LEFT + panel * (COLUMN + SPACE)
        parts.append(_text(x, 84, title, 12, weight="600"))
        parts.append(f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{height - 10}" stroke="{PALE}"/>')
    y = TOP + GAP / 2
    for name, there in rows:
        parts.append(_text(24, y + BAR * len(there) / 2 + 4, disturbances.ALL[name].doc[:52]))
        for proxy in there:
            parts += _bars(results[name][proxy], proxy, y)
            y += BAR
        y += GAP
    return "\n".join(parts + ["</svg>", ""])


def _bars(result: dict, proxy: str, y: float) -> list[str]:
    parts = []
    for panel, (_, value, form, most) in enumerate(PANELS):
        x = LEFT + panel * (COLUMN + SPACE)
        if "requests" not in result:
            if panel == 0:
                parts.append(_text(x + 4, y + 10, "can't" if "lacks" in result else "broke", 10,
                                   color="#9aa5b1"))
            continue
        figure = value(result)
        length = _length(figure, most)
        parts.append(f'<rect x="{x}" y="{y:.1f}" width="{max(length, 1):.1f}" '
                     f'height="{BAR - 2}" fill="{COLORS[proxy]}"/>')
        parts.append(_text(x + length + 5, y + 10, form.format(figure), 10))
    return parts
