"""What the feature-averaging study runs: its settings and its three presets."""

from __future__ import annotations

from dataclasses import dataclass

from twopart._checks import check, check_choice, check_integer, check_real
from twopart.worlds.features.images import DATASETS


@dataclass(frozen=True)
class Config:
    """Feature averaging: which features gradient descent learns from clusters, and at what radius the network breaks."""

    clusters: tuple[int, ...] = (2, 4, 8, 16, 32)
    """Numbers of clusters k, each even, so that the two classes are equal, and at most the dimension; at least two of them."""
    dimensions: tuple[int, ...] = (256, 512, 1024, 2048)
    """Dimensions D, each >= 4; at least two of them."""
    reference_clusters: int = 8
    """The k, one of `clusters` and > 2, that is looked at closely, and at which D varies."""
    reference_dimension: int = 1024
    """The D, one of `dimensions`, that is looked at closely, and at which k varies."""
    grid: bool = False
    """Run every k with every D, not only those that share one with the reference."""
    samples: int = 50
    """Training points per cluster, on average; >= 5."""
    neurons: int = 8
    """Neurons per output, >= 1."""
    time: float = 200.0
    """Training time τ > 1, in units in which a coefficient grows at rate 1/2 at first; it ends near ln τ."""
    step: float = 0.5
    """Length of a step of gradient descent in the same units, in (0, 2]."""
    initial: float = 1e-5
    """Standard deviation of initial weights and biases, in (0, 1]; theory takes it to 0."""
    seeds: int = 8
    """Replicates, each a world, a sample and a network of its own; >= 2, as intervals need a spread."""
    points: int = 200
    """Test points attacked per replicate, >= 20."""
    images: str = "digits"
    """Real images to look at as well: digits, mnist, cifar10 or none."""
    folder: str = ""
    """The folder that holds mnist or cifar10."""
    image_time: float = 200.0
    """Training time on images, > 1, in the units of `time`."""

    def __post_init__(self) -> None:
        self._check_sweep("clusters", self.clusters, "reference_clusters")
        self._check_sweep("dimensions", self.dimensions, "reference_dimension")
        for k in self.clusters:
            check_integer("clusters", k, 2, min(self.dimensions), "orthogonal centres need a dimension each")
            check(k % 2 == 0, "clusters", k, "even", "the law is stated for two classes of equally many clusters")
        for dimension in self.dimensions:
            check_integer("dimensions", dimension, 4, 2**20, "1024 is large enough for the asymptotics to show")
        check_integer(
            "reference_clusters", self.reference_clusters, 3, None, "with one cluster a class averages nothing"
        )
        check_integer("samples", self.samples, 5, None, "no cluster may go without points")
        check_integer("neurons", self.neurons, 1, None, "an output without neurons is constant")
        check_real("time", self.time, 1, 1e6, "200 takes coefficients to about 5", closed="()")
        check_real("image_time", self.image_time, 1, 1e6, "200 takes outputs to about 5", closed="()")
        check_real("step", self.step, 0, 2, "0.5 follows gradient flow closely", closed="(]")
        check_real("initial", self.initial, 0, 1, "theory takes it to 0; at 0 no neuron is active", closed="(]")
        check_integer("seeds", self.seeds, 2, None, "an interval needs a spread")
        check_integer("points", self.points, 20, None, "a median needs points")
        check_choice("images", self.images, (*DATASETS, "none"))

    def _check_sweep(self, name: str, values: tuple[int, ...], reference: str) -> None:
        distinct = len(set(values)) == len(values) >= 2
        check(distinct, name, values, "at least two distinct numbers", "a power law needs two points")
        value = getattr(self, reference)
        check(value in values, reference, value, f"one of `{name}`, {values}", f"add it to `{name}`")

    def sizes(self) -> list[tuple[int, int]]:
        """The pairs (k, D) that are run, the reference first."""
        reference = (self.reference_clusters, self.reference_dimension)
        pairs = [(k, dimension) for k in self.clusters for dimension in self.dimensions]
        if not self.grid:
            pairs = [pair for pair in pairs if pair[0] == reference[0] or pair[1] == reference[1]]
        return [reference, *(pair for pair in pairs if pair != reference)]


PRESETS: dict[str, Config] = {
    "tiny": Config(
        clusters=(2, 4, 8),
        dimensions=(128, 256),
        reference_clusters=4,
        reference_dimension=256,
        samples=30,
        neurons=4,
        time=60,
        seeds=3,
        points=40,
        image_time=60,
    ),
    "small": Config(),
    "full": Config(
        clusters=(2, 4, 8, 16, 32, 64),
        dimensions=(256, 512, 1024, 2048, 4096),
        grid=True,
        samples=200,
        neurons=16,
        time=1000,
        step=0.25,
        seeds=16,
        points=500,
        image_time=1000,
    ),
}
