"""The directive ``{limit-plot}``: a rolling window beside a refilling bucket, computed with the library's own limiter.

Contract: that of `diagram`. Time is an argument of the limiter's arithmetic, so three minutes take milliseconds. The
curves differ in their dashes as well as in colour, and both colours can be read on white and on black.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from diagram import DiagramDirective, draw_text, text_width, wrap_svg
from sphinx.application import Sphinx

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.quota import Quota

CAPACITY, PERIOD, END = 250, 60.0, 180.0
"""Requests, seconds of the limit, seconds that are shown."""
PLOT_WIDTH, PLOT_HEIGHT, LEFT, TOP, PANEL_GAP = 600, 150, 60, 26, 62
CURVES = (("rolling window", "#1f8a4c", ""), ("refilling bucket", "#d1661b", ' stroke-dasharray="7 4"'))


def simulate_window() -> list[float]:
    """Return when a program sends that uses a rolling window as fast as it may."""
    bucket = RollingTokenBucket([(CAPACITY, PERIOD)], guard=0.0)
    return _send_greedily(bucket.reserve)


def simulate_bucket() -> list[float]:
    """Return when a program sends that uses a refilling bucket as fast as it may."""
    quota = Quota("requests", PERIOD, guard=0.0, share=1.0, updated_at=0.0)
    quota.apply_limit(CAPACITY)
    quota.level = quota.capacity

    def reserve(now: float) -> float:
        quota.settle(now, 0.0, 0.0)
        delay = quota.compute_delay(now, 1.0)
        if not delay:
            quota.settle(now, 1.0, 0.0)
        return delay

    return _send_greedily(reserve)


def _send_greedily(reserve: Callable[[float], float]) -> list[float]:
    now, sent = 0.0, []
    while now <= END:
        delay = reserve(now)
        if not delay:
            sent.append(now)
        now += delay
    return sent


def count_recent(sent: list[float], now: float) -> int:
    """Return how many of the times in *sent* are in the last `PERIOD` seconds before *now*, which is included."""
    return bisect_right(sent, now) - bisect_right(sent, now - PERIOD)


def render_plot(text: str, title: str) -> str:  # noqa: ARG001 - what every drawing takes
    """Return the SVG of both curves: all requests, and those of the last minute."""
    curves = [simulate_window(), simulate_bucket()]
    seconds = [step * 0.5 for step in range(int(END * 2) + 1)]
    totals = [[float(bisect_right(sent, at)) for at in seconds] for sent in curves]
    recent = [[float(count_recent(sent, at)) for at in seconds] for sent in curves]
    highest = max(recent[1])
    parts = _draw_panel(0, "requests sent", seconds, totals, [0, 250, 500, 750, 1000])
    parts += _draw_panel(1, "of these in the last 60 s", seconds, recent, [0, 250, 500])
    description = (
        f"Both send {totals[0][0]:.0f} requests at once. Before 60 s are over, the window has sent no more, and the "
        f"bucket {totals[1][119]:.0f}. Within any minute the bucket sends up to {highest:.0f}, the window never more "
        f"than {max(recent[0]):.0f}."
    )
    height = TOP + 2 * PLOT_HEIGHT + PANEL_GAP + 56
    return wrap_svg([*parts, *_draw_legend(height - 10)], LEFT + PLOT_WIDTH + 20, height, title, description)


def _draw_panel(number: int, name: str, seconds: list[float], curves: list[list[float]], ticks: list[int]) -> list[str]:
    top = TOP + number * (PLOT_HEIGHT + PANEL_GAP)
    scale = PLOT_HEIGHT / max(*ticks, *(max(curve) for curve in curves))
    bottom = top + PLOT_HEIGHT
    step, parts = PLOT_WIDTH / END, [draw_text(LEFT, top - 10, name, anchor="start")]
    for tick in ticks:
        y = bottom - tick * scale
        parts.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + PLOT_WIDTH}" stroke-opacity="{0.2 if tick else 0.7}"/>')
        parts.append(draw_text(LEFT - 8, round(y + 4, 1), str(tick), anchor="end"))
    parts += [draw_text(LEFT + step * at, bottom + 18, f"{at} s") for at in range(0, int(END) + 1, 30)]
    for values, (_, color, dashes) in zip(curves, CURVES, strict=True):
        points = [(LEFT + step * at, bottom - value * scale) for at, value in zip(seconds, values, strict=True)]
        line = f"M{LEFT} {bottom}" + "".join(f"L{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="{line}" stroke="{color}" stroke-width="2"{dashes}/>')
    return parts


def _draw_legend(y: float) -> list[str]:
    parts, x = [], float(LEFT)
    for name, color, dashes in CURVES:
        parts.append(f'<path d="M{x:.1f} {y - 4}h34" stroke="{color}" stroke-width="2"{dashes}/>')
        parts.append(draw_text(x + 42, y, name, anchor="start"))
        x += 42 + text_width(name) + 30
    return parts


class LimitPlotDirective(DiagramDirective):
    """Draws the plot; the argument is its title."""

    has_content = False
    render = staticmethod(render_plot)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("limit-plot", LimitPlotDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
