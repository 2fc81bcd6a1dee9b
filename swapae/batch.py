"""`accelerate launch -m swapae.batch swap ...`: the command line, in several processes that share many pictures."""

import sys

from swapae.cli import main

if __name__ == "__main__":
    sys.exit(main())
