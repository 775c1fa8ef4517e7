"""The lab: where a study runs. It gives a study its folder, its random streams, the device, worker processes, progress.

    laboratory.py   Lab: run the works of a study, cell by cell
    work.py         Work: a function by name and its case, so often
    cell.py         Cell: what a cell's function gets; how a cell is named by a hash and stored
    source.py       where a cell's function stands, and a digest of its code
    rehearsal.py    what a cell will take, from the cell itself run for two seconds
    folder.py       the run folder: whose it is, whether it may be written to, the lock
    environment.py  what a result depends on besides its config: versions, device, platform, git state
    executor.py     what cells are run with, one face of two:
    pool.py         worker processes seen from the lab;  worker.py  the same seen from inside
    cluster.py      a Ray cluster seen from the lab;     node.py    a cell on one of its nodes, from inside
    progress.py     what a person sees meanwhile

A cell is finished when cells/<hash>/metrics.parquet exists; a finished cell is read back, never run again.
"""

from twopart.lab.cell import Cell
from twopart.lab.executor import CellError
from twopart.lab.laboratory import Lab
from twopart.lab.work import Work

__all__ = ["Cell", "CellError", "Lab", "Work"]
