"""The card of a model folder, its README.md: what the model is, how to use it, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from swapae.config import SwapAEConfig

# Stands for the repository in a card until the model is pushed.
PLACEHOLDER = "owner/name"
# Ends the cards that we wrote; only those are written over.
CARD_MARK = "<!-- Written by swapae anew at every save: delete this line to keep a text of your own. -->"


def model_card(
    data: ModelCardData,
    config: SwapAEConfig,
    parameters: int,
    metrics: Mapping[str, Any],
    title: str,
    about: str,
) -> ModelCard:
    """The README.md of a model folder, see `SwapAE.generate_model_card`; `upload` fills in the repository."""
    return ModelCard.from_template(
        data,
        template_str=CARD,
        repo=PLACEHOLDER,
        mark=CARD_MARK,
        config=config,
        parameters=f"{parameters:,}",
        metrics=metrics,
        title=title,
        about=about,
    )


CARD = """---
{{ card_data }}
---

# Swapping autoencoder{{ ": " ~ title if title else "" }}

Pick two photographs, get the structure of one in the texture of the other, in one forward pass.
A model for the Python package `swapae` after Park et al.,
[Swapping Autoencoder for Deep Image Manipulation](https://arxiv.org/abs/2007.00653)
(NeurIPS 2020).

{{ about or "Trained with `train_accelerate.py`. Whoever publishes this model describes its data here." }}

## Use

```python
from swapae import SwapAE
from swapae.pictures.images import fit, load_image, to_pil

model = SwapAE.from_pretrained("{{ repo }}")
size = ({{ config.image_size }}, {{ config.stride }}, {{ config.minimum_side }})  # short side, multiple, minimum
structure = fit(load_image("structure.jpg"), *size)
texture = fit(load_image("texture.jpg"), *size)
hybrid = model.swap(structure.tensor, texture.tensor, alpha=1.0)
to_pil(hybrid, structure.size).save("hybrid.png")
```

or `swapae swap structure.jpg texture.jpg -o hybrid.png --model {{ repo }}`.

## Numbers

| | |
|---|---|
| trained at | {{ config.image_size }} pixels |
| structure code | {{ config.structure_channels }} channels at 1/{{ config.stride }} of the side |
| texture code | {{ config.texture_channels }} |
| parameters | {{ parameters }} |
{%- for name, value in metrics.items() %}
| {{ name }} | {{ value }} |
{%- endfor %}

{{ mark }}
"""
