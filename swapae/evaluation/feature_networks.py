"""The networks by whose features sets of images, and single images, are compared; each has the name its figures bear.

Only by Inception's features is a Frechet distance called FID, a kernel distance KID, and that of two single images
SIFID.
"""

from __future__ import annotations

import abc
import importlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from swapae.backbones import read_tensors
from swapae.errors import UserError, first_line
from swapae.evaluation.lpips import LPIPS

WEIGHTS_VARIABLE = "SWAPAE_FID_WEIGHTS"
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_FILE}"


class Features(NamedTuple):
    """Of images: what stands for each as a whole, [B, C], and a map of local ones, [B, c, h, w]."""

    whole: Tensor
    local: Tensor


class FeatureNetwork(abc.ABC):
    """A frozen network, and what distances by its features are called.

    Attributes:
        name: of the network.
        frechet: what `metrics.frechet_distance` of whole features is called.
        kernel: what `metrics.kernel_distance` of whole features is called.
        single: what `metrics.sifid` of local features is called.
        weights: the network, to know its weights by.
    """

    name: str
    frechet: str
    kernel: str
    single: str
    weights: nn.Module

    @abc.abstractmethod
    def __call__(self, images: Tensor) -> Features:
        """Features of images [B, 3, H, W] in [-1, 1], float32."""


class Trunk(FeatureNetwork):
    """The backbone of an LPIPS, where Inception's weights are not at hand.

    Whole features are those of its last compared layer, averaged over places; local ones those of its first, which is
    before the first pooling and has 64 channels, as in SIFID. All are of unit length over their channels.

    Args:
        distance: of which.
        name: of the backbone, for people.
    """

    weights: LPIPS

    def __init__(self, distance: LPIPS, name: str) -> None:
        self.name, self.weights = name, distance
        self.frechet = f"Frechet distance ({name})"
        self.kernel = f"kernel distance ({name})"
        self.single = f"single-image Frechet distance ({name})"

    def __call__(self, images: Tensor) -> Features:
        """Features of images [B, 3, H, W] in [-1, 1]."""
        return self.of_layers(self.weights.features(images))

    @staticmethod
    def of_layers(layers: Sequence[Tensor]) -> Features:
        """Features of what `LPIPS.features` gave, without computing it again."""
        return Features(layers[-1].mean((2, 3)), layers[0])


class Inception(FeatureNetwork):
    """Inception v3 as FID has it, by torch-fidelity: 2048 features after the last pooling, 64 before the first.

    Images are rounded to 8 bits and resized to 299 pixels by torch-fidelity, bilinearly as TensorFlow 1 did.

    Args:
        weights: the file that torch-fidelity publishes (`INCEPTION_URL`) or one of its format. Nothing is ever
            downloaded.

    Raises:
        UserError: torch-fidelity is missing or cannot be imported, or the file is damaged or of another network.
    """

    name, frechet, kernel, single = "Inception", "FID", "KID", "SIFID"

    def __init__(self, weights: str | os.PathLike[str]) -> None:
        tensors = read_tensors(Path(weights))
        try:
            fidelity = importlib.import_module("torch_fidelity")
        except ModuleNotFoundError as error:
            raise UserError(
                f"FID by {weights} needs torch-fidelity ({error}): pip install 'swapae[metrics]'"
            ) from error
        except Exception as error:  # torchvision built for another torch raises RuntimeError, ImportError, OSError
            raise UserError(
                f"FID by {weights} needs torch-fidelity, which cannot be imported ({first_line(error)}): install the "
                "torchvision that belongs to this torch"
            ) from error
        # torch-fidelity would unpickle whatever a file holds: it gets only tensors, which were read without that.
        safe = io.BytesIO()
        torch.save(tensors, safe)
        safe.seek(0)
        try:
            with torch.random.fork_rng(devices=[]):  # its layers draw initial weights
                self.weights = fidelity.FeatureExtractorInceptionV3("inception", ["2048"], safe)
        except RuntimeError as error:
            raise UserError(f"{weights} does not hold torch-fidelity's Inception weights: {error}") from error
        self.weights.get_submodule("Conv2d_2b_3x3").register_forward_hook(self.keep)

    def keep(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Hold the layer's output, which torch-fidelity itself gives only averaged and after pooling."""
        self.local = output

    def __call__(self, images: Tensor) -> Features:
        """Features of images [B, 3, H, W] in [-1, 1]."""
        levels = images.float().clamp(-1, 1).add(1).mul(127.5).add(0.5).to(torch.uint8)
        with torch.autocast(images.device.type, enabled=False):
            (whole,) = self.weights(levels)
        return Features(whole, self.local)


def find_inception(weights: str | os.PathLike[str] | None = None) -> Path | None:
    """The file of Inception's weights, from a path (a file or a folder with one) or the folder SWAPAE_FID_WEIGHTS.

    Returns:
        None if the variable is not set: then Inception is not used.

    Raises:
        UserError: the path or the variable names no such file or folder.
    """
    named = weights if weights is not None else os.environ.get(WEIGHTS_VARIABLE)
    if not named:
        return None
    path = Path(named)
    found = next((file for file in (path, path / INCEPTION_FILE) if file.is_file()), None)
    if found is None:
        origin = "" if weights is not None else f"{WEIGHTS_VARIABLE}: "
        raise UserError(
            f"{origin}{str(path)!r} is neither a file nor a folder with {INCEPTION_FILE}; get it from {INCEPTION_URL}"
        )
    return found
