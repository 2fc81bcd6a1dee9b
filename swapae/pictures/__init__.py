"""Pictures in and out: safe decoding, colour, sizes, grids, animations and video."""
