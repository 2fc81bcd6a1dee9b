"""How far a run is, by images seen or by minutes, and what share of the learning rate that means."""

from __future__ import annotations

import time
from collections.abc import Callable

# The shares of a run of given minutes over which the learning rate rises, at most, and falls to 0.
TIMED_WARM_UP, TIMED_DECAY = 1 / 5, 1 / 3


class Schedule:
    """The course of a run from its first image to its end.

    Args:
        total_images: after which it ends.
        decay_images: at the end of it, over which the learning rate falls in a straight line to 0.
        warm_up_images: at its start, over which the learning rate rises so from 0.
        minutes: after which it ends, in place of `total_images` and `decay_images`; the learning rate falls over the
            last third, and has risen after a fifth, however few images that are. Time between a stop and going on does
            not count.
        seconds: that the run took before it was resumed.
        mean: averages a number over all processes, which call it together, so that all end at the same update.
    """

    def __init__(
        self,
        total_images: int,
        decay_images: int,
        warm_up_images: int = 0,
        minutes: float | None = None,
        seconds: float = 0.0,
        mean: Callable[[float], float] = float,
    ) -> None:
        self.total_images, self.decay_images, self.warm_up_images = total_images, decay_images, warm_up_images
        self.minutes, self.mean = minutes, mean
        self._start = time.monotonic() - seconds
        self._share = seconds / (60 * minutes) if minutes else 0.0

    @property
    def seconds(self) -> float:
        """How long the run has taken, with what it took before it was resumed."""
        return time.monotonic() - self._start

    @property
    def minutes_left(self) -> float | None:
        """Of a run of given minutes, at the last `advance`."""
        return None if self.minutes is None else max(0.0, 1 - self._share) * self.minutes

    def advance(self) -> None:
        """Look at the clock, after an update, together with all processes."""
        if self.minutes is not None:
            self._share = self.mean(self.seconds / (60 * self.minutes))

    def is_over(self, images_seen: int, next_images: int = 0) -> bool:
        """Whether there is no room for `next_images` more."""
        return images_seen + next_images > self.total_images or self._share >= 1

    def lr_multiplier(self, images_seen: int) -> float:
        """Share of the learning rate, in [0, 1]; above 0 before the end."""
        rising = (images_seen + 1) / self.warm_up_images if self.warm_up_images else 1.0
        if self.minutes is not None:
            rising = max(rising, self._share / TIMED_WARM_UP)
            return min(1.0, rising) * min(1.0, max(0.0, 1 - self._share) / TIMED_DECAY)
        left = self.total_images - images_seen
        return min(1.0, rising) * (min(1.0, left / self.decay_images) if self.decay_images else 1.0)
