"""How the page bears its visitors: `python benchmarks/load.py`.

Starts app.py by itself and talks to it over HTTP, as browsers do: each visitor uploads two photographs once, then
moves the strength and fetches the picture. First one visitor alone (the latency of a slider), then while another makes
films, then many at once, while one makes a film and one uploads a photograph of 12 megapixels. Every picture is
compared with the one that the library makes of that visitor's own photographs. Prints a table.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from swapae import SwapAE
from swapae.apps.page.examples import examples
from swapae.apps.page.models import EMBEDDED_NAME
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image, to_pil

ROOT = Path(__file__).parent.parent
STRENGTHS = [step / 10 for step in range(11)]
REST = ["nothing", 1, 1, 1, "linear", EMBEDDED_NAME]  # the other parameters of /swap


@dataclass
class Tally:
    """What visitors met with, over all of them."""

    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    errors: list[str] = field(default_factory=list)
    pictures: list[tuple[Visitor, float, bytes]] = field(default_factory=list)

    def strangers(self) -> int:
        """How many pictures are not of the photographs of who got them; computed once all is over."""
        return sum(not visitor.is_own(strength, picture) for visitor, strength, picture in self.pictures)


class Visitor:
    """Two photographs of one's own, uploaded."""

    def __init__(self, url: str, model: SwapAE, number: int) -> None:
        self.url = url
        gallery = examples()
        files = [varied(gallery[(number + shift) % len(gallery)].path, number) for shift in (0, 3)]
        config = model.config
        own, other = (fit(load_image(file), config.image_size, config.stride, config.minimum_side) for file in files)
        self.model, self.fitted, self.expected = model, (own, other), dict[float, np.ndarray]()
        self.photographs = [self.upload(file) for file in files]

    def upload(self, data: bytes) -> dict:
        """Upload a file; what the server calls it."""
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        path = json.loads(self.ask("/upload", head + data + b"\r\n--x--\r\n", kind))[0]
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def ask(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        """The answer to a request."""
        request = urllib.request.Request(f"{self.url}/gradio_api{path}", body, headers or {})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read()

    def is_own(self, strength: float, picture: bytes) -> bool:
        """Whether a picture is what the library makes of the visitor's photographs."""
        if strength not in self.expected:
            own, other = self.fitted
            with torch.inference_mode():
                if strength:
                    made = self.model.swap(own.tensor, other.tensor, alpha=strength)
                else:  # no edit: the photograph itself, redrawn
                    codes = self.model.encode(own.tensor)
                    made = self.model.decode(codes, noise=self.model.reconstruction_noise())
            self.expected[strength] = np.asarray(to_pil(made, own.size))
        with Image.open(io.BytesIO(picture)) as image:
            return np.array_equal(np.asarray(image), self.expected[strength])

    def picture(self, photographs: list[dict], strength: float) -> bytes:
        """The file that the page makes of two uploaded photographs."""
        body = json.dumps({"data": [*photographs, strength, *REST]}).encode()
        event = json.loads(self.ask("/call/swap", body, {"Content-Type": "application/json"}))["event_id"]
        answer = self.ask(f"/call/swap/{event}").decode()
        if "event: complete" not in answer:
            raise ValueError(answer[:200])
        path = json.loads(answer.rsplit("data: ", 1)[1])[0]["path"]
        return self.ask(f"/file={path}")

    def move(self, strength: float, tally: Tally) -> None:
        """Move the slider and fetch the picture."""
        start = time.perf_counter()
        try:
            picture = self.picture(self.photographs, strength)
        except urllib.error.HTTPError as error:
            if error.code == 503:
                tally.busy += 1
                time.sleep(1)  # as a person would, who is told to come back in a moment
            else:
                tally.errors.append(str(error))
            return
        except (OSError, ValueError) as error:
            tally.errors.append(str(error))
            return
        tally.seconds.append(time.perf_counter() - start)
        tally.pictures.append((self, strength, picture))

    def large(self, data: bytes) -> float:
        """Seconds from the upload of another photograph to its picture."""
        start = time.perf_counter()
        self.picture([self.upload(data), self.photographs[1]], 1.0)
        return time.perf_counter() - start

    def film(self, frames: int) -> float:
        """Have a film made, there and back, and wait for it; seconds."""
        start = time.perf_counter()
        settings = [1, "edit", frames // 2, 12, True, "webp", EMBEDDED_NAME, "", 1, None]
        body = json.dumps({"data": [*self.photographs, None, None, *settings]}).encode()
        event = json.loads(self.ask("/call/film", body, {"Content-Type": "application/json"}))["event_id"]
        answer = self.ask(f"/call/film/{event}").decode()
        if "event: complete" not in answer:
            raise ValueError(answer[:200])
        return time.perf_counter() - start


def beside_films(visitor: Visitor, maker: Visitor, frames: int) -> Tally:
    """What a visitor meets with who moves the slider while another makes a film."""
    tally, film = Tally(), threading.Thread(target=maker.film, args=(frames,))
    film.start()
    draw = random.Random(0)
    while film.is_alive():
        visitor.move(draw.choice(STRENGTHS), tally)
    return tally


def varied(path: Path, number: int) -> bytes:
    """A photograph that nobody else has: turned and mirrored by the visitor's number, with a mark of it."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).copy()
    pixels = np.rot90(pixels, number % 4)[:, :: -1 if number // 4 % 2 else 1].copy()
    pixels[:4, : 4 * (number + 1)] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def twelve_megapixels(path: Path) -> bytes:
    """A photograph enlarged to 4000 x 3000 pixels, as JPEG."""
    stream = io.BytesIO()
    load_image(path).resize((4000, 3000), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def memory(process: subprocess.Popen) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the page has ended")


def wait_for(url: str, process: subprocess.Popen) -> float:
    """Seconds until the page answers."""
    start = time.perf_counter()
    while process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return time.perf_counter() - start
        except OSError:
            time.sleep(0.05)
    raise SystemExit("app.py ended by itself; start it by hand to see why")


def crowd(
    visitors: list[Visitor],
    seconds: float,
    look: float,
    process: subprocess.Popen,
    others: dict[str, Callable[[], float]],
) -> tuple[Tally, list[float], dict[str, float]]:
    """All visitors at once for some seconds, and meanwhile what others do once.

    Args:
        look: for how many seconds, on average, a visitor looks at a picture before moving the slider again.

    Returns:
        What the visitors met with, the memory of the page once a second, and the seconds of what the others did.
    """
    tally, end = Tally(), time.monotonic() + seconds

    def visit(number: int) -> None:
        draw = random.Random(number)
        while time.monotonic() < end:
            time.sleep(2 * look * draw.random())
            visitors[number].move(draw.choice(STRENGTHS), tally)

    took: dict[str, float] = {}

    def do(name: str) -> None:
        try:
            took[name] = others[name]()
        except (OSError, ValueError) as error:
            tally.errors.append(f"{name}: {error}")

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(len(visitors))]
    threads += [threading.Thread(target=do, args=(name,)) for name in others]
    for thread in threads:
        thread.start()
    held = []
    while any(thread.is_alive() for thread in threads):
        held.append(memory(process))
        time.sleep(1)
    return tally, held, took


def described(name: str, tally: Tally) -> str:
    """A row of the table."""
    times = sorted(1000 * seconds for seconds in tally.seconds)
    median, late = statistics.median(times), times[int(0.95 * (len(times) - 1))]
    faults = f"{tally.busy} | {len(tally.errors)} | {tally.strangers()}"
    return f"| {name} | {len(times)} | {median:.0f} | {late:.0f} | {faults} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--look", type=float, default=0, help="seconds at a picture before the slider moves again")
    parser.add_argument("--moves", type=int, default=100, help="of the slider, by the one visitor alone")
    parser.add_argument("--frames", type=int, default=48, help="of the film that another makes meanwhile")
    options = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, ROOT / "app.py", "--port", str(port)], stdout=subprocess.DEVNULL) as process:
        try:
            started = wait_for(url, process)
            model = optimize_for_inference(SwapAE.default())  # the form that the page uses
            *visitors, maker, photographer = [Visitor(url, model, number) for number in range(options.visitors + 2)]
            large = twelve_megapixels(examples()[0].path)
            begun = memory(process)
            alone = Tally()
            for number in range(options.moves + 3):
                visitors[0].move(STRENGTHS[number % len(STRENGTHS)], alone if number >= 3 else Tally())
            beside = beside_films(visitors[0], maker, options.frames)
            others = {
                "the film": lambda: maker.film(options.frames),
                "the upload of 12 megapixels": lambda: photographer.large(large),
            }
            tally, held, took = crowd(visitors, options.seconds, options.look, process, others)
        finally:
            process.terminate()
    for error in sorted({*alone.errors, *beside.errors, *tally.errors})[:5]:
        print("error:", error, file=sys.stderr)
    if not alone.seconds or not beside.seconds or not tally.seconds:
        raise SystemExit("no picture came at all")
    print(f"ready after {started:.1f} s\n")
    print("| visitors | pictures | median ms | 95 % ms | busy | errors | not one's own |")
    print("|---|---|---|---|---|---|---|")
    print(described("1", alone))
    print(described("1, beside a film", beside))
    print(described(f"{options.visitors}, beside a film and an upload of 12 megapixels", tally))
    print("\nmeanwhile,", *(f"{name} took {seconds:.1f} s;" for name, seconds in took.items()))
    print(f"memory before: {begun:.0f} MiB")
    print("\nmemory in MiB, every tenth of the time:", *(f"{value:.0f}" for value in held[:: max(1, len(held) // 10)]))
    settled = held[len(held) // 4 :]
    print(
        f"\nmemory: {settled[0]:.0f} MiB after a quarter of the time, {settled[-1]:.0f} at the end, "
        f"{min(settled):.0f} to {max(settled):.0f} between ({100 * (max(settled) / min(settled) - 1):.1f} %)"
    )


if __name__ == "__main__":
    main()
