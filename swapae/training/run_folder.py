"""The folder of a training run: log, sample grids, checkpoints, the EMA of the model so far and the best one.

config.json   what the run was started with
log.jsonl     a line for each --log-every-images, and one for each evaluation
samples/      grids of swaps
checkpoints/  what a run goes on from
latest/       the EMA of the model in the Hub's form
best/         the one with the lowest score of all evaluations
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swapae.codes import Codes
from swapae.config import DiscriminatorConfig, DiscriminatorKind, Preset, SwapAEConfig
from swapae.errors import UserError, first_line
from swapae.files import atomic_path
from swapae.model import DEFAULT_NOISE_SEED, SwapAE
from swapae.pictures.grids import swap_grid
from swapae.pictures.images import Fitted, to_pil
from swapae.pictures.saving import save_image
from swapae.training.checkpoints import Checkpoint, list_checkpoints, load_checkpoint, load_newest, save_checkpoint

CONFIG_FILE = "config.json"
LOG_FILE = "log.jsonl"
SAMPLES = 4
# What makes a run another run: to go on with other ones is hardly ever meant.
IDENTITY = ("data", "preset", "resolution", "seed")


class RunFolder:
    """What a run keeps on the disk. Only the main process writes; all of them read.

    Args:
        folder: of the run; made if missing.
        settings: plain values, written to config.json for `--config`.
        preset: sizes of the networks; a checkpoint of other sizes is refused.
        examples: pictures of the sample grids.
        networks: by name, with "ema" among them; unwrapped.
        optimizers: by name; whatever has `state_dict` and `load_state_dict`.
        keep: checkpoints that are kept.
        unseen: training sees none of the photographs that are evaluated.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        preset: Preset,
        examples: list[Fitted],
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, Any],
        keep: int,
        unseen: bool = True,
    ) -> None:
        self.folder, self.settings, self.keep, self.unseen = folder, settings, keep, unseen
        self.networks, self.optimizers = networks, optimizers
        self.ema: SwapAE = networks["ema"]  # type: ignore[assignment]
        sizes = [dataclasses.asdict(preset.model), dataclasses.asdict(preset.discriminators)]
        # Runs of before there were other kinds have two entries.
        self.sizes = json.dumps(sizes if preset.kind == "pixels" else [*sizes, preset.kind])
        self.sharing = "half of them for either side" if preset.kind == "pixels" else "each for both sides"
        self.best = math.inf  # score of best/
        self.figures: dict[str, float] = {}  # of the newest evaluation
        self._terms: dict[str, list[Tensor]] = {}
        self._examples = examples
        self._logged: tuple[int, float] | None = None

    # ------------------------------------------------------------ start

    def resume(self, choice: str) -> tuple[int, int, float]:
        """Load a checkpoint into networks and optimizers.

        Args:
            choice: "auto", the newest that is whole; "never"; or the folder of a checkpoint.

        Returns:
            Step, images seen, and seconds taken (0 by a version that did not count them); (0, 0, 0) for a new run.

        Raises:
            UserError: "never" on a folder that has a run, or a checkpoint that is damaged or of other sizes.
        """
        checkpoints = self.folder / "checkpoints"
        if choice == "never":
            if list_checkpoints(checkpoints):
                raise UserError(f"{self.folder} holds a run already: give another --output, or --resume auto to go on")
            return 0, 0, 0.0
        checkpoint = load_newest(checkpoints) if choice == "auto" else load_checkpoint(Path(choice))
        if checkpoint is None:
            return 0, 0, 0.0
        if read_sizes(checkpoint.counters) != read_sizes({"sizes": self.sizes}):
            raise UserError(
                f"the checkpoint in {self.folder} is of another --preset, --resolution, --crop or --discriminators: "
                "give that one, or another --output, and start from it with --init"
            )
        try:
            for name, network in self.networks.items():
                network.load_state_dict(checkpoint.weights[name])
            for name, optimizer in self.optimizers.items():
                if name == "scaler" and name not in checkpoint.optimizers:
                    continue  # the run was in another precision until now
                optimizer.load_state_dict(checkpoint.optimizers[name])
        except (RuntimeError, KeyError, ValueError) as error:
            raise UserError(
                f"the checkpoint in {self.folder} does not fit the networks of this version ({first_line(error)}): "
                "give another --output, and start from it with --init"
            ) from None
        counters = checkpoint.counters
        self.best, self.figures = counters["best"] or math.inf, counters["figures"]
        return counters["step"], counters["images_seen"], counters.get("seconds", 0.0)

    def begin(self, images_seen: int) -> None:
        """Make the folder, write config.json, and drop log lines past the point the run goes on from."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.folder / CONFIG_FILE) as path:  # a kill while writing leaves the one before
                path.write_text(json.dumps(dict(self.settings), indent=2) + "\n")
            (self.folder / "samples").mkdir(exist_ok=True)
            log = self.folder / LOG_FILE
            if log.exists():
                lines = [line for line in log.read_text().splitlines() if line.endswith("}")]
                kept = [line for line in lines if json.loads(line)["images"] <= images_seen]
                with atomic_path(log) as path:
                    path.write_text("".join(line + "\n" for line in kept))
        except OSError as error:
            raise UserError(f"cannot write the run folder {self.folder} ({error.strerror}): give another") from None

    # ------------------------------------------------------------ while it runs

    def record(self, terms: Mapping[str, Tensor]) -> None:
        """Keep a step's terms for the log, without waiting for the device."""
        for name, value in terms.items():
            self._terms.setdefault(name, []).append(value.detach())

    def means(self, reduce: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Mean of each term since the last call.

        Args:
            reduce: averages a tensor over all processes, which call this together.

        Raises:
            UserError: one is not finite.
        """
        if not self._terms:
            return {}
        together = reduce(torch.stack([torch.stack(values).mean() for values in self._terms.values()]))
        means = dict(zip(self._terms, together.tolist(), strict=True))
        self._terms.clear()
        if broken := [name for name, mean in means.items() if not math.isfinite(mean)]:
            raise UserError(
                f"the loss {broken[0]} is no longer finite: the last good checkpoint is in {self.folder}; "
                "go on from it with a lower --lr or without half precision"
            )
        return means

    def log(self, means: Mapping[str, float], images_seen: int, lr: float) -> dict[str, float]:
        """Append a line to the log, and return it: terms, learning rate, speed and memory."""
        now = time.monotonic()
        line = {name: round(mean, 5) for name, mean in means.items()}
        line["lr"] = lr
        if self._logged is not None:
            line["images_per_second"] = round((images_seen - self._logged[0]) / (now - self._logged[1]), 2)
        self._logged = (images_seen, now)
        line["memory_mib"] = round(peak_memory() / 2**20)
        self._append(line, images_seen)
        return line

    @torch.no_grad()
    def sample(self, images_seen: int) -> Any:
        """Write and return a grid of swaps between photographs not trained on; its diagonal reconstructs."""
        device = next(self.ema.parameters()).device
        codes = [self.ema.encode(example.tensor.to(device)) for example in self._examples]

        def picture(structure: Codes, texture: Codes) -> Tensor:
            noise = self.ema.reconstruction_noise() if structure is texture else DEFAULT_NOISE_SEED
            return self.ema.decode(Codes(structure.structure, texture.texture), noise=noise)

        hybrids = [
            [to_pil(picture(a, b), example.size) for b in codes]
            for a, example in zip(codes, self._examples, strict=True)
        ]
        inputs = [to_pil(example.tensor, example.size) for example in self._examples]
        grid = swap_grid(inputs, inputs, hybrids, self.ema.config.image_size)
        save_image(grid, self.folder / "samples" / f"{images_seen:09d}.png")
        return grid

    def evaluate(self, evaluation: Callable[[SwapAE], dict[str, float]], images_seen: int) -> dict[str, float]:
        """Evaluate the EMA, append a line to the log, and keep the model in best/ if it is the best yet."""
        self.figures = {f"eval_{name}": round(value, 4) for name, value in evaluation(self.ema).items()}
        if not self.unseen:
            self.figures["eval_trained_on"] = 1.0
        self._append(self.figures, images_seen)
        if self.figures["eval_score"] < self.best:
            self.best = self.figures["eval_score"]
            self.ema.save_pretrained(self.folder / "best", model_card_kwargs=self.card(images_seen))
        return self.figures

    def save(self, step: int, images_seen: int, seconds: float) -> None:
        """Write a checkpoint, then the EMA."""
        best = self.best if math.isfinite(self.best) else None  # JSON has no infinity
        counters = {"step": step, "images_seen": images_seen, "seconds": seconds, "best": best, "figures": self.figures}
        checkpoint = Checkpoint(
            {**counters, "sizes": self.sizes},
            {name: network.state_dict() for name, network in self.networks.items()},
            {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        )
        save_checkpoint(self.folder / "checkpoints", step, checkpoint, self.keep)
        self.ema.save_pretrained(self.folder / "latest", model_card_kwargs=self.card(images_seen))

    def push(self, repo: str, images_seen: int) -> str:
        """Upload the EMA to the Hugging Face Hub, where it is private unless it is there already.

        Raises:
            UserError: not allowed, or not reachable.
        """
        return self.ema.push_to_hub(
            repo, commit_message=f"{images_seen} images", private=True, model_card_kwargs=self.card(images_seen)
        )

    def card(self, images_seen: int) -> dict[str, Any]:
        """What the model's card says: how it was trained, and what the newest evaluation measured."""
        settings = self.settings
        shares = "without discriminators" if settings["losses"] == "autoencoder" else self.sharing
        about = (
            f"Trained with `train_accelerate.py --preset {settings['preset']}` on {images_seen:,} images in batches of "
            f"{settings['batch_size']}, {shares}. Whoever publishes this model describes its photographs here."
        )
        return {"title": self.folder.name, "about": about, "metrics": card_metrics(self.figures)}

    def _append(self, line: Mapping[str, float], images_seen: int) -> None:
        try:
            with open(self.folder / LOG_FILE, "a") as file:
                file.write(json.dumps({"images": images_seen, **line}) + "\n")
        except OSError as error:
            raise UserError(
                f"cannot write {self.folder / LOG_FILE} ({error.strerror}); the run stops here and can go on from its "
                "newest checkpoint once there is room"
            ) from None


def card_metrics(figures: Mapping[str, float]) -> dict[str, float]:
    """What a card says of an evaluation, a line of the log, in words."""
    photographs = "photographs that it was trained on" if "eval_trained_on" in figures else "validation photographs"
    names = {
        "eval_lpips": f"LPIPS (SqueezeNet) of reconstructions, {photographs}",
        "eval_structure": "distance in structure of hybrids, 1 being that of unrelated photographs",
        "eval_texture": "distance in texture of hybrids, 1 being that of unrelated photographs",
    }
    return {text: figures[name] for name, text in names.items() if name in figures}


def read_sizes(counters: Mapping[str, Any]) -> tuple[SwapAEConfig, DiscriminatorConfig, DiscriminatorKind]:
    """What the networks of a checkpoint are, from its counters."""
    model, discriminators, *kind = json.loads(counters["sizes"])
    return SwapAEConfig(**model), DiscriminatorConfig(**discriminators), kind[0] if kind else "pixels"


def peak_memory() -> int:
    """Bytes of the device's allocator at its peak, or of the process without one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        import psutil  # comes with Accelerate

        return psutil.Process().memory_info().peak_wset
    import resource  # not on Windows

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def check_output(folder: Path, data: str, settings: Mapping[str, Any], chosen: bool) -> None:
    """Look at an output folder before anything is computed.

    Args:
        folder: given as --output.
        data: given as --data.
        settings: of the run that is to start, or to go on.
        chosen: whether a checkpoint was named, so that other settings than the run's are meant.

    Raises:
        UserError: it holds something else than a run, or another run; it lies within the photographs, which its
            samples would become; or it cannot be written.
    """
    path = folder / CONFIG_FILE
    # A run killed while it wrote its first file has left nothing but that, unfinished, under a hidden name.
    occupied = folder.is_dir() and any(not child.name.startswith(".") for child in folder.iterdir())
    if folder.is_file() or (occupied and not path.is_file()):
        raise UserError(f"{folder} holds something else than a run: give a new folder as --output")
    if Path(data).is_dir() and Path(data).resolve() in (folder.resolve(), *folder.resolve().parents):
        raise UserError(f"{folder} lies within the photographs, {data}: give an --output outside")
    if not os.access(next(parent for parent in (folder, *folder.absolute().parents) if parent.exists()), os.W_OK):
        raise UserError(f"{folder} cannot be written: give another --output")
    if path.is_file() and not chosen:
        try:
            before = json.loads(path.read_text())
            differs = [name for name in IDENTITY if name in before and before[name] != settings[name]]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} is not a run's ({error}): give another --output") from None
        if differs:
            name = differs[0]
            raise UserError(
                f"{folder} holds another run, of --{name} {before[name]} and not {settings[name]}: give another "
                "--output, or name its checkpoint with --resume to go on from it all the same"
            )
