"""How far a training is, from what it leaves in its run folder and what it prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from swapae.training.checkpoints import STATE_FILE, list_checkpoints
from swapae.training.run_folder import CONFIG_FILE, LOG_FILE

MOST_SAID = 2**20  # bytes of what it printed that are looked at, from the beginning and from the end
LEFT_OUT = "left out: "
# The training itself says better what was wrong than the command that started it.
COMPLAINTS = ("swapae train: ", "swapae: ")


class Evaluation(NamedTuple):
    """How good the model was on photographs that are not trained on; both better the lower.

    Attributes:
        images: seen by then.
        lpips: distance of photographs to their reconstructions.
        texture: distance in texture of hybrids to what gave them theirs, 1 being that of unrelated photographs.
    """

    images: int
    lpips: float
    texture: float


class Course(NamedTuple):
    """How far a training is.

    Attributes:
        begun: it trains, and does not merely get ready to.
        seconds: of training so far.
        images: seen so far.
        evaluations: from the first to the newest.
        grid: the newest picture of hybrids; None before the first.
    """

    begun: bool
    seconds: float
    images: int
    evaluations: list[Evaluation]
    grid: Path | None


def course(run: Path, since: float, now: float | None) -> Course:
    """How far the training of a run folder is.

    Args:
        run: the folder, which need not be there yet.
        since: when the training was started or went on, in seconds since the epoch.
        now: likewise; None of one that is over.
    """
    began, (saved, taken) = time_of(run / CONFIG_FILE), newest_checkpoint(run)
    begun = began >= since - 1  # file systems cut off what they cannot write
    lines = [line for line in log_lines(run / LOG_FILE) if isinstance(line.get("images"), int)]
    seconds = taken + (max(0.0, now - max(began, saved)) if begun and now is not None else 0.0)
    evaluations = [
        Evaluation(line["images"], line["eval_lpips"], line["eval_texture"])
        for line in lines
        if {"eval_lpips", "eval_texture"} <= line.keys()
    ]
    grid = max(run.glob("samples/[!.]*.png"), default=None)
    return Course(begun, seconds, lines[-1]["images"] if lines else 0, evaluations, grid)


def time_of(path: Path) -> float:
    """When a file was written; 0 where there is none."""
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def newest_checkpoint(run: Path) -> tuple[float, float]:
    """When the newest checkpoint was written, and the seconds of training by then; (0, 0) where there is none."""
    with suppress(OSError, ValueError, KeyError, IndexError, TypeError):
        path = list_checkpoints(run / "checkpoints")[-1] / STATE_FILE
        return time_of(path), float(json.loads(path.read_text())["counters"]["seconds"])
    return 0.0, 0.0


def log_lines(log: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a log, but for one that is being written."""
    with suppress(OSError):
        for line in log.read_text().splitlines():
            with suppress(ValueError):
                yield json.loads(line)


def left_out(log: Path) -> list[str]:
    """Which photographs `swapae train` said it left out, each with the reason."""
    with suppress(OSError), log.open(encoding="utf-8", errors="replace") as file:
        lines = re.split(r"[\r\n]+", file.read(MOST_SAID))
        # Of those that went on, each says it again.
        return list(dict.fromkeys(line.removeprefix(LEFT_OUT) for line in lines if line.startswith(LEFT_OUT)))
    return []


def complaint(log: Path) -> str:
    """The last sentence in which `swapae train` said what was wrong; nothing if it said none."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - MOST_SAID))
        lines = re.split(r"[\r\n]+", file.read().decode("utf-8", "replace"))
        said = (line[len(who) :] for who in COMPLAINTS for line in reversed(lines) if line.startswith(who))
        return next(said, "")
    return ""
