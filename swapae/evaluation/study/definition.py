"""What a study is: its plan, how pictures are shown and which they are. Kept in the file of answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from swapae.evaluation.study.pictures import option
from swapae.evaluation.study.trials import Plan

STUDY_VERSION = 1


@dataclass(frozen=True)
class Definition:
    """A study; answers belong to one, and only to it.

    Attributes:
        plan: what viewers are shown.
        seconds: for which each picture of a real-or-fake trial is shown.
        size: pixels of a side of the squares that are shown.
        pictures: by folder as in `Pictures`, names and SHA-256 of the files.
    """

    plan: Plan
    seconds: float
    size: int
    pictures: Mapping[str, list[list[str]]]

    @property
    def digest(self) -> str:
        """SHA-256 of everything; equal for the same study."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """As `from_json` reads it."""
        plan = asdict(self.plan) | {"methods": list(self.plan.methods)}
        values = {"version": STUDY_VERSION, "plan": plan, "seconds": self.seconds, "size": self.size}
        return json.dumps(values | {"pictures": dict(self.pictures)}, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> Definition | None:
        """Of what `to_json` wrote; None if it was another version or anything else."""
        try:
            values: Any = json.loads(text)
            if values["version"] != STUDY_VERSION:
                return None
            plan = Plan(**values["plan"] | {"methods": tuple(values["plan"]["methods"])})
            return cls(plan, values["seconds"], values["size"], values["pictures"])
        except (ValueError, KeyError, TypeError):
            return None

    def difference(self, other: Definition) -> str | None:
        """What distinguishes another study from this one, in words; None if nothing does."""
        settings = {
            "methods": (self.plan.methods, other.plan.methods),
            "questions of style and content": (self.plan.questions, other.plan.questions),
            "--trials": (self.plan.trials, other.plan.trials),
            "--seed": (self.plan.seed, other.plan.seed),
            "--seconds": (self.seconds, other.seconds),
            "--size": (self.size, other.size),
        }
        for name, values in settings.items():
            if values[0] != values[1]:
                here, there = (", ".join(value) if isinstance(value, tuple) else value for value in values)
                return f"{name}: {here}, now {there}"
        for name, files in self.pictures.items():
            for before, now in zip(files, other.pictures[name], strict=False):
                if before != now:
                    what = f"{before[0]!r} is now {now[0]!r}" if before[0] != now[0] else f"{now[0]!r} is another file"
                    return f"{option(name)}: {what}"
            if len(files) != len(other.pictures[name]):
                return f"{option(name)}: {len(files)} pictures, now {len(other.pictures[name])}"
        return None
