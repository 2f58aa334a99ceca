"""How long commands take from nothing: `python benchmarks/start.py`, from the repository's root.

Every command is a process of its own; beside each stand a Python that does nothing and one that imports torch. `query`
needs the real table.
"""

import subprocess
import sys
from pathlib import Path

from timing import medians, parser, write_report

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
    options = parser(__doc__, 11)
    options.add_argument("--commands", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    args = options.parse_args()
    names = list(dict.fromkeys(["python", "import torch", *args.commands.split(",")]))
    seconds = medians(
        {name: lambda arguments=COMMANDS[name]: run_command(arguments) for name in names}, args.repeats, args.clock
    )
    write_report(((name, ratios(name, seconds)) for name in names), vars(args), args.out)


def run_command(arguments: list[str]) -> None:
    """Run Python with `arguments`; exits with what it said where it fails."""
    process = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} failed: {process.stderr.strip()}")


def ratios(name: str, seconds: dict[str, float]) -> dict[str, float]:
    """A command's seconds, and how many times those of a bare Python and of one with torch."""
    own_seconds = seconds[name]
    return {
        "seconds": own_seconds,
        "over python": own_seconds / seconds["python"],
        "over import torch": own_seconds / seconds["import torch"],
    }


if __name__ == "__main__":
    main()
