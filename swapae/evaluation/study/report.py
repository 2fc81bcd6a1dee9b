"""Results of a study: how often each method's hybrids fooled viewers, and which methods they preferred."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from swapae.errors import UserError
from swapae.evaluation.study.answers import Answers, Row
from swapae.evaluation.study.definition import Definition
from swapae.evaluation.study.rates import Rate
from swapae.evaluation.study.trials import PHOTOGRAPH, Kind
from swapae.files import atomic_path

TITLES: dict[Kind, str] = {
    "real": "Real or fake: hybrids taken for the photograph, of those shown beside one",
    "style": "Style: hybrids called nearer to the texture image, of those shown beside another method's",
    "content": "Content: hybrids called nearer to the structure image, of those shown beside another method's",
}
CHANCE = {
    "real": "Chance, 50 %: hybrids that nobody can tell from photographs. 0 %: every one was found out.",
    "style": "Chance, 50 %: no preference.",
    "content": "Chance, 50 %: no preference.",
}
COLUMNS = (
    "viewer", "number", "kind", "role", "item", "photograph", "first", "second", "chosen", "right", "first_ms",
    "second_ms", "showings", "left_out",
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What viewers answered.

    Attributes:
        definition: of the study.
        rows: all answers, in the order in which they came.
        left_out: why an answer does not count, "" where it does; in the same order.
        viewers: numbers of viewers by what became of them: "answered" all, "finished" those who answered every trial,
            "counted" those whose answers count, "inattentive" and "unchecked" those whose do not.
        fooled: by method, the share of real-or-fake trials in which the photograph was called the fake.
        preferred: by kind and method, the share of trials in which it was chosen.
        pairs: by kind and two methods, the share of trials of just these in which the first was chosen.
    """

    definition: Definition
    rows: Sequence[Row]
    left_out: Sequence[str]
    viewers: dict[str, int]
    fooled: dict[str, Rate | None]
    preferred: dict[Kind, dict[str, Rate | None]]
    pairs: dict[Kind, dict[tuple[str, str], Rate | None]]

    @classmethod
    def of(cls, answers: Answers, checks_passed: float, tolerance: float) -> Report:
        """Of all answers so far.

        Args:
            answers: of a study.
            checks_passed: share of the attention checks that a viewer must have passed, 0 to 1.
            tolerance: milliseconds by which the time of a picture on the screen may be off.

        Raises:
            UserError: there are no answers, or none but to the practice.
        """
        definition, rows = answers.definition, answers.rows()
        if all(row.trial.role == "practice" for row in rows):
            raise UserError(f"{os.fspath(answers.path)!r} has no answers yet, or only to the practice trial")
        left_out = [unfit(row, 1000 * definition.seconds, tolerance) for row in rows]
        verdicts = attention(rows, left_out, checks_passed)
        left_out = [reason or verdicts[row.viewer] for row, reason in zip(rows, left_out, strict=True)]
        fit = [row for row, reason in zip(rows, left_out, strict=True) if not reason]
        counted = [row for row in fit if row.trial.role == "counted"]
        last = sum(map(sum, definition.plan.counts().values()))
        outcomes = Counter(verdicts.values())
        viewers = {
            "answered": len(verdicts),
            "finished": len({row.viewer for row in rows if row.number == last}),
            "counted": outcomes[""],
            "inattentive": outcomes["viewer failed attention checks"],
            "unchecked": outcomes["viewer answered no attention check"],
        }
        kinds, methods = definition.plan.kinds, definition.plan.methods

        def share(kind: Kind, of: Iterable[str], chosen: Callable[[str], bool]) -> Rate | None:
            wanted = set(of)
            fitting = [row for row in counted if row.trial.kind == kind and wanted <= set(row.trial.shown)]
            total = Counter(row.viewer for row in fitting)
            taken = Counter(row.viewer for row in fitting if chosen(row.trial.shown[row.answer.chosen - 1]))
            return Rate.of([(taken[viewer], total[viewer]) for viewer in total])

        asked: tuple[Kind, ...] = tuple(kind for kind in kinds if kind != "real")
        return cls(
            definition,
            rows,
            left_out,
            viewers,
            # The picture chosen is the one called the fake.
            {name: share("real", [name], lambda chosen: chosen == PHOTOGRAPH) for name in methods},
            {kind: {name: share(kind, [name], name.__eq__) for name in methods} for kind in asked},
            {
                kind: {pair: share(kind, pair, pair[0].__eq__) for pair in itertools.combinations(methods, 2)}
                for kind in asked
            },
        )

    def markdown(self) -> str:
        """Tables for people."""
        plan, total = self.definition.plan, self.viewers
        lines = [
            f"{total['answered']} viewers, of whom {total['finished']} finished; {len(self.rows)} answers; "
            f"{plan.items} pictures of each of {len(plan.methods)} methods; {self.definition.seconds:g} s a picture.",
        ]
        lines += ["", TITLES["real"] + ".", "", *table("method", "fooled", self.fooled), "", CHANCE["real"]]
        for kind, methods in self.preferred.items():
            lines += ["", TITLES[kind] + ".", "", *table("method", "preferred", methods)]
            if len(plan.methods) > 2:
                named = {f"{first} over {second}": rate for (first, second), rate in self.pairs[kind].items()}
                lines += ["", *table("of two", "first preferred", named)]
            lines += ["", CHANCE[kind]]
        lines += ["", *self.notes()]
        return "\n".join(lines) + "\n"

    def notes(self) -> list[str]:
        """What was left out, and what the intervals are."""
        reasons = Counter(self.left_out)
        checks = sum(row.trial.role == "check" for row in self.rows)
        practice = sum(row.trial.role == "practice" for row in self.rows)
        lines = [
            "Intervals: 95 %, Wilson's; x is by how many times answers of one viewer being alike raise the variance.",
            f"Not among the trials: {practice} answers for practice, {checks} to attention checks.",
        ]
        lines += [f"Left out: {count} answers, {reason}." for reason, count in reasons.items() if reason]
        if self.viewers["inattentive"] or self.viewers["unchecked"]:
            lines.append(
                f"Viewers left out: {self.viewers['inattentive']} who failed attention checks, "
                f"{self.viewers['unchecked']} who stopped before the first."
            )
        if self.viewers["counted"] == 1:
            lines.append("One viewer: the intervals say nothing about other people.")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        reasons = Counter(reason for reason in self.left_out if reason)
        plan = self.definition.plan
        return {
            "study": {"digest": self.definition.digest, "methods": list(plan.methods), "items": plan.items},
            "seconds": self.definition.seconds,
            "viewers": self.viewers,
            "answers": len(self.rows),
            "left_out": dict(reasons),
            "fooled": {name: rate_to_dict(rate) for name, rate in self.fooled.items()},
            "preferred": {
                kind: {name: rate_to_dict(rate) for name, rate in rates.items()}
                for kind, rates in self.preferred.items()
            },
            "pairs": {
                kind: [
                    {"first": pair[0], "second": pair[1], **(rate_to_dict(rate) or {})} for pair, rate in rates.items()
                ]
                for kind, rates in self.pairs.items()
            },
        }

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Write all figures; UserError if that fails."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line for each answer, viewers as numbers and not by their ids; UserError if that fails."""
        numbers = {viewer: place for place, viewer in enumerate(dict.fromkeys(row.viewer for row in self.rows), 1)}
        names = self.definition.pictures[PHOTOGRAPH]
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for row, reason in zip(self.rows, self.left_out, strict=True):
                trial, answer = row.trial, row.answer
                right = trial.right(answer.chosen)
                writer.writerow(
                    [numbers[row.viewer], row.number, trial.kind, trial.role, trial.item + 1, names[trial.item][0]]
                    + [*trial.shown, answer.chosen, "" if right is None else int(right)]
                    + [*(answer.exposures or ("", "")), answer.showings, reason]
                )


