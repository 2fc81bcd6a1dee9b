"""The course of a training as a small drawing: LPIPS and the distance in texture over the images seen."""

from __future__ import annotations

from collections.abc import Sequence

from swapae.apps.page.training.course import Evaluation

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 12, 30  # room around the curves
LINES = (("lpips", "LPIPS of reconstructions"), ("texture", "distance in texture of hybrids"))


def chart(evaluations: Sequence[Evaluation]) -> str:
    """An SVG of both curves with a legend; a sentence in its place while there is nothing to draw."""
    if not evaluations:
        return ""
    most = max(max(one.lpips, one.texture) for one in evaluations) * 1.05 or 1.0
    last = max(evaluations[-1].images, 1)

    def place(images: int, value: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * images / last
        return round(across, 1), round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most), 1)

    marks = []
    for share in (0.0, 0.5, 1.0):
        value = share * most / 1.05
        _, height = place(0, value)
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height}" y2="{height}"/>')
        marks.append(f'<text x="{LEFT - 4}" y="{height + 4}" text-anchor="end">{value:.2f}</text>')
    marks.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{last:,} images</text>')
    marks.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">0</text>')
    curves, legend, told = [], [], []
    for name, words in LINES:
        points = [place(one.images, getattr(one, name)) for one in evaluations]
        joined = " ".join(f"{x},{y}" for x, y in points)
        dots = "".join(f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in points)
        curves.append(f'<g class="{name}"><polyline points="{joined}"/>{dots}</g>')
        newest = getattr(evaluations[-1], name)
        legend.append(f'<span class="{name}"><i></i>{words}: {newest:.3f}</span>')
        told.append(f"{words} from {getattr(evaluations[0], name):.3f} to {newest:.3f}")
    drawing = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{"; ".join(told)}">'
        f'<g class="marks">{"".join(marks)}</g>{"".join(curves)}</svg>'
    )
    return f'<figure class="course">{drawing}<figcaption>{"".join(legend)}</figcaption></figure>'
