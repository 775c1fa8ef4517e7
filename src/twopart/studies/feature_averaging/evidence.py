"""What the cells measured, by kind of cell, as arrays with the replicates in front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from twopart.studies.feature_averaging.cells import ClusterCell, Supervision
from twopart.worlds.features import OrthogonalClusters

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """The table of one cell of any kind."""

    table: pl.DataFrame

    def end(self, column: str) -> Floats:
        """A number of each trained network, shape (R,)."""
        return np.asarray(self.rows("end").sort("replicate")[column].to_numpy())

    def rows(self, axis: str) -> pl.DataFrame:
        return self.table.filter(pl.col("axis") == axis)

    @cached_property
    def attacks(self) -> list[tuple[str, str]]:
        """The pairs (merge, attack) that were run."""
        return list(dict.fromkeys(self.rows("radius").select("merge", "attack").iter_rows()))

    def radii(self, attack: str, merge: str = "max") -> Floats:
        """The least perturbation of each test point, shape (R, points)."""
        found = self.rows("radius").filter((pl.col("attack") == attack) & (pl.col("merge") == merge))
        return np.stack([part["radius"].to_numpy() for part in found.partition_by("replicate", maintain_order=True)])

    def median(self, attack: str, merge: str = "max") -> Floats:
        """The radius that leaves half of a replicate's points right, shape (R,)."""
        return np.asarray(np.median(self.radii(attack, merge), axis=1))

    def smallest(self) -> Floats:
        """Radii of whichever attack needs least, shape (R, points)."""
        found = [
            self.radii(attack, merge) for merge, attack in self.attacks if merge == "max" and attack != "certificate"
        ]
        return np.asarray(np.min(found, axis=0))

    @staticmethod
    def accuracy(radii: Floats, grid: ArrayLike) -> Floats:
        """Share of points that are still right at each radius of `grid`, shape (R, len(grid))."""
        return np.asarray((radii[:, None, :] > np.asarray(grid)[:, None]).mean(-1))


@dataclass(frozen=True, eq=False)
class Trained(Measured):
    """Networks trained on clusters."""

    cell: ClusterCell

    @property
    def world(self) -> OrthogonalClusters:
        return self.cell.world

    @property
    def training_points(self) -> int:
        return self.cell.samples * self.world.clusters

    @cached_property
    def moments(self) -> Floats:
        """The times τ at which coefficients were recorded."""
        return np.unique(self.rows("time")["time"].to_numpy())

    def along(self, column: str) -> Floats:
        """A coefficient at those times, shape (R, moments)."""
        rows = self.rows("time").sort("replicate", "time")
        return np.stack([part[column].to_numpy() for part in rows.partition_by("replicate", maintain_order=True)])


@dataclass(frozen=True, eq=False)
class Evidence:
    """All cells of a run. `clusters` has the reference first."""

    clusters: tuple[Trained, ...]
    images: dict[Supervision, Measured]
    dataset: str

    def reference(self, supervision: Supervision) -> Trained:
        return self.of(supervision)[0]

    def of(self, supervision: Supervision) -> list[Trained]:
        return [trained for trained in self.clusters if trained.cell.supervision == supervision]


def exponents(trained: Sequence[Trained], values: ArrayLike) -> Floats:
    """Exponents (of k, of D) of the power law through values (..., cells), shape (..., 2): least squares of logarithms."""
    sizes = np.array([[t.world.clusters, t.world.dimension] for t in trained], float)
    design = np.column_stack([np.ones(len(sizes)), np.log(sizes)])
    return np.asarray(np.log(values) @ np.linalg.pinv(design).T)[..., 1:]
