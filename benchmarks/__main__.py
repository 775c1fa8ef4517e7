"""`make bench`: every speed claim as a ratio against a peer that runs beside it, in the same minute on the same machine.

python -m benchmarks [NAME ...]     names are the modules of this folder; without one, all of them
"""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = (
    *("startup", "draws", "bayes", "english", "laws", "training", "ladder", "measure", "scaling", "fits", "compress"),
    *(
        "tables",
        "plan",
        "probe",
        "rehearsal",
        "regression",
        "sampling",
        "features",
        "diffusion",
        "in_context",
        "policies",
    ),
)


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there is {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        module = import_module(f"benchmarks.{name}")
        print(f"\n{name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        for row in module.run():
            print(f"  {row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
