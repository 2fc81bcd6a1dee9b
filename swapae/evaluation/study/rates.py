"""Shares of answers with intervals, for answers of which several are of the same viewer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Rate:
    """A share of answers, and where the share of all possible viewers probably is.

    Attributes:
        count: answers of the kind in question.
        trials: of all answers.
        viewers: who gave them.
        low: of the 95 % interval.
        high: of the interval.
        design_effect: how many times the variance is that of as many answers of different viewers, 1 or more.
    """

    count: int
    trials: int
    viewers: int
    low: float
    high: float
    design_effect: float

    @property
    def share(self) -> float:
        """Count of trials, 0 to 1."""
        return self.count / self.trials

    @classmethod
    def of(cls, viewers: Iterable[tuple[int, int]], confidence: float = 0.95) -> Rate | None:
        """The rate of answers by viewer.

        Wilson's score interval of the effective number of answers (Wilson 1927, JASA 22:209). Answers of one viewer are
        alike, so that n of them are worth fewer: n divided by the design effect (Kish 1965, "Survey Sampling", 8.2),
        the variance of the share with viewers as clusters, by linearisation, over p(1-p)/n; at least 1. As that
        variance is itself estimated from few viewers, n is also multiplied by (z/t)², t being Student's with as many
        degrees of freedom as viewers less one (Korn and Graubard 1998, Survey Methodology 24:193). Viewers are taken as
        drawn from all possible ones, the pictures as given. Of one viewer the interval says nothing about others: it is
        then Wilson's of independent answers.

        Args:
            viewers: of each, the answers in question and all answers.
            confidence: of the interval.

        Returns:
            None if there are no answers.
        """
        clusters = [(count, trials) for count, trials in viewers if trials]
        count, trials = (sum(values) for values in zip(*clusters, strict=True)) if clusters else (0, 0)
        if not trials:
            return None
        share, groups, z = count / trials, len(clusters), NormalDist().inv_cdf((1 + confidence) / 2)
        effect, worth = 1.0, float(trials)
        if groups > 1:
            if 0 < count < trials:
                spread = sum((part - size * share) ** 2 for part, size in clusters) * groups / (groups - 1)
                effect = max(1.0, spread / trials / (share * (1 - share)))
            worth *= (z / student(groups - 1, (1 + confidence) / 2)) ** 2 / effect
        low, high = wilson(share, worth, z)
        return cls(count, trials, groups, low, high, effect)


def wilson(share: float, trials: float, z: float) -> tuple[float, float]:
    """Wilson's score interval of a share of so many independent trials, not necessarily a whole number."""
    shrink = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # Exactly 0 and 1 where they are, but for rounding.
    return (centre - half if share > 0 else 0.0), (centre + half if share < 1 else 1.0)


def student(freedom: int, probability: float) -> float:
    """Quantile of Student's t distribution, of a probability over 0.5.

    By bisection of the distribution function, a finite sum for whole degrees of freedom (Abramowitz and Stegun 1964,
    26.7.3 and 26.7.4).
    """

    def between(t: float) -> float:
        """Probability of a value in [-t, t]."""
        angle = math.atan(t / math.sqrt(freedom))
        cosine, term, total = math.cos(angle), 1.0, 0.0
        if freedom % 2 == 0:
            for step in range(freedom // 2):
                total += term
                term *= cosine**2 * (2 * step + 1) / (2 * step + 2)
            return math.sin(angle) * total
        for step in range((freedom - 1) // 2):
            total += term
            term *= cosine**2 * (2 * step + 2) / (2 * step + 3)
        return 2 / math.pi * (angle + math.sin(angle) * cosine * total)

    low, high = 0.0, 1.0
    while between(high) < 2 * probability - 1:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if between(middle) < 2 * probability - 1 else (low, middle)
    return (low + high) / 2
