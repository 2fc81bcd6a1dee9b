"""Train a swapping autoencoder on a folder of photographs: `swapae.train` as a script.

    accelerate launch train_accelerate.py --data my_photos --output runs/mine

The loop is in `swapae/training/trainer.py`, the settings are in `swapae/training/config.py`.
"""

import sys

from swapae.train import main

if __name__ == "__main__":
    sys.exit(main(prog="train_accelerate.py"))
