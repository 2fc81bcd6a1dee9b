"""`swapae train`: a model of one's own, from a folder of photographs and a number of minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from swapae.apps.cli.checks import check_between
from swapae.config import PRESETS
from swapae.data.check import check, check_clean_folder, write_clean
from swapae.data.picture_files import import_optional
from swapae.data.sources import StreamSource, open_source
from swapae.editing.directions import FILE
from swapae.editing.fitting import FEWEST, make_directions
from swapae.errors import Interrupted, UserError
from swapae.files import atomic_path
from swapae.model import SwapAE
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images
from swapae.training.checkpoints import list_checkpoints
from swapae.training.config import TrainConfig, to_dict
from swapae.training.own_model import (
    PRESET,
    SMALLEST,
    Machine,
    check_enough,
    launch_command,
    left_out,
    look_at_machine,
    nearest_model,
    settings,
)
from swapae.training.run_folder import CONFIG_FILE, LOG_FILE, card_metrics

PHOTOGRAPHS, RUN = "photographs", "run"  # folders beside the model
SHORTEST, LONGEST = 1, 7 * 24 * 60  # minutes


def train(
    photographs: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DIR")],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="MODEL_DIR")],
    minutes: float = 30.0,
    start: Annotated[str | None, tyro.conf.arg(metavar="MODEL")] = None,
    workers: int = os.cpu_count() or 1,
) -> None:
    """A model of your own: trained on a folder of photographs, for so many minutes, with every setting chosen.

    It starts from the model that comes with swapae and redraws your photographs best. 20 photographs of one kind of
    subject are needed, some hundred are better. A stopped training goes on by the same command, and a finished one
    with more --minutes. To choose the settings yourself, see `swapae train --data DIR --help`.

    Args:
        photographs: folder of them, searched recursively; not changed.
        output: folder for the model; `--model` takes it. In its folder `run`, a grid of hybrids every half minute and
            the log; in `photographs`, the small copies that are trained on.
        minutes: of training in all.
        start: a model to start from instead: folder, owner/name on the Hugging Face Hub, or a name.
        workers: processes that look through the photographs.
    """
    check_between("minutes", minutes, SHORTEST, LONGEST)
    check_between("workers", workers, 0, 256)
    import_optional("accelerate", "train")  # which its processes need, once the photographs were looked through
    run, copies = output / RUN, output / PHOTOGRAPHS
    check_folder(output)
    prepare(photographs, copies, workers)
    paths = list_images(copies)
    if list_checkpoints(run / "checkpoints"):
        begun = json.loads((run / CONFIG_FILE).read_text())["init"]
    else:
        begun = start or choose_start(paths)
    machine = look_at_machine()
    config = settings(copies, run, begun, minutes, machine)
    expect(len(paths), begun, minutes, machine)
    write_settings(config)
    status = launch(machine, run)
    there = finish(output, run, paths, minutes, begun, complete=status == 0)
    if status == signal.SIGINT:
        has = f"{output} has the best model so far" if there else "there is no model yet"
        raise Interrupted(f"stopped; {has}, and the same command goes on from there")
    if status:
        raise UserError("the training ended, and says why above; the same command goes on from the newest checkpoint")
    print(f"{output}: try it with `swapae swap a.jpg b.jpg -o hybrid.png --model {output}`")


def check_folder(output: Path) -> None:
    """Raise UserError unless a folder is new, empty, or of an earlier call."""
    if output.is_file() or (output.is_dir() and any(output.iterdir()) and not (output / PHOTOGRAPHS).is_dir()):
        raise UserError(f"{str(output)!r} holds something else than a model of `swapae train`: give a new folder")


def prepare(folder: str, copies: Path, workers: int) -> None:
    """Copy the usable photographs at the model's size, and say of each other one why it is left out.

    Raises:
        UserError: too few are usable; nothing is written then.
    """
    source = open_source(folder)
    if isinstance(source, StreamSource):
        raise UserError(f"{folder!r} is a stream: give a folder of photographs")
    report = check(source, SMALLEST, workers)
    for name, reason in left_out(report):
        print(f"left out: {name}: {reason}", file=sys.stderr)
    check_enough(len(report.kept), folder)
    check_clean_folder(source, copies)
    copied = set(write_clean(source, report.kept, copies, PRESETS[PRESET].model.image_size, workers))
    for path in list_images(copies):
        if path not in copied:  # of an earlier call, whose photograph is gone
            path.unlink()


def choose_start(paths: list[Path]) -> str:
    """The nearest of the models that come with swapae, with a line on stderr where there was a choice."""
    name, distances = nearest_model(paths)
    if len(distances) > 1:
        figures = ", ".join(f"{other} {distance:.2f}" for other, distance in distances.items())
        print(f"distance in texture to what each model makes of the photographs: {figures}", file=sys.stderr)
    return name


def expect(count: int, start: str, minutes: float, machine: Machine) -> None:
    """Say what is about to happen."""
    images = round(60 * minutes * machine.images_per_second, -2)
    one, several = ("GPU", "GPUs") if machine.device == "cuda" else ("process", "processes")
    print(
        f"{count} photographs, from the model {start}, on {machine.processes} "
        f"{one if machine.processes == 1 else several}: some "
        f"{machine.images_per_second:.2g} images/s, so about {images:,.0f} in {minutes:g} minutes. Colours follow "
        "first, materials after some thousands, and fine detail last.",
        file=sys.stderr,
    )


def write_settings(config: TrainConfig) -> None:
    """Where the training reads them."""
    try:
        config.output.mkdir(parents=True, exist_ok=True)
        with atomic_path(config.output / CONFIG_FILE) as path:
            path.write_text(json.dumps(to_dict(config), indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write the folder {str(config.output)!r} ({error.strerror}): give another") from None


def launch(machine: Machine, run: Path) -> int:
    """Train in processes of their own; their exit status, SIGINT's number if they were asked to stop."""
    command, environment = launch_command(machine, run / CONFIG_FILE)
    process = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment})
    interrupted = False
    while True:
        try:
            status = process.wait()
            return signal.SIGINT if interrupted else status
        except KeyboardInterrupt:  # the terminal told them too
            interrupted = True


