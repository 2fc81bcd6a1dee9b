"""LPIPS v0.1, the learned perceptual distance of Zhang et al. 2018 (arXiv:1801.03924), in plain torch.

Equal to the `lpips` package to the bit, without importing it: that package needs torchvision, whose wheels
do not import beside every build of torch. Only its linear heads (11 kB, BSD-2-Clause) are read, as a file.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from swapae.errors import UserError

WEIGHTS_VARIABLE = "SWAPAE_LPIPS_WEIGHTS"
SMALLEST_SIDE = 32  # below it AlexNet's last pooling has nothing left to pool


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


class Trunk(NamedTuple):
    """An ImageNet backbone: its name, how to build it, which layers LPIPS compares, where its weights are."""

    name: str
    build: Callable[[], nn.Sequential]
    taps: tuple[int, ...]  # indices of the layers whose outputs are compared, one linear head each
    file: str  # safetensors with torchvision's `features.*` keys and nothing else
    url: str  # torchvision's published weights


TRUNKS = {
    "alex": Trunk(
        "AlexNet",
        alexnet,
        (1, 4, 7, 9, 11),
        "alexnet_features.safetensors",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    ),
    "squeeze": Trunk(
        "SqueezeNet",
        squeezenet,
        (1, 4, 7, 9, 10, 11, 12),
        "squeezenet1_1_features.safetensors",
        "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    ),
    "vgg": Trunk(
        "VGG-16",
        vgg16,
        (3, 8, 15, 22, 29),
        "vgg16_features.safetensors",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
    ),
}


class LPIPS(nn.Module):
    """Perceptual distance between images: 0 for equal ones, about 0.1 to 0.8 for visibly different ones.

    A frozen module that passes gradients on to its inputs: it serves as a metric and as a training loss.

    Args:
        net: the backbone. "alex" is the usual metric, "vgg" the usual training loss, "squeeze" the small one.
        weights: the backbone's weights: a file (.safetensors, or torchvision's .pth) or a folder holding one.
            Without it they are looked for in the folder that SWAPAE_LPIPS_WEIGHTS names, then in torch's hub
            cache, and downloaded last.

    Raises:
        UserError: an unknown `net`, no `lpips` package to read the heads from, or weights absent or damaged.

    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, net: Literal["alex", "squeeze", "vgg"] = "alex", weights: str | os.PathLike[str] | None = None
    ) -> None:
        super().__init__()
        if net not in TRUNKS:
            raise UserError(f"LPIPS has no backbone {net!r}; choose one of {', '.join(TRUNKS)}")
        self.taps = TRUNKS[net].taps
        # Meta tensors draw no random numbers: making a metric must not change what a seeded run does next.
        with torch.device("meta"):
            self.trunk = TRUNKS[net].build()
        source, tensors = read_trunk(net, weights)
        try:
            self.trunk.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            message = f"{source} does not hold the weights of LPIPS's backbone {net!r}: {error}"
            raise UserError(message) from error
        self.heads = nn.ParameterList(read_heads(net, len(self.taps)))
        # The ImageNet mean and deviation, rewritten for pixels in [-1, 1] (lpips.ScalingLayer).
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.float().eval().requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of each pair of images, in float32 whatever autocast says.

        Args:
            a: images [B, 3, H, W] in [-1, 1], each side at least 32.
            b: as many images of the same size.

        Returns:
            Distances [B].

        Raises:
            UserError: a shape other than these.

        """
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[2:]) < SMALLEST_SIDE:
            raise UserError(
                f"LPIPS compares two batches [B, 3, H, W] of one shape, sides of at least {SMALLEST_SIDE}, "
                f"got {list(a.shape)} and {list(b.shape)}"
            )
        # Squared differences of unit vectors vanish in half precision; the published numbers are float32's.
        with torch.autocast(a.device.type, enabled=False):
            distance = torch.zeros(len(a), device=a.device)
            for head, fa, fb in zip(self.heads, self.features(a), self.features(b), strict=True):
                distance = distance + F.conv2d((fa - fb) ** 2, head).mean((1, 2, 3))
            return distance

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the compared layers' outputs for images [B, 3, H, W], of unit length over their channels."""
        x = (images.float() - self.shift) / self.scale
        features = []
        for index, layer in enumerate(self.trunk):
            x = layer(x)
            if index in self.taps:
                # Where all channels are 0 the root sends NaN back, and the ReLU just before drops it.
                features.append(x / ((x**2).sum(1, keepdim=True).sqrt() + 1e-10))
        return features


def read_heads(net: str, count: int) -> list[Tensor]:
    """Read the `count` linear heads [1, C, 1, 1] of `net` out of the installed `lpips` package's files."""
    spec = importlib.util.find_spec("lpips")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("LPIPS needs the `lpips` package for its linear heads: pip install lpips")
    path = Path(spec.submodule_search_locations[0], "weights", "v0.1", f"{net}.pth")
    tensors = read_tensors(path)
    try:
        return [tensors[f"lin{i}.model.1.weight"] for i in range(count)]
    except KeyError as error:
        raise UserError(f"{path} lacks LPIPS's linear head {error}; reinstall the `lpips` package") from error


def find_trunk(net: str, weights: str | os.PathLike[str] | None = None) -> Path | None:
    """The file on this machine with the weights of the backbone `net`, looked for as `LPIPS` documents; None if absent.

    A path given explicitly must hold them; the environment's folder is only the first place to look.
    """
    cache = Path(torch.hub.get_dir(), "checkpoints")
    folders = [cache]
    if weights is not None:
        folders = [Path(weights)]
    elif os.environ.get(WEIGHTS_VARIABLE):
        folders = [Path(os.environ[WEIGHTS_VARIABLE]), cache]
    candidates = [path for folder in folders for path in (folder, *(folder / name for name in trunk_files(net)))]
    return next((path for path in candidates if path.is_file()), None)


def trunk_files(net: str) -> tuple[str, str]:
    """The names under which the weights of a backbone are looked for: ours, and torchvision's."""
    return TRUNKS[net].file, TRUNKS[net].url.rpartition("/")[2]


def read_trunk(net: str, weights: str | os.PathLike[str] | None) -> tuple[str, dict[str, Tensor]]:
    """Return where the backbone's weights were found, and the weights by name; downloads them last."""
    trunk = TRUNKS[net]
    found = find_trunk(net, weights)
    if found is not None:
        tensors = read_tensors(found)
    elif weights is not None:
        names = " or ".join(trunk_files(net))
        raise UserError(f"LPIPS backbone: {weights} is neither a file nor a folder with {names}")
    else:
        try:
            tensors = torch.hub.load_state_dict_from_url(
                trunk.url, map_location="cpu", check_hash=True, weights_only=True
            )
        except Exception as error:  # no network, no room, a proxy's page instead of the file: all end alike
            cache = Path(torch.hub.get_dir(), "checkpoints")
            raise UserError(
                f"LPIPS's backbone weights could not be downloaded from {trunk.url} ({error}). "
                f"Put that file in {cache}, or {trunk.file} in a folder named by {WEIGHTS_VARIABLE}"
            ) from error
    prefix = "features."  # torchvision's files hold the classifier too, which LPIPS does not use
    return str(found or trunk.url), {
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
