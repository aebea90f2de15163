"""Bars as SVG: CPU per exchange (or another unit) of each proxy, in ratio to HAProxy's."""

from html import escape

from .summary import REFERENCE, Summary

COLORS = {"belay": "#0b6e4f", "haproxy": "#6b7a8f", "nginx": "#c58b2a", "caddy": "#8b5fbf"}
NAMES = {"belay": "Belay", "haproxy": "HAProxy", "nginx": "nginx", "caddy": "Caddy"}
WIDTH, LEFT, RIGHT, TOP = 900, 230, 90, 96
BAR, GAP = 15, 18
SCALE_MAX = 2.0  # a longer bar is cut, and its figure stands beside it
INK, PALE = "#1f2933", "#d9dee5"


def _text(x: float, y: float, text: str, size: int = 12, anchor: str = "start",
          color: str = INK, weight: str = "normal") -> str:
    # A figure may stand on a line of the axis: a white edge keeps it readable.
    halo = "" if color == "white" else (
        ' stroke="white" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
    )
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{color}" font-weight="{weight}"{halo}>{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1,
          dash: str = "") -> str:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"{dashes}/>'
    )


def cpu(summary: Summary, workloads: list, proxies: list[str], limits: dict[str, float],
        subtitle: str, unit: str = "exchange") -> str:
    """The plot. `limits` are Belay's targets by workload, drawn as a mark."""
    width = WIDTH - LEFT - RIGHT
    group = BAR * len(proxies) + GAP
    height = TOP + group * len(workloads) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="system-ui, sans-serif" role="img" '
        f'aria-label="CPU per {unit} in ratio to HAProxy">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(24, 32, f"CPU per {unit}, in ratio to HAProxy's in the same round", 18,
              weight="600"),
        _text(24, 52, subtitle, 12, color="#52606d"),
        *_legend(proxies, bool(limits)),
        *_axis(width, height),
    ]
    for index, workload in enumerate(workloads):
        top = TOP + index * group + GAP / 2
        middle = top + BAR * len(proxies) / 2 + 4
        parts.append(_text(LEFT - 12, middle, workload.title, 12, "end"))
        for row, proxy in enumerate(proxies):
            parts += _bar(summary, workload.name, proxy, top + row * BAR, width)
        if workload.name in limits and "belay" in proxies:
            x = LEFT + limits[workload.name] / SCALE_MAX * width
            y = top + proxies.index("belay") * BAR
            parts.append(_line(x, y - 3, x, y + BAR + 1, "#c81e1e", 2))
    return "\n".join(parts + ["</svg>", ""])


def _legend(proxies: list[str], has_limits: bool) -> list[str]:
    parts, x = [], LEFT
    for proxy in proxies:
        parts.append(
            f'<rect x="{x}" y="64" width="12" height="12" fill="{COLORS.get(proxy, INK)}"/>'
        )
        parts.append(_text(x + 18, 74, NAMES.get(proxy, proxy)))
        x += 100
    if has_limits:
        parts.append(_line(x + 6, 63, x + 6, 77, "#c81e1e", 2))
        parts.append(_text(x + 18, 74, "Belay's target"))
    return parts


def _axis(width: float, height: float) -> list[str]:
    parts = []
    steps = 8
    for step in range(steps + 1):
        ratio = step * SCALE_MAX / steps
        x = LEFT + step / steps * width
        is_one = ratio == 1
        parts.append(_line(x, TOP - 4, x, height - 36, INK if is_one else PALE,
                           1, "4 3" if is_one else ""))
        parts.append(_text(x, height - 18, f"{ratio:g}", 11, "middle", "#52606d"))
    return parts


def _bar(summary: Summary, workload: str, proxy: str, y: float, width: float) -> list[str]:
    ratio = summary.ratio(workload, proxy, "cpu_us")
    spent = summary.value(workload, proxy, "cpu_us")
    if not ratio or not spent:
        return [_text(LEFT + 4, y + 11, "not measured", 10, color="#9aa5b1")]
    scale = width / SCALE_MAX
    length = min(ratio.median, SCALE_MAX) * scale
    parts = [
        f'<rect x="{LEFT}" y="{y:.1f}" width="{length:.1f}" height="{BAR - 3}" '
        f'fill="{COLORS.get(proxy, INK)}"/>'
    ]
    end = LEFT + length
    if proxy != REFERENCE and ratio.median < SCALE_MAX:
        least, most = (LEFT + min(v, SCALE_MAX) * scale for v in (ratio.least, ratio.most))
        middle = y + (BAR - 3) / 2
        parts.append(_line(least, middle, most, middle, INK, 1.2))
        parts += [_line(x, middle - 3, x, middle + 3, INK, 1.2) for x in (least, most)]
        end = max(end, most)
    mark = "*" if ratio.is_disturbed else ""
    figure = f"{spent.median:.1f} µs" if proxy == REFERENCE else (
        f"{ratio.median:.2f}{mark} · {spent.median:.1f} µs"
    )
    if end > LEFT + width - 96 and ratio.median >= SCALE_MAX:
        parts.append(_text(end - 6, y + 10, figure, 10, "end", "white"))
    else:
        parts.append(_text(end + 6, y + 10, figure, 10))
    return parts
