"""Start `train_accelerate.py`, or a command of swapae, in processes of its own."""

import json
import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import wait
from pathlib import Path

from forking import fork
from PIL import Image
from torch.distributed import TCPStore

ROOT = Path(__file__).parents[2]
PRESET = ["--preset", "small128", "--discriminators", "pixels", "--num-workers", "0", "--tracker", "none"]
FEATURES = ["--discriminators", "features", "--noise", "hybrids", "--colour-jitter", "--hide-grain", "0.5"]
FEATURES += ["--structure-noise", "0.4", "--zoom", "--max-gradient-norm", "20"]
# One thread a process, no network.
ENVIRONMENT = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def make_photographs(folder, count=12):
    folder.mkdir()
    for index in range(count):
        Image.effect_noise((150, 140), 20 + 5 * index).convert("RGB").save(folder / f"{index}.png")


def launch(folder, *arguments, processes=1, environment=None):
    """Train in `folder` with `arguments` after those of PRESET."""
    return run_processes(
        folder, ROOT / "train_accelerate.py", *PRESET, *arguments, processes=processes, environment=environment
    )


def run_processes(folder, *program, processes=1, environment=None):
    """Run a script, or -m and a module, in `folder`, in processes that are told of each other as launchers do."""
    environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
    # On a port of the system's choice, as torchrun's; the first process would need one that is known to be free.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{store.port}"}
    meeting |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    meeting |= {"WORLD_SIZE": f"{processes}", "LOCAL_WORLD_SIZE": f"{processes}"}
    program = [str(word) for word in program]
    with tempfile.TemporaryDirectory() as said:
        several = [
            environment | meeting | {"RANK": f"{rank}", "LOCAL_RANK": f"{rank}"} if processes > 1 else environment
            for rank in range(processes)
        ]
        running = [fork(program, folder, own, Path(said)) for own in several]
        status = 0
        while running and not status:
            wait([process.sentinel for process in running])
            status = next((process.exitcode for process in running if process.exitcode), 0)
            running = [process for process in running if process.exitcode is None]
        for process in running:
            process.terminate()  # it would wait for the one that failed
            process.join()
        output, errors = (Path(said, name).read_text() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(program, status, output, errors)


def launch_by_accelerate(folder, *arguments, processes, environment):
    """As `launch`, by Accelerate's own launcher, which ends with status 1 whatever the script's.

    Without --quiet it adds a traceback of its own; and on a CPU, --num_processes alone silently starts one:
    --multi_gpu is its word for several.
    """
    command = [sys.executable, "-m", "accelerate.commands.launch", "--quiet", "--multi_gpu", "--main_process_port", "0"]
    command += ["--num_processes", f"{processes}", "--num_machines", "1", "--mixed_precision", "no"]
    command += ["--dynamo_backend", "no", str(ROOT / "train_accelerate.py"), *PRESET, *arguments]
    environment = {**os.environ, **ENVIRONMENT, **environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def log_lines(run):
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
