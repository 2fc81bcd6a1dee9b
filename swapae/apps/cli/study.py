"""`swapae study` and `swapae study report`: people judge hybrids in their browsers, and what came of it."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import tyro

from swapae.apps.cli.checks import check_between
from swapae.errors import UserError
from swapae.evaluation.study.answers import Answers
from swapae.evaluation.study.definition import Definition
from swapae.evaluation.study.pictures import RESERVED, STRUCTURE, TEXTURE, Pictures
from swapae.evaluation.study.report import Report
from swapae.evaluation.study.trials import PHOTOGRAPH, Plan
from swapae.pictures.saving import check_output_file

Folder = Annotated[Path, tyro.conf.arg(metavar="DIR")]
FolderOrNone = Annotated[Path | None, tyro.conf.arg(metavar="DIR")]
Hybrids = Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]DIR")]
AnswersFile = Annotated[Path, tyro.conf.arg(metavar="FILE")]
LOCAL = "127.0.0.1"
PORT = 7860


def study(
    real: Folder,
    hybrids: Hybrids,
    structure: FolderOrNone = None,
    texture: FolderOrNone = None,
    answers: AnswersFile = Path("study.sqlite"),
    trials: int = 50,
    seconds: float = 1.0,
    size: int = 256,
    seed: int = 0,
    port: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    host: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None,
) -> None:
    """Page on which people judge hybrids, served until interrupted; `swapae study report FILE` says what came of it.

    A photograph and a hybrid one after the other, which was the fake? With --structure and --texture also: which of two
    methods' hybrids is nearer to a reference? Pictures at the same place in the sorted lists of all folders belong
    together. The same command goes on with the same file of answers.

    Args:
        real: folder of photographs.
        hybrids: folder of a method's hybrids, as many; again for each method. The method is called NAME, else as the
            folder.
        structure: folder of the hybrids' structure images, for questions about content; together with --texture.
        texture: folder of their texture images, for questions about style.
        answers: SQLite file to keep the answers in, made if missing.
        trials: for each viewer, of all kinds together, without practice and attention checks; fewer if there are too
            few pictures, of which nobody sees one twice.
        seconds: for which a picture is shown when the fake is asked for.
        size: pixels of a side of the squares that are shown; the centre of each picture is taken.
        seed: of the orders in which trials come, with each viewer's random id.
        port: to serve at; $PORT or 7860 if not given.
        host: address to serve at, 0.0.0.0 for all of this machine; $GRADIO_SERVER_NAME or 127.0.0.1 if not given.
    """
    check_between("trials", trials, 1, 10_000)
    check_between("seconds", seconds, 0.01, 60)
    check_between("size", size, 16, 2048)
    if (structure is None) != (texture is None):
        raise UserError("--structure and --texture go together: give both, or neither")
    folders = {PHOTOGRAPH: real, **methods_of(hybrids)}
    if structure is not None and texture is not None:
        if len(folders) < 3:
            raise UserError("questions of style and content compare methods: give --hybrids twice or more")
        folders |= {STRUCTURE: structure, TEXTURE: texture}
    methods = tuple(name for name in folders if name not in RESERVED)
    pictures = Pictures.find(folders, size)
    plan = Plan(methods, len(pictures.files[PHOTOGRAPH]), structure is not None, trials, seed)
    counts = plan.counts()
    check_output_file(answers, (answers.suffix.lower(),))
    address = (host or os.environ.get("GRADIO_SERVER_NAME") or LOCAL, chosen_port(port))
    check_address(*address)
    serve = page_server()
    definition = Definition(plan, seconds, size, pictures.describe())
    stored = Answers.open_or_make(answers, definition)
    counted, checks = (sum(values) for values in zip(*counts.values(), strict=True))
    fewer = f" ({plan.items} pictures allow no more)" if counted < trials else ""
    print(f"a practice, {counted} trials{fewer} and {checks} attention checks for each viewer")
    print(f"serving at http://{address[0]}:{address[1]}, answers in {answers}; Ctrl-C ends it", flush=True)
    try:
        serve(stored, pictures, *address)
    except OSError as error:
        raise UserError(f"cannot serve at {address[0]}:{address[1]} ({error}): choose another --port") from error


def report(
    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")],
    csv: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    checks_passed: float = 0.8,
    tolerance: float = 250,
) -> None:
    """Results of a study so far, with 95 % intervals: how often hybrids fooled viewers, which methods they preferred.

    Works while the page is served. Left out, and counted: viewers who failed attention checks or stopped before the
    first, and real-or-fake trials that were shown more than once or not for the time they should.

    Args:
        file: of answers, as `swapae study` wrote it.
        csv: .csv file to write, one line for each answer.
        json: .json file to write, all figures.
        checks_passed: share of the attention checks that a viewer must have passed, 0 to 1.
        tolerance: milliseconds by which the time of a picture on the screen may be off.
    """
    check_between("checks-passed", checks_passed, 0, 1)
    check_between("tolerance", tolerance, 0, 3_600_000)
    for output, suffix in ((csv, ".csv"), (json, ".json")):
        if output is not None:
            check_output_file(output, (suffix,))
    made = Report.of(Answers.open(file), checks_passed, tolerance)
    if csv is not None:
        made.save_csv(csv)
    if json is not None:
        made.save_json(json)
    print(made.markdown(), end="")


def methods_of(hybrids: tuple[str, ...]) -> dict[str, Path]:
    """Folders by the methods' names.

    Raises:
        UserError: there is none, or a name is taken or none.
    """
    folders: dict[str, Path] = {}
    for text in hybrids:
        before, equals, after = text.partition("=")
        named = bool(equals) and not Path(text).is_dir()
        name, folder = (before, Path(after)) if named else (Path(text).resolve().name, Path(text))
        if not name.isprintable() or not name.strip() or len(name) > 80:
            raise UserError(f"--hybrids {text!r}: {name!r} cannot be a method's name; write NAME=DIR")
        if name in RESERVED:
            raise UserError(f"--hybrids {text!r}: a method cannot be called {name!r} here; write NAME=DIR")
        if name in folders:
            raise UserError(f"two methods are called {name!r}: write NAME=DIR for one")
        folders[name] = folder
    if not folders:
        raise UserError("--hybrids is missing: give the folder of a method's hybrids")
    return folders


def page_server() -> Callable[..., None]:
    """What serves the page, which alone needs Gradio.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("swapae.evaluation.study.page").serve
    except ModuleNotFoundError as error:
        raise UserError(f"a study's page needs Gradio ({error}): pip install 'swapae[demo]'") from error


def chosen_port(port: int | None) -> int:
    """The port asked for, by option or environment.

    Raises:
        UserError: there is no such port.
    """
    text = os.environ.get("PORT", str(PORT))
    if port is None and not text.isdecimal():
        raise UserError(f"$PORT must be a number, got {text!r:.40}")
    chosen = int(text) if port is None else port
    check_between("port", chosen, 1, 65535)
    return chosen


def check_address(host: str, port: int) -> None:
    """Raise UserError if nothing can be served there, before the file of answers is made."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            # As servers do it: a port that was served at a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"cannot serve at {host}:{port} ({reason}): choose another --port or --host") from error
