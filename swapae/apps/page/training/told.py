"""What the page says and shows of a training."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.addresses import jpeg_address
from swapae.apps.page.long_work import seconds_left
from swapae.apps.page.training.course import Course
from swapae.apps.page.training.job import Job, State
from swapae.training.own_model import EVALUATIONS, FEWEST

TAB = "Train", "A model of your own, from your photographs."  # what the tab is called, and its introduction
SHOWN = 8  # names of photographs that were left out
GRID_SIDE = 1100
IDLE = (
    f"<p>A model of your own, in half an hour: drop {FEWEST} photographs or more of one kind of subject (buildings, "
    "cats, fabrics; some hundred are better), give it a name and start. It begins from a model that comes with swapae, "
    "and every setting is chosen for this machine.</p><p>Here a grid of hybrids will show every half minute what it "
    "has learnt. The training goes on when you close this page, and the page works as ever beside it, only more "
    "slowly. Your photographs stay on the machine that serves this page until the training is done, small copies of "
    "them with the model, which whoever opens the page can choose afterwards.</p>"
)
OF_ANOTHER = "Another visitor's training is on. {left}Until then no other can begin; all other tabs work as ever."
AMONG = 'it is among the models on the tab "Your model"'


def status_html(job: Job, state: State, course: Course, has_model: bool, complaint: str) -> str:
    """How it is with one's own training; it is `data-on` while there is something to wait for."""
    if state in ("on", "stopping"):
        total = round(60 * job.minutes)
        done = min(round(course.seconds), total) if course.begun else 0
        return f"<div data-on>{parts.progress(words_on(job, state, course), done, total)}</div>"
    words = parts.quiet(words_over(job, state, course, has_model))
    return f"<div>{words}{parts.problem(complaint) if complaint else ''}</div>"


def words_on(job: Job, state: State, course: Course) -> str:
    """What a training is about that is on."""
    if state == "stopping":
        return f"{job.name}: stopping; the best so far is kept ..."
    if not course.begun:
        return f"{job.name}: looking through the photographs, and getting ready ..."
    left = 60 * job.minutes - course.seconds
    if left <= 0:
        return f"{job.name}: finding its directions ..."
    return f"{job.name}: {seconds_left(left)} left of {job.minutes:g}, {course.images:,} images seen"


def words_over(job: Job, state: State, course: Course, has_model: bool) -> str:
    """How a training ended."""
    after = f"after {round(course.seconds / 60)} of {job.minutes:g} minutes"
    if state == "done":
        return f"{job.name} is done: {AMONG}."
    kept = f"the best so far is kept: {AMONG}" if has_model else "there is no model yet"
    if state == "stopped":
        return f'{job.name} was stopped {after}; {kept}. "Go on" trains for the rest of its time.'
    if state == "killed":
        return (
            f"{job.name} was interrupted {after}, as when a machine is started anew or out of memory; "
            f'{kept}. "Go on" takes it up where it was last saved.'
        )
    return f'{job.name} ended {after}; {kept}. "Go on" tries again.'


def others_html(job: Job | None, course: Course | None) -> str:
    """What everybody is told who has no training here; of another's that is on, when it will end."""
    if job is None or course is None:
        return f"<div>{IDLE}</div>"
    left = 60 * job.minutes - course.seconds
    words = f"It ends in {seconds_left(left)}. " if left > 0 else ""
    return f"<div data-on>{parts.quiet(OF_ANOTHER.format(left=words))}</div>"


def left_out_html(lines: Sequence[str]) -> str:
    """Which photographs were left out, folded away."""
    if not lines:
        return ""
    items = "".join(f"<li>{html.escape(line[:200])}</li>" for line in lines[:SHOWN])
    more = f"<li>and {len(lines) - SHOWN} more</li>" if len(lines) > SHOWN else ""
    return f"<details><summary>{len(lines)} left out</summary><ul>{items}{more}</ul></details>"


def grid_html(path: Path) -> str:
    """A picture of hybrids."""
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((GRID_SIDE, GRID_SIDE), Image.Resampling.LANCZOS)
    words = "Photographs that are not trained on: structures in the rows, textures in the columns, hybrids between."
    return (
        f'<figure><img alt="Grid of hybrids" src="{jpeg_address(small, 85)}"><figcaption class="quiet">{words}'
        "</figcaption></figure>"
    )


def no_chart(minutes: float) -> str:
    """What to say before there is a curve."""
    return parts.quiet(f"The curve of both distances begins after {seconds_left(60 * minutes / EVALUATIONS)}.")


def now() -> int:
    """A number of its own for a value, so that the browser notices one that it is told again."""
    return time.monotonic_ns()
