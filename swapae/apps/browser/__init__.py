"""A page of plain files that swaps in the visitor's browser: no server computes anything, no photograph leaves it."""
