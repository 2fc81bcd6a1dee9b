"""In place of `swapae.apps.page.training.command`: the same, for a training that samples and saves after one step.

Its directions are measured on one photograph.
"""

import sys

import swapae.apps.cli.own_model as command
import swapae.editing.fitting as fitting
import swapae.training.own_model as own
from swapae.apps.page.training.command import main

command.look_at_machine = lambda: own.Machine("cpu", 1, 1, "no", images_per_second=1.0)
command.choose_start = lambda paths: "flowers"
own.BATCH = 2
fitting.CALIBRATED_ON = 1
own.LOG_SECONDS = own.SAMPLE_SECONDS = own.SAVE_SECONDS = own.BATCH

if __name__ == "__main__":
    sys.exit(main())
