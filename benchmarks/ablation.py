"""What each part of the objective is good for: trainings that differ in one thing, from one start, for equal minutes.

    SWAPAE_LPIPS_WEIGHTS=weights/lpips python benchmarks/ablation.py --data flowers256/images --output runs/ablation \
        --minutes 15

The start is an autoencoder that the same preset trains first. Each variant's model is measured by `swapae evaluate` on
the photographs kept out of training. A variant that is there is not trained again, so the command goes on after a stop.
Two tables in Markdown are printed and written beside the runs: these figures after equal minutes, and the runs' own
evaluations after equal images. Beside them lies a sheet of each variant's hybrids.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from swapae.data.crops import is_validation
from swapae.evaluation.pairs import name_below
from swapae.pictures.grids import contact_sheet
from swapae.pictures.listing import list_images
from swapae.pictures.saving import save_image
from swapae.train import main as train
from swapae.training import augment, generator_step
from swapae.training.config import TrainConfig, to_dict
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.estimates import Precision
from swapae.training.own_model import Machine, launch_command, look_at_machine
from swapae.training.trainer import Trainer


def without_shifts() -> None:
    """LPIPS and the discriminators see pictures where they are."""
    generator_step.LARGEST_SHIFT = 0
    kept = augment.shifted

    def unmoved(images: Any, numbers: Any, most: int) -> Any:
        return kept(images, 0 * numbers + 0.5, most)

    augment.shifted = unmoved


def with_two_batches() -> None:
    """The discriminators get a batch, and fakes, of their own, as in the paper."""
    DiscriminatorStep.shares_fakes = property(lambda self: False)  # type: ignore[assignment]
    Trainer.update_by_r1 = lambda self, batch: None  # type: ignore[method-assign]  # theirs need no penalty


@dataclass(frozen=True)
class Variant:
    """What one training has that the others have not.

    Args:
        settings: of `TrainConfig`.
        change: called in its processes, for what no setting says.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    change: Callable[[], None] = lambda: None


VARIANTS = {
    "as it is": Variant(),
    "discriminators of pixels": Variant({"discriminators": "pixels"}),
    "no shifts": Variant(change=without_shifts),
    "grain not hidden": Variant({"hide_grain": 0.0, "structure_noise": 0.0}),
    "grain, colour not hidden": Variant({"hide_grain": 0.0, "structure_noise": 0.0, "colour_jitter": False}),
    "noise in all pictures": Variant({"noise": "random"}),
    "two batches": Variant(change=with_two_batches),
}
# Figures of `swapae evaluate`, and what the table calls them.
COLUMNS = {
    "lpips_alex": "LPIPS",
    "nearer_texture": "nearer in texture, %",
    "nearer_colour": "in colour, %",
    "nearer_structure": "in structure, %",
    "frechet_hybrids": "Frechet",
    "local_pixels_hybrids": "local: pixels",
    "local_layer1_hybrids": "first layer",
    "local_layer2_hybrids": "second layer",
}
GRID_PIXELS = 440  # of a variant's side in the sheet
# Of the runs' own evaluations, and what the table calls them.
OWN = {
    "eval_lpips": "LPIPS (SqueezeNet)",
    "eval_texture": "texture",
    "eval_structure": "structure",
    "eval_local": "local",
}


def folder_of(name: str) -> str:
    """Of a variant's run."""
    return name.replace(" ", "_")


def settings(data: Path, output: Path, precision: Precision, minutes: float) -> TrainConfig:
    """Those that all have in common."""
    return TrainConfig(
        data=str(data.resolve()), output=output.resolve(), preset="small128", minutes=minutes, zoom=True,
        colour_jitter=True, hide_grain=0.1, structure_noise=0.2, noise="hybrids", batch_size=8, lr=0.0015,
        max_gradient_norm=20.0, ema_half_life=500, mixed_precision=precision, num_workers=0, log_every_images=400,
        sample_every_images=2000, eval_every_images=2000, save_every_images=2000, tracker="none",
    )  # fmt: skip


