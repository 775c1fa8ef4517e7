"""Fits: what measurements say. Estimators with intervals.

bins.py                means over logarithmic bins of a series
calibration.py         confidence beside accuracy, and what abstaining avoids
collapse.py            curves of losses at many contexts and sizes on one another
concentration.py       how many neighbours samples have, and how heavy the tail of those numbers is
conformity.py          whether samples keep a rule, by anybody's reader
critical_batch.py      the batch size up to which larger batches save steps, and the noise scale
distances.py           Wasserstein distances of Gaussians, on the line, sliced; energy distance; Fréchet's of features; copies
decay.py               power laws over a window, with reasons to refuse them, and what two of them foretell
discrete_power_law.py  exponent and start of a power law in whole numbers
forgetting.py          what is forgotten, in which order, and what comes back
hull.py                the lower convex hull of points
levels.py              where a course comes to a level, and two clocks of training
octaves.py             a scale by least squares, among octaves that are tried
pitman_yor.py          discount and concentration from how often each type was seen
rank_correlation.py    which measure ranks runs as their outcome does: Kendall's τ, within hyper-parameters too
power_law.py           exponents read off log-log curves
shares.py              counts beside the shares that they were drawn from
somers.py              whether things happen in a predicted order
thresholds.py          when a fact is learned, and down to which frequency and from which size facts are known
two_proxies.py         a learner's own threshold behind two bad proxies of frequency
scaling/               loss as a function of parameters, tokens and compute
"""

from twopart.fits.bins import LogBins, by_number
from twopart.fits.calibration import Calibration
from twopart.fits.concentration import TailIndex, hill, neighbours, tail_index_difference
from twopart.fits.conformity import RuleReport, rule_report
from twopart.fits.critical_batch import (
    CriticalBatch,
    PowerLaws,
    batch_scaling,
    critical_batch_size,
    noise_scale,
    steps_to_target,
)
from twopart.fits.decay import Decay, decay, horizon_prediction
from twopart.fits.discrete_power_law import PowerLawFit, discrete_power_law
from twopart.fits.distances import (
    Memorised,
    TwoSample,
    energy_distance,
    frechet_distance,
    gaussian_w2,
    memorisation,
    quantile_w2,
    sliced_w2,
)
from twopart.fits.forgetting import forgetting_order, relearned, retained
from twopart.fits.hull import falling_hull
from twopart.fits.levels import Clocks, clocks, first_reached, stays_below
from twopart.fits.octaves import Octaves
from twopart.fits.pitman_yor import PitmanYorFit, pitman_yor
from twopart.fits.power_law import slope
from twopart.fits.rank_correlation import RankCorrelation, rank_correlation, tau_estimate
from twopart.fits.scaling import ScalingFit, scaling_law
from twopart.fits.shares import SharesTest
from twopart.fits.somers import agreement
from twopart.fits.thresholds import MISSING, bought, crossing, first_below, learning_times, sharpness_after
from twopart.fits.two_proxies import TwoProxies, two_proxies

__all__ = [
    "MISSING",
    "Calibration",
    "Clocks",
    "CriticalBatch",
    "Decay",
    "LogBins",
    "Memorised",
    "Octaves",
    "PitmanYorFit",
    "PowerLawFit",
    "PowerLaws",
    "RankCorrelation",
    "RuleReport",
    "ScalingFit",
    "SharesTest",
    "TailIndex",
    "TwoProxies",
    "TwoSample",
    "agreement",
    "batch_scaling",
    "bought",
    "by_number",
    "clocks",
    "critical_batch_size",
    "crossing",
    "decay",
    "discrete_power_law",
    "energy_distance",
    "falling_hull",
    "first_below",
    "first_reached",
    "forgetting_order",
    "frechet_distance",
    "gaussian_w2",
    "hill",
    "horizon_prediction",
    "learning_times",
    "memorisation",
    "neighbours",
    "noise_scale",
    "pitman_yor",
    "quantile_w2",
    "rank_correlation",
    "relearned",
    "retained",
    "rule_report",
    "scaling_law",
    "sharpness_after",
    "sliced_w2",
    "slope",
    "stays_below",
    "steps_to_target",
    "tail_index_difference",
    "tau_estimate",
    "two_proxies",
]
