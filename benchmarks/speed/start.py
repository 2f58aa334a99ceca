"""How long commands take from nothing: `python benchmarks/speed/start.py`, from the repository's root.

Every command is a process of its own; beside each stand a Python that does nothing and one that imports torch. `query`
needs the real table.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from turns import medians, told

COMMANDS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "--help": ["-m", "benchharness", "--help"],
    "--version": ["-m", "benchharness", "--version"],
    "run --help": ["-m", "benchharness", "run", "--help"],
    "query 6111": ["-m", "benchharness", "query", "6111"],
}
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Time the commands in turns and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    names = list(dict.fromkeys(["python", "import torch", *args.commands.split(",")]))
    seconds = medians({name: lambda words=COMMANDS[name]: ran(words) for name in names}, args.repeats)
    told({name: beside(name, seconds) for name in names}, vars(args), args.out)


def ran(words: list[str]) -> None:
    """Run Python with `words`; raises where it fails."""
    subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, check=True)


def beside(name: str, seconds: dict[str, float]) -> dict[str, float]:
    """A command's seconds, and how many times those of a bare Python and of one with torch."""
    own = seconds[name]
    return {"seconds": own, "over python": own / seconds["python"], "over import torch": own / seconds["import torch"]}


if __name__ == "__main__":
    main()
