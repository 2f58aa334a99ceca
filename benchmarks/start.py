"""How long commands take from nothing: `python benchmarks/start.py`, from the repository's root.

Every command is a process of its own; beside each stand a Python that does nothing and one that imports torch. `query`
needs the real table.
"""

import subprocess
import sys
from pathlib import Path

from timing import medians, parser, told

COMMANDS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "--help": ["-m", "benchharness", "--help"],
    "--version": ["-m", "benchharness", "--version"],
    "run --help": ["-m", "benchharness", "run", "--help"],
    "query 6111": ["-m", "benchharness", "query", "6111"],
}
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Time the commands in turns and print one line each."""
    asked = parser(__doc__, 11)
    asked.add_argument("--commands", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    args = asked.parse_args()
    names = list(dict.fromkeys(["python", "import torch", *args.commands.split(",")]))
    seconds = medians({name: lambda words=COMMANDS[name]: ran(words) for name in names}, args.repeats, args.clock)
    told(((name, beside(name, seconds)) for name in names), vars(args), args.out)


def ran(words: list[str]) -> None:
    """Run Python with `words`; exits with what it said where it fails."""
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed: {done.stderr.strip()}")


def beside(name: str, seconds: dict[str, float]) -> dict[str, float]:
    """A command's seconds, and how many times those of a bare Python and of one with torch."""
    own = seconds[name]
    return {"seconds": own, "over python": own / seconds["python"], "over import torch": own / seconds["import torch"]}


if __name__ == "__main__":
    main()
