"""An autoencoder of VGG's shape whose poolings lose nothing: Haar wavelets (Yoo et al. 2019, WCT2, section 3).

    python -m benchmarks.baselines.wavelets --data FOLDER -o wavelets.safetensors --minutes 60

trains a small one to reconstruct photographs, for where the published weights are not at hand.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from swapae.backbones import read_tensors
from swapae.data.crops import is_validation
from swapae.errors import UserError
from swapae.evaluation.lpips import LPIPS
from swapae.files import atomic_path
from swapae.pictures.images import load_image, resize_short
from swapae.pictures.listing import list_images

LEVELS = 4
PUBLISHED_WIDTHS = (64, 128, 256, 512)
PUBLISHED_DEPTHS = (2, 2, 4)  # convolutions of each level before its pooling: VGG-19's
SMALL_WIDTHS = (32, 64, 96, 128)
SMALL_DEPTHS = (1, 2, 2)

Change = Callable[[str, Tensor], Tensor]


def haar(x: Tensor) -> tuple[Tensor, Tensor]:
    """Features [B, C, h, w], sides even, to their means LL [B, C, h/2, w/2] and details [B, 3C, h/2, w/2].

    Means have a gain of 2, as have the details LH, HL and HH, so that the transform is orthonormal.
    """
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return (a + b + c + d) / 2, torch.cat([a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2


def bands(low: Tensor, details: Tensor) -> list[Tensor]:
    """What each of LL, LH, HL and HH adds to the features: four of [B, C, h, w], whose sum is the inverse of `haar`."""
    signs = ((1, 1, 1, 1), (1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))
    return [
        F.pixel_shuffle(torch.stack([sign * band / 2 for sign in of], 2).flatten(1, 2), 2)
        for band, of in zip((low, *details.chunk(3, 1)), signs, strict=True)
    ]


class Conv(nn.Conv2d):
    """3x3 with reflected borders, as everywhere in WCT's networks."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, 3, padding=1, padding_mode="reflect")


class WaveletAutoencoder(nn.Module):
    """Encoder to conv4_1 and its mirror image. The details of each pooling skip to the unpooling of its level.

    Args:
        widths: channels of the four levels.
        depths: convolutions of the first three levels.
        concatenate: give the decoder the four bands and the features before pooling side by side, as the paper's
            better variant; or their sum, the features themselves.
    """

    def __init__(
        self,
        widths: Sequence[int] = PUBLISHED_WIDTHS,
        depths: Sequence[int] = PUBLISHED_DEPTHS,
        *,
        concatenate: bool = True,
    ) -> None:
        super().__init__()
        self.depths, self.concatenate = tuple(depths), concatenate
        self.encoder, self.decoder = nn.ModuleDict(), nn.ModuleDict()
        channels = 3
        for level, (width, depth) in enumerate(zip(widths, (*depths, 1), strict=True), 1):
            for number in range(1, depth + 1):
                # The decoder's layer of a name undoes the encoder's; the last of a level takes what unpooling gives.
                entering = width * (5 if concatenate and number == depth and level < LEVELS else 1)
                self.encoder[f"conv{level}_{number}"] = Conv(channels, width)
                self.decoder[f"conv{level}_{number}"] = Conv(entering, channels)
                channels = width

    def forward(self, images: Tensor, change: Change = lambda name, x: x) -> Tensor:
        """Images [B, 3, H, W], sides multiples of 8, encoded and decoded.

        Args:
            images: in [-1, 1].
            change: is given the name and the value of the features after the first convolution of each level (encoder1
                ... encoder4), of what skips from each pooling, details and what they are the details of (details1 and
                features1 ...), and of what the decoder has before its last convolution of each level but the first
                (decoder3, decoder2); and gives what goes on in their place.
        """
        x, kept = images, []
        for level in range(1, LEVELS + 1):
            x = change(f"encoder{level}", F.relu(self.encoder[f"conv{level}_1"](x)))
            if level < LEVELS:
                for number in range(2, self.depths[level - 1] + 1):
                    x = F.relu(self.encoder[f"conv{level}_{number}"](x))
                before = x
                x, details = haar(x)
                kept.append((change(f"features{level}", before), change(f"details{level}", details)))
        x = F.relu(self.decoder["conv4_1"](x))
        for level in range(LEVELS - 1, 0, -1):
            before, details = kept[level - 1]
            parts = bands(x, details)
            x = torch.cat([*parts, before], 1) if self.concatenate else torch.stack(parts).sum(0)
            for number in range(self.depths[level - 1], 1, -1):
                x = F.relu(self.decoder[f"conv{level}_{number}"](x))
            if level > 1:
                x = F.relu(self.decoder[f"conv{level}_1"](change(f"decoder{level}", x)))
        return self.decoder["conv1_1"](x)


