"""Answers in one SQLite file: each on disk before the next trial is shown, and counted once.

Every write is a transaction of its own (IMMEDIATE, synchronous FULL, rollback journal, so that the study stays one
file) on a connection of its own, and waits for others; a process killed in the middle of it leaves the file as before.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from swapae.errors import UserError, first_line
from swapae.evaluation.study.definition import Definition
from swapae.evaluation.study.trials import Kind, Role, Trial
from swapae.files import atomic_path

# "swst" in SQLite's header, by which a study is told from other databases.
APPLICATION = 0x73777374
WAIT = 30  # seconds for other writers
TABLES = f"""
PRAGMA application_id = {APPLICATION};
CREATE TABLE study (definition TEXT NOT NULL);
CREATE TABLE answers (
    viewer TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    item INTEGER NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    chosen INTEGER NOT NULL CHECK (chosen IN (1, 2)),
    first_ms REAL,
    second_ms REAL,
    showings INTEGER NOT NULL,
    UNIQUE (viewer, number)
);
"""
REMEDY = "give another --answers"


@dataclass(frozen=True)
class Answer:
    """What a viewer said.

    Attributes:
        chosen: 1 for the first (left) picture, 2 for the second (right).
        exposures: milliseconds for which both pictures were there; None where there is no time limit.
        showings: how often the trial was shown before it was answered; more than once if the page was loaded again.
    """

    chosen: int
    exposures: tuple[float, float] | None
    showings: int


@dataclass(frozen=True)
class Row:
    """An answer, whose and to what."""

    viewer: str
    number: int
    trial: Trial
    answer: Answer


class Answers:
    """The answers of a study.

    Args:
        path: of the file, which is there.
        definition: of the study that it is of.
    """

    def __init__(self, path: Path, definition: Definition) -> None:
        self.path, self.definition = path, definition

    @classmethod
    def open(cls, path: Path) -> Answers:
        """Of a file that is there.

        Raises:
            UserError: it is missing, no SQLite, or no study's.
        """
        name = repr(os.fspath(path))
        if not path.is_file():
            raise UserError(f"there is no file {name}: give a file of answers of `swapae study`")
        try:
            with connected(path) as connection:
                ours = connection.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
                found = connection.execute("SELECT definition FROM study").fetchone() if ours else None
        except sqlite3.Error as error:
            raise UserError(f"{name} holds no answers of a study ({first_line(error)}): {REMEDY}") from error
        definition = found and Definition.from_json(found[0])
        if not definition:
            raise UserError(f"{name} holds no answers of a study of this version: {REMEDY}")
        return cls(path, definition)

    @classmethod
    def open_or_make(cls, path: Path, definition: Definition) -> Answers:
        """Of a file that is there and of the same study, or a new one.

        Raises:
            UserError: as of `open`, it is another study's, or it cannot be written.
        """
        if not path.exists():
            with atomic_path(path) as temporary:
                make(temporary, definition, path)
        answers = cls.open(path)
        difference = answers.definition.difference(definition)
        if difference:
            raise UserError(f"{os.fspath(path)!r} is another study's ({difference}): {REMEDY}")
        return answers

    def count(self, viewer: str) -> int:
        """How many trials a viewer has answered: the next one has this number."""
        with connected(self.path) as connection:
            return connection.execute("SELECT count(*) FROM answers WHERE viewer = ?", (viewer,)).fetchone()[0]

    def add(self, viewer: str, number: int, trial: Trial, answer: Answer) -> bool:
        """Store an answer, on disk when this returns.

        Returns:
            False, and nothing is stored, if it is not to the viewer's next trial: a trial is answered once.
        """
        exposures = answer.exposures or (None, None)
        values = (viewer, number, trial.kind, trial.role, trial.item, *trial.shown, answer.chosen, *exposures)
        with connected(self.path) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                done = connection.execute(
                    "INSERT INTO answers SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? "
                    "WHERE ? = (SELECT count(*) FROM answers WHERE viewer = ?)",
                    (*values, answer.showings, number, viewer),
                )
                return done.rowcount == 1

    def rows(self) -> list[Row]:
        """All answers, in the order in which they came.

        Raises:
            UserError: the file is damaged.
        """
        try:
            with connected(self.path) as connection:
                found = connection.execute("SELECT * FROM answers ORDER BY rowid").fetchall()
        except sqlite3.Error as error:
            raise UserError(f"{os.fspath(self.path)!r} cannot be read ({first_line(error)})") from error
        return [row_of(*values) for values in found]


def row_of(
    viewer: str,
    number: int,
    kind: Kind,
    role: Role,
    item: int,
    first: str,
    second: str,
    chosen: int,
    first_ms: float | None,
    second_ms: float | None,
    showings: int,
) -> Row:
    """Of the columns of the table."""
    exposures = None if first_ms is None or second_ms is None else (first_ms, second_ms)
    return Row(viewer, number, Trial(kind, role, item, (first, second)), Answer(chosen, exposures, showings))


def make(path: Path, definition: Definition, label: Path) -> None:
    """Write a new file without answers.

    Raises:
        UserError: the file system refuses; `label` is what the file will be called.
    """
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(TABLES)
            with connection:
                connection.execute("INSERT INTO study VALUES (?)", (definition.to_json(),))
    except sqlite3.Error as error:
        raise UserError(f"cannot write {os.fspath(label)!r} ({first_line(error)}): {REMEDY}") from error


@contextlib.contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one piece of work, which makes no file and commits nothing by itself."""
    address = f"{path.resolve().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=WAIT, isolation_level=None)) as connection:
        yield connection
