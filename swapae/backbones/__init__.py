"""The ImageNet networks through which pictures are compared and discriminators look, and where their weights are.

SqueezeNet's come with the package (this folder's README.md says from where), since discriminators and the evaluations
of training need them; those that only measure are found on the machine, or downloaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from swapae.errors import UserError

WEIGHTS_VARIABLE = "SWAPAE_LPIPS_WEIGHTS"
PACKAGED = Path(__file__).parent
# The ImageNet mean and deviation, rewritten for pixels in [-1, 1], as LPIPS has them.
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Fire(nn.Module):
    """SqueezeNet's block (arXiv:1602.07360, Fig. 1): a narrow 1x1 layer, then 1x1 and 3x3 side by side."""

    def __init__(self, in_channels: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, narrow, 1)
        self.expand1x1 = nn.Conv2d(narrow, wide, 1)
        self.expand3x3 = nn.Conv2d(narrow, wide, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, 2 * wide, h, w]."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


def alexnet() -> nn.Sequential:
    """AlexNet's convolutions, numbered as in torchvision's `alexnet().features`."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    )


def squeezenet() -> nn.Sequential:
    """SqueezeNet 1.1's convolutions, numbered as in torchvision's `squeezenet1_1().features`."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(Fire(64, 16, 64), Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)),
    )


def vgg16() -> nn.Sequential:
    """VGG-16's convolutions up to relu5_3, numbered as in torchvision's `vgg16().features`."""
    layers: list[nn.Module] = []
    in_channels = 3
    for channels, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [nn.MaxPool2d(2)] if layers else []
        for _ in range(depth):
            layers += [nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU()]
            in_channels = channels
    return nn.Sequential(*layers)


class Backbone(NamedTuple):
    """An ImageNet network without its classifier: its name, how to build it, where its weights are."""

    name: str
    build: Callable[[], nn.Sequential]
    taps: tuple[int, ...]  # indices of the layers whose outputs LPIPS compares, one linear head each
    file: str  # safetensors with torchvision's `features.*` keys and nothing else
    url: str  # torchvision's published weights


BACKBONES = {
    "alex": Backbone(
        "AlexNet",
        alexnet,
        (1, 4, 7, 9, 11),
        "alexnet_features.safetensors",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    ),
    "squeeze": Backbone(
        "SqueezeNet",
        squeezenet,
        (1, 4, 7, 9, 10, 11, 12),
        "squeezenet1_1_features.safetensors",
        "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    ),
    "vgg": Backbone(
        "VGG-16",
        vgg16,
        (3, 8, 15, 22, 29),
        "vgg16_features.safetensors",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
    ),
}


class FrozenBackbone(nn.Module):
    """A backbone with its ImageNet weights, which passes gradients on to its input and has none of its own.

    Args:
        name: one of `BACKBONES`.
        weights: as of `read_weights`.

    Raises:
        UserError: weights absent, damaged or of another network.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, name: str, weights: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        # Meta tensors draw no random numbers: making a metric must not change what a seeded run does next.
        with torch.device("meta"):
            self.layers = BACKBONES[name].build()
        source, tensors = read_weights(name, weights)
        try:
            self.layers.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{source} does not hold the weights of the backbone {name!r}: {reason}") from error
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        self.float().eval().requires_grad_(False)

    def forward(self, images: Tensor, taps: Sequence[int]) -> list[Tensor]:
        """Outputs [B, C, h, w] of the layers numbered `taps`, in their order; images [B, 3, H, W] in [-1, 1]."""
        x = (images.float() - self.shift) / self.scale
        outputs = []
        for index, layer in enumerate(list(self.layers)[: max(taps) + 1]):
            x = layer(x)
            if index in taps:
                outputs.append(x)
        return outputs


def find_weights(net: str, weights: str | os.PathLike[str] | None = None) -> Path | None:
    """The file with the weights of the backbone `net`, looked for as `read_weights` documents; None if not here.

    A path given explicitly must hold them; the environment's folder is only the first place to look.
    """
    folders = [PACKAGED, Path(torch.hub.get_dir(), "checkpoints")]
    if weights is not None:
        folders = [Path(weights)]
    elif os.environ.get(WEIGHTS_VARIABLE):
        folders.insert(0, Path(os.environ[WEIGHTS_VARIABLE]))
    candidates = [path for folder in folders for path in (folder, *(folder / name for name in weights_files(net)))]
    return next((path for path in candidates if path.is_file()), None)


def weights_files(net: str) -> tuple[str, str]:
    """The names under which the weights of a backbone are looked for: ours, and torchvision's."""
    return BACKBONES[net].file, BACKBONES[net].url.rpartition("/")[2]


def read_weights(net: str, weights: str | os.PathLike[str] | None) -> tuple[str, dict[str, Tensor]]:
    """Return where the backbone's weights were found, and the weights by name.

    Args:
        net: one of `BACKBONES`.
        weights: a file (.safetensors, or torchvision's .pth) or a folder holding one. Without it they are looked for in
            the folder that SWAPAE_LPIPS_WEIGHTS names, in this package, then in torch's hub cache, and downloaded last.

    Raises:
        UserError: absent, or damaged.
    """
    backbone = BACKBONES[net]
    found = find_weights(net, weights)
    if found is not None:
        tensors = read_tensors(found)
    elif weights is not None:
        names = " or ".join(weights_files(net))
        raise UserError(f"LPIPS backbone: {weights} is neither a file nor a folder with {names}")
    else:
        try:
            tensors = torch.hub.load_state_dict_from_url(
                backbone.url, map_location="cpu", check_hash=True, weights_only=True
            )
        except Exception as error:  # no network, no room, a proxy's page instead of the file: all end alike
            cache = Path(torch.hub.get_dir(), "checkpoints")
            raise UserError(
                f"LPIPS's backbone weights could not be downloaded from {backbone.url} ({error}). "
                f"Put that file in {cache}, or {backbone.file} in a folder named by {WEIGHTS_VARIABLE}"
            ) from error
    prefix = "features."  # torchvision's files hold the classifier too, which LPIPS does not use
    return str(found or backbone.url), {
        name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)
    }


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors or torch file of named tensors onto the CPU, or raise a UserError that names it."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # reading damaged bytes raises almost anything
        raise UserError(f"{path} is damaged or not a weights file; replace or delete it ({error})") from error
    if not isinstance(tensors, dict):
        raise UserError(f"{path} holds a {type(tensors).__name__}, not named tensors")
    return tensors
