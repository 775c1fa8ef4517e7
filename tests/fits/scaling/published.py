"""Tables and laws as others published them."""

import numpy as np

GREEK = """
199000 5e6 8.156000, 199000 2e7 5.642949, 199000 8e7 4.210987, 790000 5e6 7.294115, 790000 2e7 5.299058, 790000 8e7 3.817861,
4730000 5e6 6.653218, 4730000 2e7 4.797544, 4730000 8e7 3.207137, 25180000 5e6 6.060610, 25180000 2e7 4.496887,
25180000 8e7 2.789879"""
"""Parameters, tokens and losses of github.com/fourlhs/greek-scaling-laws, results.csv (MIT licence, (c) 2026 Nikolaos Ioannis
Fourlis); its joint fit of least squares on the loss, scaling_fits.json: E = 0 (5.6e-9), A = 47.02, B = 989.1, alpha = 0.2531,
beta = 0.3335; its report gives E 0.00 +- 1.67, alpha +- 0.181, beta +- 0.127."""


def greek():
    params, tokens, loss = np.array([run.split() for run in GREEK.split(",")], float).T
    return {"params": params, "tokens": tokens, "loss": loss}


LAWS = {
    "Hoffmann et al. 2022, arXiv 2203.15556, D.3": ("chinchilla", (1.69, 406.4, 410.7, 0.34, 0.28)),
    "Besiroglu et al. 2024, arXiv 2404.10102": ("chinchilla", (1.8172, 482.01, 2085.43, 0.3478, 0.3658)),
    "Muennighoff et al. 2023, arXiv 2305.16264, A": ("chinchilla", (1.87, 521.0, 1488.0, 0.353, 0.353)),
    "a sweep at fixed compute": ("chinchilla", (2.71, 1.65e5, 1369.0, 0.65, 0.35)),
    "Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5": ("kaplan", (8.8e13, 5.4e13, 0.076, 0.095)),
    "Kaplan et al. 2020, table 2": ("kaplan", (6.4e13, 1.8e13, 0.076, 0.103)),
}
