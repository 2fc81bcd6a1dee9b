"""What a viewer of a study is shown, and in which order: by the plan and the viewer's random id alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from swapae.errors import UserError
from swapae.rounding import ceil_div

Kind: TypeAlias = Literal["real", "style", "content"]
Role: TypeAlias = Literal["practice", "check", "counted"]

# Pictures of a trial that are no method's; no method may have such a name.
PHOTOGRAPH, SHUFFLED, SAME, UNRELATED = "photograph", "shuffled", "same", "unrelated"
OWN_NAMES = (PHOTOGRAPH, SHUFFLED, SAME, UNRELATED)

# Attention checks: one to so many trials of a kind, rounded up, and at least so many for a viewer.
TRIALS_PER_CHECK = 10
FEWEST_CHECKS = 2


@dataclass(frozen=True)
class Trial:
    """One question to a viewer.

    Attributes:
        kind: "real": two pictures one after the other, which is the fake? "style" and "content": two beside a
            reference, which is nearer to it?
        role: a practice and attention checks have a right answer that nobody misses.
        item: the pictures' place in each folder, from 0.
        shown: the two pictures in the order shown, each a method's name or one of `OWN_NAMES`.
    """

    kind: Kind
    role: Role
    item: int
    shown: tuple[str, str]

    def right(self, chosen: int) -> bool | None:
        """Whether the first (1) or the second (2) was the right answer; None where there is none.

        The right answer is the fake where that is asked, and the picture that equals the reference in a check.
        """
        name = self.shown[chosen - 1]
        if self.kind == "real":
            return name != PHOTOGRAPH
        return name == SAME if self.role == "check" else None


@dataclass(frozen=True)
class Plan:
    """What a study consists of.

    Attributes:
        methods: names, one or more; two or more if `questions`.
        items: pictures of each method.
        questions: whether style and content are asked for, too.
        trials: wanted for a viewer, of all kinds together, without practice and checks.
        seed: of all orders.
    """

    methods: tuple[str, ...]
    items: int
    questions: bool
    trials: int
    seed: int

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """In the order in which they come."""
        return ("real", "style", "content") if self.questions else ("real",)

    def counts(self) -> dict[Kind, tuple[int, int]]:
        """Trials that count and attention checks of each kind for every viewer.

        Fewer than wanted if there are too few items: nobody sees one twice, and the practice and every check take one
        as well.

        Raises:
            UserError: not even one trial of each kind is possible.
        """
        fewest = ceil_div(FEWEST_CHECKS, len(self.kinds))
        for total in range(min(self.trials, self.items), len(self.kinds) - 1, -1):
            shares = {
                kind: total // len(self.kinds) + (place < total % len(self.kinds))
                for place, kind in enumerate(self.kinds)
            }
            counts = {kind: (share, max(fewest, ceil_div(share, TRIALS_PER_CHECK))) for kind, share in shares.items()}
            if 1 + sum(map(sum, counts.values())) <= self.items:
                return counts
        if self.trials < len(self.kinds):
            raise UserError(f"--trials must be {len(self.kinds)} or more, one of each kind, got {self.trials}")
        least = 1 + len(self.kinds) * (1 + fewest)
        raise UserError(
            f"a study takes at least {least} pictures of each kind, there are {self.items}: one for practice, and "
            "for every question and its attention checks others"
        )

    def order(self, viewer: str) -> list[Trial]:
        """All trials of a viewer: a practice, then the kinds one after the other, checks among them at random.

        No item comes twice. Methods, or pairs of methods, are shown equally often, but for one more of some.

        Args:
            viewer: random id; the same one gets the same trials on every machine.
        """
        draws = random.Random(f"{self.seed} {viewer}")  # of a text, so by its SHA-512
        items = list(range(self.items))
        draws.shuffle(items)
        unseen = iter(items)

        def trial(kind: Kind, role: Role, shown: Sequence[str]) -> Trial:
            first, second = draws.sample(list(shown), 2)
            return Trial(kind, role, next(unseen), (first, second))

        trials = [trial("real", "practice", (PHOTOGRAPH, SHUFFLED))]
        for kind, (count, checks) in self.counts().items():
            compared = balanced(self.compared(kind), draws)
            roles: list[Role] = ["counted" if place < count else "check" for place in range(count + checks)]
            draws.shuffle(roles)
            check = (PHOTOGRAPH, SHUFFLED) if kind == "real" else (SAME, UNRELATED)
            trials += [trial(kind, role, check if role == "check" else next(compared)) for role in roles]
        return trials

    def compared(self, kind: Kind) -> list[tuple[str, str]]:
        """The pairs of pictures that a kind of trial can show."""
        if kind == "real":
            return [(PHOTOGRAPH, method) for method in self.methods]
        return list(itertools.combinations(self.methods, 2))


def balanced(choices: Sequence[tuple[str, str]], draws: random.Random) -> Iterator[tuple[str, str]]:
    """All choices in a random order, again and again."""
    while True:
        yield from draws.sample(choices, len(choices))
