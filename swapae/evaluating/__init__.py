"""The paper's evaluation of a model: reconstructions, hybrids of fixed pairs, sets of both, and how long they take."""

from swapae.evaluating.evaluate import evaluate
from swapae.evaluating.measuring import Measuring, centre_square
from swapae.evaluating.networks import Networks
from swapae.evaluating.page import write_page
from swapae.evaluating.processes import Processes
from swapae.evaluating.results import Results

__all__ = ["Measuring", "Networks", "Processes", "Results", "centre_square", "evaluate", "write_page"]
