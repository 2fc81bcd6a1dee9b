"""Whole numbers divided and rounded up."""


def ceil_div(dividend: int, divisor: int) -> int:
    """`dividend / divisor` rounded up, exactly; the divisor is positive."""
    return -(-dividend // divisor)
