"""What the command line makes of words: slips answered in the command's own words, and no import before its time."""

import contextlib
import inspect
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import assert_one_line, files, pixels
from PIL import Image

from swapae.apps.cli import main, print_any_name
from swapae.apps.cli.commands import COMMANDS, GROUPS

ROOT = Path(__file__).parents[2]
SELECT = "usage: swapae select IMAGE X,Y -o OUT [options]; see swapae select --help"
PASTE = "missing --box X,Y,W,H and --to X,Y[,W,H]; unknown: --at 1,1 (did you mean --to?); usage: swapae paste TARGET"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("select a.png -o x.png", f"missing X,Y; {SELECT}"),
        ("select a.png", f"missing X,Y and -o OUT; {SELECT}"),
        ("select a.png --at 12,12 -o x.png", f"a value is missing for X,Y; {SELECT}"),
        ("select a.png 12 12 -o x.png", f"unknown: 12; {SELECT}"),
        ("paste a.png b.jpg --at 1,1 -o x.png", PASTE),
        ("swap a.png b.jpg --alfa 0.5 -o x.png", "unknown: --alfa 0.5 (did you mean --alpha?); usage: swapae swap"),
        ("swap a.png b.jpg --sise 64 -o x.png", "unknown: --sise 64 (did you mean --size?); usage: swapae swap"),
        ("swap a.png b.jpg --alpha much -o x.png", "--alpha needs a number, got 'much'; usage"),
        ("swap a.png b.jpg --seed 1.5 -o x.png", "--seed needs a whole number, got '1.5'; usage"),
        ("swap a.png b.jpg --device gpu -o x.png", "--device is one of auto, cpu, cuda, mps, got 'gpu'; usage"),
        ("swap a.png b.jpg -o", "a value is missing for -o OUT; usage: swapae swap STRUCTURE TEXTURE -o OUT [options]"),
        ("swap -gone.jpg b.jpg -o x.png", "a file whose name begins with a dash is ./-gone.jpg"),
        ("swap gone/*.jpg b.jpg -o x.png", "no file fits 'gone/*.jpg'"),
        ("swop a.png b.jpg", "'swop' is no command (did you mean swap?): see swapae --help"),
        ("space make", "space 'make' is no command: there is swapae space push"),
        ("pairs", "pairs needs a command: there is swapae pairs make"),
        ("--seed 1 swap a.png", "a command comes before --seed"),
    ],
)
def test_slips_are_answered_in_the_commands_words(run, words, answer):
    before = files()
    assert_one_line(run(*words.split(), model=False), f"swapae: {answer}" if "dash" not in answer else answer)
    assert files() == before


def test_a_version_of_tyro_without_its_errors_still_says_the_usage(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "tyro._errors", None)
    assert_one_line(run("select", "a.png", model=False), f"the arguments are not understood; {SELECT}")


def test_files_that_begin_with_a_dash_are_files(run):
    shutil.copy("a.png", "-a.png")
    assert run("swap", "-a.png", "b.jpg", "-o", "dash.png")[0] == 0
    assert run("swap", "a.png", "b.jpg", "-o", "plain.png")[0] == 0
    assert (pixels("dash.png") == pixels("plain.png")).all()


def test_an_output_that_has_its_place_also_takes_its_option(run):
    assert_one_line(run("convert", "a.png", "-o", "there", model=False), "'a.png'")


def test_quiet_leaves_answers_and_errors(run):
    loud = run("grid", "--structure", "a.png", "--texture", "b.jpg", "-o", "grid.png")
    assert loud[0] == 0 and "decode" in loud[2]
    assert run("grid", "--structure", "a.png", "--texture", "b.jpg", "-o", "grid.png", "--quiet") == (0, "", "")
    status, out, _ = run("select", "a.png", "3,3", "-o", "mask.png", "--quiet")
    assert status == 0 and out.startswith("selected")
    assert_one_line(run("--quiet", "swap", "gone.png", "b.jpg", "-o", "x.png"), "gone.png")


EVERY_COMMAND = [*COMMANDS.values(), *(command for _, commands in GROUPS.values() for command in commands.values())]


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=lambda command: command.function)
def test_summaries_are_the_docstrings(command):
    assert command.summary() == " ".join(inspect.getdoc(command.load()).split("\n\n")[0].split())


