"""The one training that there may be: what is known of it on the disk, so that any server finds it again.

In the folder of models, a folder `.training` holds:

job.json      whose it is, its name, its minutes, and its process
photographs/  what it is trained on, as it was given
dropped/      what was given for one that has not begun
log.txt       what `swapae train` prints
status        its exit status, once it ended; without one and without its process, it was killed
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from swapae.apps.cli.own_model import PHOTOGRAPHS, RUN
from swapae.apps.page.training import process
from swapae.errors import UserError, first_line
from swapae.files import atomic_path

COMMAND = "swapae.apps.page.training.command"
SECRET = "SWAPAE_TRAINING"
# Its bars of progress are in a file that nobody looks at while it grows.
VARIABLES = {"TQDM_MININTERVAL": "10", "PYTHONUNBUFFERED": "1"}
STOPPED = 130  # exit status of a training that Ctrl-C ended, which keeps the best
# Seconds after which one that was asked to stop may be ended at once.
PATIENCE = 120
State = Literal["on", "stopping", "done", "stopped", "failed", "killed"]


@dataclass(frozen=True)
class Job:
    """A training.

    Args:
        name: of the model, and of its folder.
        minutes: of training in all.
        owner: digest of the key of whoever began it.
        began: seconds since the epoch at which it was started, or went on.
        secret: in the environment of its processes, and of no other.
        pid, mark: its process, as of `process.mark_of`.
        stopping: when it was asked to stop.
    """

    name: str
    minutes: float
    owner: str
    began: float
    secret: str
    pid: int = 0
    mark: str = ""
    stopping: float | None = None


class Trainings:
    """At most one training at a time, in a folder of models; several servers may share it.

    Args:
        folder: of the models that are trained, each in a folder of its name; made when first needed.
        clock: gives seconds since the epoch.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self.folder, self.clock = folder.absolute(), clock
        self.place = self.folder / ".training"
        self.photographs, self.dropped = self.place / "photographs", self.place / "dropped"
        self.log, self.status = self.place / "log.txt", self.place / "status"
        self._process: subprocess.Popen | None = None  # held, so that the system can forget it once it ended

    @property
    def job(self) -> Job | None:
        """The newest training; None if there was none yet."""
        try:
            return Job(**json.loads((self.place / "job.json").read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def state(self, job: Job) -> State:
        """How it is with a training."""
        if self._process is not None:
            self._process.poll()
        if process.mark_of(job.pid) == job.mark:
            return "on" if job.stopping is None else "stopping"
        try:
            status = int(self.status.read_text())
        except (OSError, ValueError):
            return "killed"
        return {0: "done", STOPPED: "stopped"}.get(status, "failed")  # type: ignore[return-value]

    def model(self, job: Job) -> Path:
        """The folder of its model."""
        return self.folder / job.name

    def begin(self, name: str, minutes: float, owner: str, dropped: Path) -> Job:
        """Start a training on photographs that were dropped; they are its own from then on.

        Raises:
            UserError: there is one already, or one cannot be started.
        """
        with self._alone():
            job = self.job
            if job and self.state(job) in ("on", "stopping"):
                raise UserError("another training is on: wait for its end, there is one at a time")
            if holds_model(self.folder / name):
                raise UserError(f"there is a model {name!r} already: choose another name")
            if job:
                process.end_all(f"{SECRET}={job.secret}")
            for left in (self.folder / name, self.photographs):  # the former of one that was stopped before it had any
                shutil.rmtree(left, ignore_errors=True)
            dropped.rename(self.photographs)
            self.log.unlink(missing_ok=True)
            return self._start(Job(name, minutes, owner, self.clock(), secrets.token_hex(16)))

    def go_on(self, job: Job) -> Job:
        """Go on with a training that was stopped or killed, from its newest checkpoint.

        Raises:
            UserError: it is not there any more, or cannot be started.
        """
        with self._alone():
            if self.job != job or self.state(job) in ("on", "stopping", "done"):
                raise UserError("there is no such training to go on with")
            process.end_all(f"{SECRET}={job.secret}")
            return self._start(dataclasses.replace(job, began=self.clock(), stopping=None))

    def stop(self, job: Job) -> None:
        """Have a training keep the best and end; at once, and with nothing kept, if it takes too long to."""
        with self._alone():
            if self.job != job or (state := self.state(job)) not in ("on", "stopping"):
                return
            if state == "on":
                self._write(dataclasses.replace(job, stopping=self.clock()))
                process.interrupt(job.pid)
            elif self.overdue(job):
                process.end_all(f"{SECRET}={job.secret}")

    def tidy(self, job: Job) -> None:
        """Delete what a training that is done was given; its small copies stay with the model. End what is left of one
        that was killed: nobody would put its model in place.
        """
        state = self.state(job)
        if state == "killed":
            process.end_all(f"{SECRET}={job.secret}")
        if state == "done" and self.photographs.is_dir():
            with self._alone():
                if self.job == job:
                    shutil.rmtree(self.photographs, ignore_errors=True)

    def overdue(self, job: Job) -> bool:
        """Whether it was asked to stop so long ago that it may hang."""
        return job.stopping is not None and self.clock() - job.stopping > PATIENCE

    def _start(self, job: Job) -> Job:
        self.status.unlink(missing_ok=True)
        words = [str(self.status), "train", str(self.photographs), "-o", str(self.model(job))]
        words += ["--minutes", f"{job.minutes:g}"]
        self._process = process.start(COMMAND, words, self.log, VARIABLES | {SECRET: job.secret})
        mark = process.mark_of(self._process.pid) or ""
        job = dataclasses.replace(job, pid=self._process.pid, mark=mark)
        try:
            self._write(job)
        except UserError:
            process.end_all(f"{SECRET}={job.secret}")
            raise
        return job

    def _write(self, job: Job) -> None:
        with atomic_path(self.place / "job.json") as path:
            path.write_text(json.dumps(dataclasses.asdict(job)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off every other thread and server that would start or stop a training."""
        import fcntl  # not on Windows, where the page has no such tab

        try:
            self.place.mkdir(parents=True, exist_ok=True)
            with (self.place / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            reason = error.strerror or first_line(error)
            raise UserError(f"a training cannot be kept here ({reason}): whoever runs this page can help") from None


def holds_model(folder: Path) -> bool:
    """Whether there is something in a folder that is more than a training's beginnings."""
    begun = (folder / PHOTOGRAPHS).is_dir() and not any(folder.glob(f"{RUN}/*/config.json"))
    return folder.exists() and (not begun or (folder / "config.json").exists())


def trained_here(folder: Path) -> Mapping[str, Path]:
    """The models in a folder of them, by their names."""
    found = sorted(folder.glob("[!.]*/model.safetensors"))
    return {path.parent.name: path.parent for path in found if (path.parent / "config.json").is_file()}
