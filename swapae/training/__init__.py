"""Training: steps, loop, what the discriminators and the encoder see, and the folder of a run."""