def program(*words, **variables):
    """The command line in a process of its own, without torch."""
    start = "import sys; from swapae.apps.cli import main; s = main(); assert 'torch' not in sys.modules; sys.exit(s)"
    return subprocess.run(
        [sys.executable, "-c", start, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
    )


def test_help_and_mistakes_wait_for_no_torch():
    done = program("--help")
    assert done.returncode == 0 and "reconstruct" in done.stdout, done.stderr
    assert program("--version").returncode == 0
    assert "did you mean swap?" in program("swop").stderr


@pytest.mark.slow
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_on_a_terminal(no_color, coloured):
    reader, terminal = os.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": no_color}
    with subprocess.Popen([sys.executable, "-m", "swapae", "swap", "-h"], stdout=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # Linux's end of a terminal
            while piece := os.read(reader, 4096):
                shown += piece
        assert process.wait(timeout=60) == 0
    os.close(reader)
    assert b"STRUCTURE" in shown and (b"\x1b[" in shown) == coloured


@pytest.mark.slow
def test_garbage_is_collected_again_once_a_command_was_imported():
    check = "assert gc.isenabled() and gc.get_freeze_count() > 100_000"
    code = f"import gc; from swapae.apps.cli.commands import COMMANDS; COMMANDS['swap'].load(); {check}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_names_of_the_package_come_when_they_are_used():
    code = "import sys, swapae; assert 'torch' not in sys.modules; print(swapae.SwapAE, swapae.metrics.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and "swapae.metrics" in done.stdout, done.stderr
    import swapae

    assert {"SwapAE", "Codes", "PRESETS", "SwapAEConfig"} <= set(dir(swapae))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = swapae.nothing


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the completion is of bash")
def test_completion_knows_options_of_all_commands():
    done = subprocess.run(
        [sys.executable, "-m", "swapae", "--tyro-print-completion", "bash"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for option in ("--spherical", "--threshold", "--half", "--vertical"):
        assert option in done.stdout, option
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True).returncode == 0


@pytest.mark.parametrize(
    ("encoding", "name", "printed"),
    [
        ("cp1252", "花.png", rb"'z.png' = '\u82b1.png'"),
        ("utf-8", "花.png", "'z.png' = '花.png'".encode()),
        ("ascii", "ä.png", rb"'z.png' = '\xe4.png'"),
    ],
)
def test_results_name_any_file_in_any_encoding(tmp_path, monkeypatch, encoding, name, printed):
    """As on Windows, when the output goes into a file."""
    Image.effect_noise((64, 64), 40).save(tmp_path / name)
    shutil.copy(tmp_path / name, tmp_path / "z.png")
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding=encoding, write_through=True))
    monkeypatch.setattr(sys, "argv", ["swapae", "data", "check", str(tmp_path)])
    assert main() == 0
    assert printed in output.getvalue()


def test_a_name_that_is_no_text_is_printed_as_the_bytes_it_is(monkeypatch):
    output = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, encoding="utf-8", write_through=True))
    print_any_name()
    print(os.fsdecode(b"bad\xff.jpg"))
    assert output.getvalue() == b"bad\xff.jpg\n"


@pytest.mark.slow
def test_ctrl_c_in_a_folder_keeps_what_is_done_and_says_how_to_go_on(run, tmp_path):
    Path("many").mkdir()
    for number in range(400):
        shutil.copy("a.png", f"many/{number:03}.png")
    command = [sys.executable, "-m", "swapae", "swap", "many", "b.jpg", "-o", "out", "--model", "model"]
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        said = b""
        while not re.search(rb"\| [1-9]\d*/400", said):  # at least one picture is done
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, said.decode()
            said += piece
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=120)
    last = rest.decode().splitlines()[-1]
    assert process.returncode == 130 and "Traceback" not in rest.decode(), rest.decode()
    assert last == "swapae: interrupted; what is done is whole, and the same command goes on from there"
    done = [path for path in Path("out").iterdir() if path.suffix == ".png"]
    assert 1 <= len(done) < 400 and all(pixels(path).shape == (64, 90, 3) for path in done)
    assert not [path for path in Path("out").iterdir() if path.suffix not in (".png", ".json")]
