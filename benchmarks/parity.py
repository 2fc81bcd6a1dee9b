"""Print how far our networks are from the stored outputs of the authors' released ones.

python benchmarks/parity.py

Errors are the largest of an array, in units of its standard deviation, or of its value where it is one number.
"""

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from parity_cases import CASES, compare


def main() -> None:
    """Print one row per array: its error in float32 and in float64 for each case."""
    columns = [(case, dtype) for case in CASES for dtype in (torch.float32, torch.float64)]
    tables = {column: compare(*column) for column in columns}
    print("| array | " + " | ".join(f"{case} {str(dtype)[6:]}" for case, dtype in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name in tables[columns[0]]:
        rows = (tables[column][name] for column in columns)
        # `or`: a single value has no deviation.
        cells = (f"{error / (deviation or magnitude):.1e}" for error, deviation, magnitude in rows)
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