def finish(output: Path, run: Path, paths: list[Path], minutes: float, start: str, *, complete: bool) -> bool:
    """Put the model into the folder itself, with a card: the best of a stopped training, the last of a complete one.

    A learning rate that falls to 0 calms pictures more than a score by a few photographs can tell. Directions are made
    of complete ones alone.

    Returns:
        Whether there was one.
    """
    names = ("latest", "best") if complete else ("best", "latest")
    folder = next((run / name for name in names if (run / name / "config.json").is_file()), None)
    if folder is None:
        return False
    model = SwapAE.from_pretrained(folder)
    lines = [json.loads(line) for line in (run / LOG_FILE).read_text().splitlines()]
    evaluated = [line for line in lines if "eval_score" in line]
    chosen: dict[str, float] = {}
    if evaluated:
        chosen = evaluated[-1] if complete else min(evaluated, key=lambda line: line["eval_score"])
    card = {
        "title": output.resolve().name,
        "about": f"Trained with `swapae train` for up to {minutes:g} minutes on {len(paths)} photographs, from the "
        f"model {start}. Whoever publishes this model describes its photographs here.",
        "metrics": card_metrics(chosen),
    }
    (output / FILE).unlink(missing_ok=True)  # of other weights
    model.save_pretrained(output, model_card_kwargs=card)
    if complete and len(paths) >= FEWEST:
        fitted = (
            fit(load_image(path), model.config.image_size, model.config.stride, model.config.minimum_side).tensor
            for path in tqdm(paths, desc="directions", unit="picture")
        )
        make_directions(model, fitted).save(output / FILE, model)
    return True
