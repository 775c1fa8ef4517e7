"""The covariance of a fit, in the form's coordinates, from the runs alone: what the bootstrap is checked against.

For Σ ρ(r_i) it is the sandwich H⁻¹ D H⁻¹ n/(n-p), D = Σ ψ(r_i)² g_i g_iᵀ, H = Σ E ψ'(r_i) g_i g_iᵀ, g_i = ∇ ln L(z_i),
right for noise that differs from run to run. Where Huber's knee is finer than the noise, ψ' is a spike, and its mean is
read off the density of residuals in a window h around 0 (Powell 1991): ψ' ≈ min(1, knee/h) for |r| <= h. Used by:
profile.py as the direction to search in, fit.py for intervals without a bootstrap, storage.py.
Sources: Huber 1967 (5th Berkeley Symposium); window by Silverman's rule on the robust scale, the p runs that a fit
passes through left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twopart.fits.scaling.forms import Form
from twopart.fits.scaling.objective import Objective
from twopart.fits.scaling.solver import derivatives

Floats = NDArray[np.float64]


def robust_scale(residuals: Floats) -> float:
    """1.4826 times the median absolute deviation: the standard deviation where they are Gaussian."""
    return float(1.4826 * np.median(np.abs(residuals - np.median(residuals))))


def slope_of_psi(residuals: Floats, objective: Objective, p: int) -> Floats:
    """Estimate of ψ' at each run, shape (n,); its mean estimates E ψ'."""
    n, sizes = len(residuals), np.abs(residuals)
    window = max(objective.knee, 1.06 * robust_scale(residuals) * n**-0.2, float(np.sort(sizes)[min(2 * p, n - 1)]))
    if window <= objective.knee:
        return np.where(sizes <= window, 1.0, 0.0)
    share = objective.knee / window * n / (n - p)
    return np.where((sizes <= window) & (np.argsort(np.argsort(sizes)) >= p), share, 0.0)


def covariance(slopes: Floats, residuals: Floats, objective: Objective) -> Floats:
    """Sandwich covariance (p, p) from the gradients of ln L at the runs, shape (n, p)."""
    n, p = slopes.shape
    bread = np.linalg.pinv((slopes * slope_of_psi(residuals, objective, p)[:, None]).T @ slopes, hermitian=True)
    weighted = slopes * objective.psi(residuals)[:, None]
    found: Floats = bread @ (weighted.T @ weighted) @ bread * (n / max(n - p, 1))
    return found


def floor_covariance(
    form: Form, theta: Floats, z: Floats, losses: Floats, objective: Objective
) -> tuple[Floats, Floats]:
    """That of the coordinates, but of the floor E itself in place of ln E, and the residuals: ∂ ln L/∂E = 1/L at E = 0 too."""
    value, slopes, _ = derivatives(form, theta, z)
    residuals = np.log(losses) - value
    return covariance(np.where(form.is_floor, np.exp(-value)[:, None], slopes), residuals, objective), residuals


def floor_logarithm(floors: Floats) -> Floats:
    """ln E, -inf at 0 and below."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.maximum(floors, 0.0)))


def noise_ratio(residuals: Floats, objective: Objective, p: int) -> float:
    """E ψ² / E ψ': a rise of the objective by half of χ² times this is as unlikely as χ²; σ² for squares."""
    n = len(residuals)
    variance = float(np.sum(objective.psi(residuals) ** 2)) / max(n - p, 1)
    return variance / float(np.mean(slope_of_psi(residuals, objective, p)))