def load(path: Path) -> WaveletAutoencoder:
    """An autoencoder from its weights, whose widths and depths are read off them.

    Args:
        path: the file that training here wrote; or a folder with the published encoder and decoder, two files of named
            tensors, whichever their names. Published networks take and give [0, 1], begin with a 1x1 convolution that
            moves colours, and have the filters of their wavelets, which say in which order the bands are.

    Raises:
        UserError: no such file, or not weights of such networks.
    """
    if path.is_dir():
        parts = [
            read_tensors(file) for file in sorted(path.iterdir()) if file.suffix in (".pth", ".pt", ".safetensors")
        ]
        encoders = [part for part in parts if "conv0.weight" in part]
        decoders = [part for part in parts if "conv1_1.weight" in part and "conv0.weight" not in part]
        if len(encoders) != 1 or len(decoders) != 1:
            raise UserError(
                f"{path} should hold WCT2's encoder and its decoder as two files of weights, and nothing else"
            )
        tensors = from_published(encoders[0], decoders[0], str(path))
    elif path.is_file():
        tensors = read_tensors(path)
    else:
        raise UserError(f"there is no {path}: give the folder of WCT2's weights, or the file that training here wrote")
    try:
        widths = [tensors[f"encoder.conv{level}_1.weight"].shape[0] for level in range(1, LEVELS + 1)]
        depths = [sum(f"encoder.conv{level}_{n}.weight" in tensors for n in range(1, 9)) for level in range(1, LEVELS)]
        last = tensors[f"decoder.conv1_{depths[0]}.weight"]
        network = WaveletAutoencoder(widths, depths, concatenate=last.shape[1] == 5 * widths[0])
        network.load_state_dict(tensors)
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{path} has no weights of WCT2's networks: {' '.join(str(error).split())[:200]}") from None
    return network.eval().requires_grad_(False)


