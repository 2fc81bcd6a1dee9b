"""Division rounded up."""

from math import ceil

import pytest

from swapae.rounding import ceil_div


@pytest.mark.parametrize("divisor", [1, 3, 16])
def test_it_is_the_least_number_of_parts_that_hold_all(divisor):
    for dividend in range(-20, 50):
        assert ceil_div(dividend, divisor) == ceil(dividend / divisor)


def test_it_is_exact_where_floats_are_not():
    assert ceil_div(10**17 + 1, 10) == 10**16 + 1
    assert ceil_div(2**60, 2**30) == 2**30
