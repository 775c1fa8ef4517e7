"""`python -m twopart` is the command `twopart`."""

import sys

from twopart.cli import main

if __name__ == "__main__":
    sys.exit(main())
