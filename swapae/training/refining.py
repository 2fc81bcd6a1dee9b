"""The fidelity dial: a few steps by which one photograph's reconstruction comes nearer to it.

An encoder answers at once, and loosely. Steps of descent on the two codes bring most of the photograph back; a small
change of the generator around them (pivotal tuning: Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real
Images") brings more. Both are measured by L1 and LPIPS (SqueezeNet) on crops moved by whole pixels, as in training. The
codes stay near where they began, in so few steps, so hybrids with other textures come no further from those; but they
come nearer to the photograph as well (`docs/fidelity.md`).
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from swapae.codes import Codes, check_probe, misfit, probe_of
from swapae.errors import UserError
from swapae.evaluation.lpips import LPIPS
from swapae.files import cache_folder
from swapae.model import SwapAE
from swapae.tensor_files import read_safetensors, write_safetensors

FORMAT = "swapae refined photograph 1"
# Up to this fidelity the generator stays as it is.
CODES_ONLY = 1 / 3
CODE_STEPS, GENERATOR_STEPS = 14, 16  # at `CODES_ONLY`, and from there to 1
# Of larger rates for the structure code, hybrids lose more of the texture they are to have than the photograph gains.
STRUCTURE_RATE, TEXTURE_RATE, GENERATOR_RATE = 0.03, 0.01, 1e-3
KEPT = 50  # photographs in the cache
SHIFTS = 8  # whole pixels, for SqueezeNet's stride of 2 does not see what falls between its samples


@dataclass(frozen=True)
class RefinedPhotograph:
    """What the dial made of one photograph.

    Attributes:
        codes: structure [1, K, h, w] and texture [1, T].
        changes: by the generator's parameters: what to add to them. Empty where the generator stays as it is.
    """

    codes: Codes
    changes: dict[str, Tensor]

    def model(self, model: SwapAE) -> SwapAE:
        """The model that draws this photograph: itself, or a copy with the changes."""
        if not self.changes:
            return model
        changed = copy.deepcopy(model)
        # It learnt to redraw this photograph with its noise on, which edits of it have.
        changed.config = dataclasses.replace(model.config, noise_in_reconstructions=True)
        with torch.no_grad():
            for name, change in self.changes.items():
                changed.generator.get_parameter(name).add_(change.to(model.device, model.dtype))
        return changed

    def save(self, path: str | os.PathLike[str], model: SwapAE) -> None:
        """Write one file, the changes in half precision; UserError if it cannot be written."""
        tensors = {f"change.{name}": change.half() for name, change in self.changes.items()}
        metadata = {"format": FORMAT, "config": model.config.fingerprint}
        write_safetensors(path, {**tensors, **self.codes._asdict(), "probe": probe_of(model.weight)}, metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: SwapAE) -> RefinedPhotograph:
        """Read what `save` wrote.

        Raises:
            UserError: no such file, a damaged one, or one of another model.
        """
        where = repr(os.fspath(path))
        tensors, metadata = read_safetensors(path, remedy="refine the photograph again")
        if metadata.get("format") != FORMAT or not {"structure", "texture"} <= set(tensors):
            raise UserError(f"{where} holds no refined photograph; give a file that `save` wrote")
        if metadata.get("config") != model.config.fingerprint or not check_probe(
            tensors.pop("probe", None), model.weight
        ):
            raise UserError(f"{where} is of another model; give that one, or refine the photograph again")
        codes = Codes(tensors.pop("structure"), tensors.pop("texture"))
        shapes = {f"change.{name}": value.shape for name, value in model.generator.named_parameters()}
        if misfit(codes, None, model.config) or any(shapes.get(name) != value.shape for name, value in tensors.items()):
            raise UserError(f"{where} is damaged; refine the photograph again")
        changes = {name.removeprefix("change."): value.to(model.device, model.dtype) for name, value in tensors.items()}
        return cls(Codes(*(code.to(model.device, model.dtype) for code in codes)), changes)


def count_steps(fidelity: float) -> tuple[int, int]:
    """How many steps the codes take alone, and how many with the generator, for a fidelity in [0, 1]."""
    alone = round(CODE_STEPS * min(1.0, fidelity / CODES_ONLY))
    return alone, round(GENERATOR_STEPS * max(0.0, fidelity - CODES_ONLY) / (1 - CODES_ONLY))


def refine_once(
    model: SwapAE,
    image: Tensor,
    codes: Codes,
    fidelity: float,
    *,
    noise: int,
    step_done: Callable[[], object],
) -> RefinedPhotograph:
    """As `refine`, or what an earlier call of the same kept in the user's folder for caches."""
    rates = STRUCTURE_RATE, TEXTURE_RATE, GENERATOR_RATE
    digest = hashlib.sha256(repr((count_steps(fidelity), rates, noise)).encode())
    for value in (image, *codes, *model.state_dict().values()):
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    kept = cache_folder() / "refined" / f"{digest.hexdigest()[:32]}.safetensors"
    if kept.is_file():
        try:
            return RefinedPhotograph.load(kept, model)
        except UserError:  # damaged: made anew
            kept.unlink(missing_ok=True)
    refined = refine(model, image, codes, fidelity, noise=noise, step_done=step_done)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        refined.save(kept, model)
        for old in sorted(kept.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (OSError, UserError):
        pass  # where nothing can be kept, it is made again
    return refined


def refine(
    model: SwapAE,
    image: Tensor,
    codes: Codes,
    fidelity: float,
    *,
    noise: int = 0,
    network: LPIPS | None = None,
    step_done: Callable[[], object] = lambda: None,
) -> RefinedPhotograph:
    """Bring the reconstruction of one photograph nearer to it.

    Args:
        model: in float32; not changed.
        image: [1, 3, H, W] in [-1, 1].
        codes: its codes.
        fidelity: 0 leaves them as they are, 1 takes `CODE_STEPS` and `GENERATOR_STEPS`.
        noise: seed with which the picture will be decoded.
        network: LPIPS to measure by; SqueezeNet's, of the package, if not given.
        step_done: called after each step.

    Raises:
        ValueError: a fidelity outside [0, 1], or more than one photograph.
    """
    if not 0 <= fidelity <= 1:
        raise ValueError(f"expected a fidelity in 0 to 1, got {fidelity}")
    if len(image) != 1:
        raise ValueError(f"expected one photograph, got {len(image)}")
    alone, together = count_steps(fidelity)
    with torch.inference_mode(False), torch.enable_grad():
        # Copies: what was made without gradients can take none.
        structure, texture = (code.clone().requires_grad_() for code in codes)
        image = image.clone()
        tuned = copy.deepcopy(model).requires_grad_(False)
        distance = network or LPIPS("squeeze").to(image.device)
        chance = torch.Generator().manual_seed(0)
        rates = [{"params": [structure], "lr": STRUCTURE_RATE}, {"params": [texture], "lr": TEXTURE_RATE}]
        optimizer = torch.optim.Adam(rates, betas=(0.9, 0.99))
        before = dict(model.generator.named_parameters())
        for step in range(alone + together):
            if step == alone:
                parameters = list(tuned.generator.requires_grad_(True).parameters())
                optimizer.add_param_group({"params": parameters, "lr": GENERATOR_RATE})
            optimizer.zero_grad()
            made = tuned.decode(Codes(structure, texture), noise=noise)
            down, right = torch.randint(0, SHIFTS, (2,), generator=chance).tolist()
            crops = [picture[:, :, down:, right:] for picture in (made, image)]
            (distance(*crops).mean() + (crops[0] - crops[1]).abs().mean()).backward()
            optimizer.step()
            step_done()
        refined = Codes(structure.detach(), texture.detach())
        # As a file holds them, so that it draws the same picture.
        changes = {
            name: (value - before[name]).detach().half().to(value.dtype)
            for name, value in tuned.generator.named_parameters()
        }
    return RefinedPhotograph(refined, changes if together else {})
