"""In place of `swapae.apps.page.training.command`: waits for Ctrl-C, as does what it starts in a session of its own."""

import signal
import subprocess
import sys
from pathlib import Path

signal.signal(signal.SIGINT, signal.default_int_handler)
status = Path(sys.argv[1])
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
status.with_name("pids").write_text(str(other.pid))
try:
    signal.pause()
except KeyboardInterrupt:
    other.kill()
    other.wait()
    status.write_text("130")
