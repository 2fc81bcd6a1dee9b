"""Real processes that need not import torch, which takes six seconds of a slow core each time.

They are forked from a process that has done nothing but import it, and then run a program as `python` would: their
environment, folder, threads, output and end are their own, and everything else they import themselves.
"""

import atexit
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
# Adam imports the second. Neither asks the environment for anything that a test sets.
FORKS.set_forkserver_preload(["torch", "torch._dynamo"])


def fork(program: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path) -> BaseProcess:
    """Start a script, or "-m" and a module, with its arguments; what it says is added to stdout and stderr in `output`.

    Of `environment`, OMP_NUM_THREADS must be there.
    """
    process = FORKS.Process(target=become, args=(list(program), folder, dict(environment), output))
    process.start()
    return process


def become(program: list[str], folder: Path, environment: dict[str, str], output: Path) -> None:
    """Run `program` in this process."""
    import torch

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    # What OpenMP read when it was loaded, and what multiprocessing hands on, were those of the first process.
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    multiprocessing.set_start_method("fork", force=True)
    module = program[0] == "-m"
    sys.argv = program[1:] if module else program
    try:
        if module:
            runpy.run_module(program[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
