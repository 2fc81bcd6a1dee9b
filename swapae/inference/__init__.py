"""Fast and large: the form of a model for inference, tiles for large pictures, and export to other engines."""

from swapae.inference.fast import optimize_for_inference

__all__ = ["optimize_for_inference"]
