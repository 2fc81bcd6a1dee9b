"""Published checkpoints -> `SwapAE` and its discriminators, in memory or as a model folder.

The release stores one flat state dict: prefixes `E.`, `G.`, optionally `D.` and `Dpatch.`, a counter
`num_discriminator_iters`, and the fixed FIR filters as buffers. The configuration is read off the shapes
(`configuration`), the networks are made, and each of their tensors, filters included, must find its one key
(`names`, `weights`); none is left over.

The weights are Adobe Research's, for non-commercial research only; converting them does not change that.
"""

from swapae.convert.checkpoint import (
    DISCRIMINATORS_CONFIG_FILE,
    DISCRIMINATORS_FILE,
    Converted,
    convert_checkpoint,
    convert_official,
    load_discriminators,
    save_discriminators,
)
from swapae.convert.configuration import infer_config, infer_discriminator_config, shortest_decimal
from swapae.convert.weights import COUNTER

__all__ = [
    "COUNTER",
    "DISCRIMINATORS_CONFIG_FILE",
    "DISCRIMINATORS_FILE",
    "Converted",
    "convert_checkpoint",
    "convert_official",
    "infer_config",
    "infer_discriminator_config",
    "load_discriminators",
    "save_discriminators",
    "shortest_decimal",
]