def unfit(row: Row, wanted: float, tolerance: float) -> str:
    """Why an answer does not count by itself, "" if it does; times in milliseconds."""
    if row.trial.kind != "real":
        return ""
    if row.answer.showings > 1:
        return "shown more than once"
    if row.answer.exposures and all(abs(time - wanted) <= tolerance for time in row.answer.exposures):
        return ""
    return f"a picture was there over {tolerance:g} ms too long or too short"


def attention(rows: Sequence[Row], left_out: Sequence[str], checks_passed: float) -> dict[str, str]:
    """Why the answers of each viewer do not count, "" if they do; by the attention checks that were shown rightly."""
    checks: dict[str, list[bool]] = {row.viewer: [] for row in rows}
    for row, reason in zip(rows, left_out, strict=True):
        if row.trial.role == "check" and not reason:
            checks[row.viewer].append(bool(row.trial.right(row.answer.chosen)))
    verdicts = {}
    for viewer, passed in checks.items():
        if not passed:
            verdicts[viewer] = "viewer answered no attention check"
        else:
            failed = sum(passed) < checks_passed * len(passed) - 1e-9
            verdicts[viewer] = "viewer failed attention checks" if failed else ""
    return verdicts


def table(first: str, what: str, rates: dict[str, Rate | None]) -> list[str]:
    """Lines of a table of rates."""
    lines = [f"| {first} | {what} | 95 % interval | of trials | viewers | x |", "|---|---|---|---|---|---|"]
    for name, rate in rates.items():
        cell = name.replace("|", "\\|")
        if rate is None:
            lines.append(f"| {cell} | - | - | 0 | 0 | - |")
        else:
            interval = f"{100 * rate.low:.1f} to {100 * rate.high:.1f} %"
            lines.append(
                f"| {cell} | {100 * rate.share:.1f} % | {interval} | {rate.count} of {rate.trials} | {rate.viewers} | "
                f"{rate.design_effect:.2f} |"
            )
    return lines


def rate_to_dict(rate: Rate | None) -> dict[str, Any] | None:
    """A rate for JSON."""
    return None if rate is None else asdict(rate) | {"share": rate.share}
