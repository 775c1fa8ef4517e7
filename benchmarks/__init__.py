"""Benchmarks: ratios against peers, side by side in one run. See `__main__.py`."""