def from_published(encoder: dict[str, Tensor], decoder: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The published networks' tensors under the names of `WaveletAutoencoder`, for images in [-1, 1]."""
    try:
        colours, offset = encoder["conv0.weight"].flatten(1), encoder["conv0.bias"]
        first = encoder["conv1_1.weight"]
        weights = {f"encoder.{key}": value for key, value in encoder.items() if not key.startswith(("conv0.", "pool"))}
        weights |= {f"decoder.{key}": value for key, value in decoder.items() if not key.startswith("pool")}
        # conv1_1 of conv0 of (x + 1) / 2 in one: with reflected borders, what mixes channels may go first or last.
        weights["encoder.conv1_1.weight"] = torch.einsum("ocij,cd->odij", first, colours) / 2
        moved = first.sum((2, 3)) @ (offset + colours.sum(1) / 2)
        weights["encoder.conv1_1.bias"] = encoder["conv1_1.bias"] + moved
        weights["decoder.conv1_1.weight"] = 2 * decoder["conv1_1.weight"]
        weights["decoder.conv1_1.bias"] = 2 * decoder["conv1_1.bias"] - 1
        for level in range(1, LEVELS):
            filters = [encoder[f"pool{level}.{band}.weight"][0].flatten() for band in ("LH", "HL")]
            down = torch.tensor([1.0, 1.0, -1.0, -1.0])
            if (filters[0] @ down).abs() < (filters[1] @ down).abs():  # theirs are ours the other way round
                key = f"decoder.conv{level}_{sum(f'conv{level}_{n}.weight' in encoder for n in range(1, 9))}.weight"
                parts = list(weights[key].chunk(5, 1))
                if len(parts) == 5:
                    weights[key] = torch.cat([parts[0], parts[2], parts[1], *parts[3:]], 1)
    except (KeyError, RuntimeError, IndexError) as error:
        raise UserError(f"{name} has no weights of WCT2's networks: {' '.join(str(error).split())[:200]}") from None
    return weights


def reconstruction_loss(network: WaveletAutoencoder, lpips: LPIPS, images: Tensor, finest: int) -> Tensor:
    """Squared differences and LPIPS of images [B, 3, H, W], decoded without what skips on the `finest` levels."""
    gone = {f"{skip}{level}" for skip in ("details", "features") for level in range(1, finest + 1)}
    decoded = network(images, lambda name, value: 0 * value if name in gone else value)
    return (decoded - images).square().mean() + 0.5 * lpips(decoded, images).mean()


def train(network: WaveletAutoencoder, images: Sequence[Tensor], seconds: float) -> list[float]:
    """Teach an autoencoder to reconstruct random crops.

    The paper adds the difference of Gram matrices in its encoder, VGG; an encoder that is trained along could make
    that small by itself, so LPIPS (SqueezeNet) stands in its place. Half of the batches go without what skips on the
    finest levels: a decoder that always has it would never look at what is deep, and there would be nothing for
    stylisation to change.

    Returns:
        The loss of each update.
    """
    lpips = LPIPS("squeeze")
    adam = torch.optim.Adam(network.parameters())
    generator = torch.Generator().manual_seed(0)
    losses: list[float] = []
    begun = time.monotonic()
    with tqdm(total=round(seconds), unit="s", desc="wavelets") as bar:
        while (past := time.monotonic() - begun) < seconds:
            bar.update(round(past) - bar.n)
            for group in adam.param_groups:
                group["lr"] = 1e-3 * (1 - past / seconds)
            crops = torch.cat([cropped(images, 128, generator) for _ in range(8)])
            finest = max(0, int(torch.randint(1 - LEVELS, LEVELS, (), generator=generator)))
            loss = reconstruction_loss(network, lpips, crops, finest)
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
            bar.set_postfix(loss=sum(losses[-50:]) / len(losses[-50:]))
    return losses


def cropped(images: Sequence[Tensor], side: int, generator: torch.Generator) -> Tensor:
    """A random crop [1, 3, side, side] of a random one of images [1, 3, H, W] of uint8, in [-1, 1]."""

    def below(most: int) -> int:
        return int(torch.randint(most, (), generator=generator))

    image = images[below(len(images))]
    top, left = below(image.shape[2] - side + 1), below(image.shape[3] - side + 1)
    return image[:, :, top : top + side, left : left + side].float() / 127.5 - 1


def main() -> None:
    """Train the small autoencoder on the photographs of a folder that are not for validation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, help="file for the weights, .safetensors")
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    torch.manual_seed(0)
    paths = [path for path in list_images(options.data) if not is_validation(path)]
    images = [pixels(path) for path in tqdm(paths, desc="photographs")]
    network = WaveletAutoencoder(SMALL_WIDTHS, SMALL_DEPTHS)
    losses = train(network, images, 60 * options.minutes)
    with atomic_path(options.output) as path:
        save_file(network.state_dict(), path)
    last = losses[-500:]
    print(f"{len(losses):,} updates, loss {sum(last) / len(last):.4f} at the end: {options.output}")


def pixels(path: Path) -> Tensor:
    """A photograph as uint8 [1, 3, H, W], its short side 256."""
    image = resize_short(load_image(path), 256)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]


if __name__ == "__main__":
    main()
