"""Photographs to train on: where they are, how they are read and cropped, and what is wrong with them."""
