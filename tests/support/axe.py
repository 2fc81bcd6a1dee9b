"""axe-core, which finds what keeps people out of a page; `make test` has npm download it, as it does ONNX Runtime."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page

from swapae.apps.browser.runtime import fetch_package

PACKAGE, VERSION, SCRIPT = "axe-core", "4.14.1", "axe.min.js"
# The findings that a page must not have; axe calls the others minor and moderate.
GRAVE = ("serious", "critical")


def fetch(folder: Path) -> None:
    """Download what is used of the package into a new folder."""
    fetch_package(PACKAGE, VERSION, [SCRIPT], folder, "do without the tests that use it")


def script() -> str:
    """axe's own script; the test is skipped where there is none."""
    path = Path(sys.prefix) / PACKAGE / SCRIPT
    if not path.is_file():
        pytest.skip("axe-core is not there: `make test` downloads it where npm is installed")
    return path.read_text(encoding="utf-8")


def grave_findings(page: Page) -> list[str]:
    """Serious and critical findings in a page that has `script`: the rule, what it is about, and where."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['html'][:200]} {node['any'][:1]}"
        for one in found["violations"]
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]
