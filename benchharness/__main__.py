"""`python -m benchharness`."""

import sys

from benchharness.cli import main

if __name__ == "__main__":
    sys.exit(main())
