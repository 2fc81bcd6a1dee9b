"""A process that outlives whoever started it: how it is started, known again, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import swapae

# Behind everything that somebody waits for.
NICE = 10
PROC, BOOT = Path("/proc"), Path("/proc/sys/kernel/random/boot_id")


def start(module: str, words: Sequence[str], log: Path, variables: Mapping[str, str]) -> subprocess.Popen:
    """Run a module of the package at low priority, in a group of its own, which a closed terminal does not end.

    Args:
        module: its name, as for `python -m`.
        words: its arguments.
        log: file for all that it prints.
        variables: further ones of its environment.
    """
    # The package as this process found it, which need not be installed.
    path = os.pathsep.join(filter(None, [str(Path(swapae.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": path, **variables},
            start_new_session=True,
        )
    with suppress(OSError):  # it ended already
        os.setpriority(os.PRIO_PGRP, process.pid, NICE)
    return process


def mark_of(pid: int) -> str | None:
    """When a running process began, by which it is told from every other that has its number sooner or later.

    Returns:
        The machine's start and the process's, exact on Linux and to a second elsewhere; None if it does not run.
    """
    try:
        if BOOT.is_file():
            # After the name, which may hold anything: the state, and as the 20th word the start in ticks.
            words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            return None if words[0] in "ZX" else f"{BOOT.read_text().strip()} {words[19]}"
        asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        state, _, began = subprocess.run(asked, capture_output=True, text=True).stdout.strip().partition(" ")
        return None if not began or state.startswith("Z") else began.strip()
    except (OSError, IndexError):
        return None


def interrupt(pid: int) -> None:
    """Send Ctrl-C to the group of a process of `start`, as a terminal would."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGINT)


def end_all(variable: str) -> None:
    """Kill whatever has a variable in its environment, "NAME=value" that nothing else has, where the system tells.

    A process that is killed leaves behind what it started, and some of that is in groups of its own.
    """
    for environment in PROC.glob("[0-9]*/environ"):
        with suppress(OSError):  # somebody else's, or it ended
            if variable.encode() in environment.read_bytes().split(b"\0"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
