"""How good a model is: metrics, the paper's evaluation, validation during training, and the human study."""
