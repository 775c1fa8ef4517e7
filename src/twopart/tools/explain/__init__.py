"""Where the bits of a compressed file go: a `Ledger` of its bytes turned into Findings."""

from twopart.tools.explain.findings import explain

__all__ = ["explain"]
