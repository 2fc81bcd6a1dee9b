"""Commands on many pictures: reading, computing and writing at the same time, each result made once.

A folder of results goes on where it was stopped: what is there is not made again. What it was made with is kept beside
the results, so that one folder never mixes two settings.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from tqdm import tqdm

from swapae.apps.cli.session import Options, Session, choose_device
from swapae.editing.recipes import ModelId, Recipe
from swapae.errors import Interrupted, UserError, first_line
from swapae.evaluation.processes import Processes
from swapae.evaluation.store import make_folder
from swapae.files import atomic_path
from swapae.pictures.images import Fitted
from swapae.pictures.listing import list_images
from swapae.pictures.saving import check_output_file

SETTINGS_FILE = "settings.json"
READERS = 2  # threads; each keeps up with several GPUs' worth of small models
AHEAD = 8  # jobs read before they are computed
FAILURES_NAMED = 3  # in the one line of an error
Item = TypeVar("Item")
Read = TypeVar("Read")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Job:
    """A result to make of files."""

    inputs: tuple[Path, ...]
    output: Path


class Work:
    """The jobs of a command that takes a picture or many, and the session that does them.

    Args:
        jobs: one, or those of a folder.
        folder: of the results of many pictures; None if there is one job.
        common: options of the session.
    """

    def __init__(self, jobs: Sequence[Job], folder: Path | None, common: Options) -> None:
        self.jobs, self.folder = jobs, folder
        self._processes = Processes() if folder is None else Processes.join(choose_device(common.device))
        self.session = Session(common)

    @classmethod
    def on(cls, image: Path, output: Path, common: Options) -> Work:
        """A job for a picture, or one for each of a folder or pattern.

        Raises:
            UserError: `output` is not what the results can be written to, or there are no pictures.
        """
        if is_many(image):
            found = pictures(image)
            check_folder(output)
            jobs = [Job((path,), result_path(output, name)) for name, path in found.items()]
            return cls(jobs, output, common)
        check_output_file(output)
        return cls([Job((image,), output)], None, common)

    def read(self, job: Job) -> Fitted:
        """The picture that a job edits."""
        return self.session.load(job.inputs[0])

    def run(
        self,
        command: str,
        settings: Mapping[str, Any],
        read: Callable[[Job], Read],
        compute: Callable[[Job, Read], Image.Image],
        recipe: Callable[[Job], Recipe | None],
    ) -> None:
        """Do the jobs.

        Args:
            command, settings: as of `open_folder`.
            read: what is needed for a job, such as `self.read`.
            compute: what a job makes of that.
            recipe: of a job's result.

        Raises:
            UserError: as of `open_folder` and `make_all`.
        """

        def write(job: Job, picture: Image.Image) -> None:
            self.session.save(picture, job.output, recipe(job), job.inputs[0])

        if self.folder is None:
            (job,) = self.jobs
            write(job, compute(job, read(job)))
        else:
            open_folder(self.folder, self.session, command, settings, self._processes)
            make_all(self.jobs, read, compute, write, self._processes)


def is_many(path: Path) -> bool:
    """Whether an argument is a folder, or a pattern such as 'photos/*.jpg', rather than a picture."""
    return path.is_dir() or (glob.has_magic(str(path)) and not path.exists())


def pictures(path: Path) -> dict[str, Path]:
    """The pictures of a folder and those below it, or of a pattern: names for results, without suffix, and paths.

    Raises:
        UserError: there are none.
    """
    if path.is_dir():
        base, found = path, list_images(path)
    else:
        base = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())
        if not found:
            raise UserError(f"no file fits {str(path)!r}: give a folder, or a pattern of files that are there")
    below = [file.relative_to(base) for file in found]
    stems = [str(name.with_suffix("")) for name in below]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem] = counts.get(stem, 0) + 1
    names = [stem if counts[stem] == 1 else str(name) for stem, name in zip(stems, below, strict=True)]
    return dict(zip(names, found, strict=True))


def open_folder(folder: Path, session: Session, command: str, options: Mapping[str, Any], processes: Processes) -> None:
    """Make a folder of results, or go on with one.

    Args:
        folder: to write to.
        session: whose model and options make the results.
        command: that does, by its name.
        options: of the command, as far as results depend on them.
        processes: of which the main one writes the settings.

    Raises:
        UserError: the folder cannot be made, or holds results of other settings or other files than results.
    """
    own = session.options
    values = {
        "command": command,
        "model": " ".join(ModelId.of(session.model)),
        "size": session.size,
        "seed": own.seed,
        "dtype": own.dtype,
        # None, as in folders of before, where nothing is kept.
        "metadata": "all" if own.keep_gps else "without place" if own.keep_metadata else None,
        **json.loads(json.dumps(options, default=str)),
    }
    if processes.main:
        make_folder(folder)
        path = folder / SETTINGS_FILE
        if not path.exists():
            if any(folder.iterdir()):
                raise UserError(f"{str(folder)!r} holds other files than results: give a new folder")
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(values, indent=1) + "\n")
    processes.wait()
    try:
        there = json.loads((folder / SETTINGS_FILE).read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{str(folder / SETTINGS_FILE)!r} cannot be read ({first_line(error)}): give a new folder"
        ) from None
    for name in dict.fromkeys([*values, *there]):
        if there.get(name) != values.get(name):
            raise UserError(
                f"{str(folder)!r} holds results of another {name} ({there.get(name)}, now {values.get(name)}): "
                "give a new folder"
            )


def make_all(
    jobs: Sequence[Job],
    read: Callable[[Job], Read],
    compute: Callable[[Job, Read], Made],
    write: Callable[[Job, Made], None],
    processes: Processes,
    unit: str = "picture",
) -> None:
    """Make all results that are not there; a picture that cannot be read stops nothing.

    While one is computed the next ones are read and the last one is written.

    Args:
        jobs: of all processes, of which each takes its share.
        read: in one of several threads.
        compute: in this one, in the jobs' order.
        write: in a thread of its own, in the jobs' order; has to be atomic.
        processes: that share the jobs.
        unit: what a result is called in the bar of progress.

    Raises:
        UserError: some results could not be made; all others are there.
        Interrupted: by Ctrl-C; what was made is whole.
    """
    own = jobs[processes.rank :: processes.count]
    missing = [job for job in own if not job.output.exists()]
    failures: list[str] = []
    made = 0
    folders = {job.output.parent for job in missing}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    readers, writer = ThreadPoolExecutor(READERS), ThreadPoolExecutor(1)
    written: Future[None] | None = None
    try:
        with tqdm(total=len(own), initial=len(own) - len(missing), unit=unit, disable=not processes.main) as bar:
            for job, future in ahead(readers, read, missing):
                try:
                    result = compute(job, future.result())
                except UserError as error:
                    failures.append(first_line(error))
                else:
                    # One at a time waits to be written, so that memory stays bounded.
                    if written is not None:
                        written.result()
                    written = writer.submit(write, job, result)
                    made += 1
                bar.update()
        if written is not None:
            written.result()
    except KeyboardInterrupt:
        raise Interrupted("interrupted; what is done is whole, and the same command goes on from there") from None
    finally:
        readers.shutdown(cancel_futures=True)
        writer.shutdown()
    who = f"process {processes.rank + 1} of {processes.count}: " if processes.count > 1 else ""
    print(f"{who}made {made}, there before {len(own) - len(missing)}, failed {len(failures)}")
    for failure in failures:
        print(failure, file=sys.stderr)
    # A launcher ends all processes as soon as one fails.
    processes.wait()
    if failures:
        why = "as said above" if is_heard() else named(failures)
        raise UserError(f"{len(failures)} of {len(own)} could not be made, {why}; the others are there")


def is_heard() -> bool:
    """Whether what is said on stderr goes anywhere: not with --quiet, which leaves the one line of an error."""
    return getattr(sys.stderr, "name", None) != os.devnull


def named(failures: Sequence[str]) -> str:
    """The first few of what went wrong, and how much more did."""
    more = len(failures) - FAILURES_NAMED
    return "; ".join([*failures[:FAILURES_NAMED], *([f"and {more} more"] if more > 0 else [])])


def ahead(
    readers: ThreadPoolExecutor, read: Callable[[Item], Read], items: Iterable[Item], most: int = AHEAD
) -> Iterator[tuple[Item, Future[Read]]]:
    """Items in their order, each with what is read for it, of which so many are under way."""
    waiting: deque[tuple[Item, Future[Read]]] = deque()
    for item in items:
        waiting.append((item, readers.submit(read, item)))
        if len(waiting) > most:
            yield waiting.popleft()
    yield from waiting


def result_path(folder: Path, name: str) -> Path:
    """Where a result of this name is written: `name` may have folders in it."""
    return folder / f"{name}.png"


def check_folder(output: Path) -> None:
    """Raise UserError if results of many pictures would go to what looks like one file."""
    if output.suffix or (output.exists() and not output.is_dir()):
        raise UserError(f"for many pictures -o must be a folder, got {os.fspath(output)!r}")
