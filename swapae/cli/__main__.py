"""`python -m swapae.cli`."""

import sys

from swapae.cli import main

sys.exit(main())
