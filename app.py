"""The page: photographs in, their structures and textures edited, pictures and recipes out.

    python app.py [--port 7860] [--model owner/name] [--allow-model owner/name]

The page itself is in `swapae.apps.page`: `launch` serves it, `page` connects what stands on it (`layout`, `slots`,
`tabs`) with what that does (`handlers`, `studio`).
"""

import os
import sys

# Torch's threads wait for each other asleep. Beside another busy process those that spin, which is the default, made a
# picture take 1 s instead of 0.07 s on two cores; on idle ones it makes no difference. Read when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from swapae.apps.page.launch import LAUNCH, build_demo, main

__all__ = ["LAUNCH", "build_demo", "main"]

if __name__ == "__main__":
    sys.exit(main())
