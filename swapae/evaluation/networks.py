"""The networks that measure: LPIPS's backbones whose weights are at hand, and the one that sets are compared by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from swapae.backbones import BACKBONES, find_weights
from swapae.evaluation.feature_networks import FeatureNetwork, Features, Inception, Trunk, find_inception
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.validation import STRUCTURE_LAYER


@dataclass(frozen=True)
class Networks:
    """What a model is measured by.

    Attributes:
        lpips: by backbone; all are measured on reconstructions.
        main: the backbone whose layers structure and texture are measured by.
        sets: by whose features sets, and single images, are compared.
    """

    lpips: dict[str, LPIPS]
    main: str
    sets: FeatureNetwork

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> Networks:
        """Those whose weights are on this machine: AlexNet or else SqueezeNet as the main one, the others beside it.

        Inception only if SWAPAE_FID_WEIGHTS names its weights. If neither AlexNet's nor SqueezeNet's are there,
        AlexNet's are downloaded as `LPIPS` does.

        Raises:
            UserError: which file is missing and where to put it, or which is damaged.
        """
        found = [net for net in BACKBONES if find_weights(net)]
        main = next((net for net in ("alex", "squeeze") if net in found), "alex")
        lpips = {net: LPIPS(net).to(device) for net in dict.fromkeys([main, *found])}
        inception = find_inception()
        sets = Trunk(lpips[main], BACKBONES[main].name) if inception is None else Inception(inception)
        sets.weights.to(device)
        return cls(lpips, main, sets)

    def layers(self, image: Tensor) -> list[Tensor]:
        """The main backbone's layers of an image [1, 3, H, W]."""
        return self.lpips[self.main].features(image)

    def structure(self, layers: Sequence[Tensor]) -> Tensor:
        """The layer that structure is measured by, of `layers`."""
        return layers[STRUCTURE_LAYER]

    def features(self, image: Tensor, layers: Sequence[Tensor]) -> Features:
        """What sets are compared by, of an image whose main layers are known."""
        return self.sets.of_layers(layers) if isinstance(self.sets, Trunk) else self.sets(image)
