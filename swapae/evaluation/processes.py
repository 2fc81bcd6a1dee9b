"""Several processes that share an evaluation, started by Accelerate's launcher; accelerate is imported only then."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from swapae.errors import UserError


@dataclass(frozen=True)
class Processes:
    """This process among all.

    Attributes:
        rank: its number, 0 for the main one, which writes what people read.
        count: how many there are.
        wait: returns once all have called it.
    """

    rank: int = 0
    count: int = 1
    wait: Callable[[], Any] = lambda: None

    @property
    def main(self) -> bool:
        """Whether this is the one that reports."""
        return self.rank == 0

    @classmethod
    def join(cls, device: str) -> Processes:
        """Of a launcher (`accelerate launch -m swapae evaluate ...`), or this one alone.

        Args:
            device: where to compute; of several GPUs, each process then has one as its current device.

        Raises:
            UserError: a launcher has started several, and accelerate is not installed or does not find the others.
        """
        started = int(os.environ.get("WORLD_SIZE", "1"))
        if started == 1:
            return cls()
        try:
            accelerate = importlib.import_module("accelerate")
        except ModuleNotFoundError as error:
            raise UserError(f"several processes need accelerate ({error}): pip install accelerate") from error
        # On a CPU it has to be told: by the launcher's variables alone, each would take itself for the only one.
        state = accelerate.PartialState(cpu=device == "cpu")
        if state.num_processes != started:
            raise UserError(f"the launcher started {started} processes, but accelerate finds {state.num_processes}")
        return cls(state.process_index, state.num_processes, state.wait_for_everyone)
