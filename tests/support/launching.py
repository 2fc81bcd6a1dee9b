"""Start `train_accelerate.py` as people do: by Accelerate's launcher, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PRESET = ["--preset", "small128", "--discriminators", "pixels", "--num-workers", "0", "--tracker", "none"]
FEATURES = ["--discriminators", "features", "--noise", "hybrids", "--colour-jitter", "--hide-grain", "0.5"]
FEATURES += ["--structure-noise", "0.4", "--zoom", "--max-gradient-norm", "20"]


def make_photographs(folder, count=12):
    folder.mkdir()
    for index in range(count):
        Image.effect_noise((150, 140), 20 + 5 * index).convert("RGB").save(folder / f"{index}.png")


def launch(folder, *arguments, processes=1, environment=None):
    """Train in `folder` with `arguments` after those of PRESET."""
    return start(
        folder, ROOT / "train_accelerate.py", *PRESET, *arguments, processes=processes, environment=environment
    )


def start(folder, *program, processes=1, environment=None):
    """Run a script, or -m and a module, in `folder`; one thread a process, no network.

    The launcher ends with status 1 whatever the script's; without --quiet it adds a traceback of its own.
    """
    ours = {
        "ACCELERATE_USE_CPU": "true",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    # On a CPU, --num_processes alone silently starts one; --multi_gpu is the launcher's word for several.
    several = ["--multi_gpu", "--main_process_port", "0"] if processes > 1 else []
    command = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--quiet",
        *several,
        "--num_processes",
        str(processes),
    ]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += map(str, program)
    environment = {**os.environ, **ours, **(environment or {})}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def log_lines(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
