"""The command `twopart` with the study of circle.py added: `python -m tests.studies.command run circle`."""

import sys

from tests.studies import register_circle
from twopart.cli import main

if __name__ == "__main__":
    register_circle()
    sys.exit(main())