def run(config: TrainConfig, variant: str, machine: Machine) -> None:
    """Train in processes of their own, or go on, or find it done."""
    if (config.output / "done").is_file():
        return
    config.output.parent.mkdir(parents=True, exist_ok=True)
    path = config.output.with_suffix(".json")
    path.write_text(json.dumps(to_dict(config), indent=2))
    command, environment = launch_command(machine, path)
    command[-4:-2] = [__file__, "--train", variant]  # in place of `-m swapae.train`, before its `--config FILE`
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    subprocess.run([sys.executable, *command], env={**os.environ, **environment}, check=True)
    (config.output / "done").touch()


def measured(model: Path, data: Path, names: Path, output: Path) -> dict[str, Any]:
    """`swapae evaluate` of a model."""
    command = ["-m", "swapae", "evaluate", "--data", data, "-o", output, "--model", model, "--list", names]
    subprocess.run([sys.executable, *map(str, command)], check=True)
    figures = json.loads((output / "results.json").read_text())["figures"]
    return {name: figures[name]["value"] for name in COLUMNS}


def newest_grid(samples: Path) -> Image.Image:
    """The last of a run's grids of hybrids."""
    with Image.open(max(samples.glob("*.png"))) as picture:
        return picture.convert("RGB")


def after_equal_minutes(found: dict[str, dict[str, float]]) -> str:
    """Rows of Markdown, one for each variant."""
    lines = ["| | images | " + " | ".join(COLUMNS.values()) + " |", "|---" * (2 + len(COLUMNS)) + "|"]
    for name, figures in found.items():
        cells = [f"{figures[key]:.1f}" if "nearer" in key else f"{figures[key]:.3f}" for key in COLUMNS]
        lines.append(f"| {name} | {figures['images']:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def after_equal_images(logs: dict[str, list[dict[str, float]]]) -> str:
    """Rows of Markdown, one for each variant: its own evaluation at the last count of images that all were measured at.

    Their learning rates have then fallen by different shares, for they fall by the clock.
    """
    evaluations = {name: {line["images"]: line for line in log if "eval_score" in line} for name, log in logs.items()}
    common = set.intersection(*(set(by_images) for by_images in evaluations.values()))
    if not common:
        return "No count of images at which all were evaluated.\n"
    images = max(common)
    lines = [f"| after {images:,} images | " + " | ".join(OWN.values()) + " |", "|---" * (1 + len(OWN)) + "|"]
    for name, by_images in evaluations.items():
        lines.append(f"| {name} | " + " | ".join(f"{by_images[images][key]:.3f}" for key in OWN) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Train, measure and print."""
    if sys.argv[1:2] == ["--train"]:
        VARIANTS[sys.argv[2]].change()
        sys.argv[1:3] = []
        sys.exit(train(sys.argv[1:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15, help="of each variant; the start takes half as long")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    options = parser.parse_args()
    output: Path = options.output
    # Once for all of them: measured again, it might come out otherwise.
    machine = look_at_machine()
    common = settings(options.data, output / "start", machine.precision, options.minutes)
    run(replace(common, losses="autoencoder", minutes=options.minutes / 2), "as it is", machine)
    names = output / "validation.txt"
    kept = [path for path in list_images(options.data) if is_validation(path)]
    names.write_text("".join(f"{name_below(options.data, path)}\n" for path in kept))
    found, logs = {}, {}
    for name in options.only:
        place = output / folder_of(name)
        run(
            replace(common, output=place.resolve(), init=str(output / "start"), **VARIANTS[name].settings),
            name,
            machine,
        )
        logs[name] = [json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()]
        evaluation = output / f"{place.name}_evaluation"
        found[name] = {
            "images": logs[name][-1]["images"],
            **measured(place / "latest", options.data, names, evaluation),
        }
        # After each one, for a stop must not lose what is known.
        tables = f"{after_equal_minutes(found)}\n{after_equal_images(logs)}"
        (output / "tables.md").write_text(tables)
        grids = [(newest_grid(output / folder_of(one) / "samples"), one) for one in found]
        save_image(contact_sheet(grids, GRID_PIXELS, columns=3), output / "grids.jpg")
    print(tables, end="")


if __name__ == "__main__":
    main()
