"""`python -m swapae`, and `accelerate launch -m swapae` for work that several processes share."""

import sys

from swapae.apps.cli import main

sys.exit(main())
