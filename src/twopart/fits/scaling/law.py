"""A fitted law: a curve, the plans that follow from it, and its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twopart._files import write_json
from twopart.fits.scaling import storage
from twopart.fits.scaling.allocation import Plan, allocate
from twopart.fits.scaling.curve import Curve


@dataclass(frozen=True)
class Law(Curve):
    """L as a function of its form's inputs. Parameters are attributes: `law.E`, `law.alpha`."""

    def allocate(
        self,
        *,
        flops: float | None = None,
        params: float | None = None,
        tokens: float | None = None,
        loss: float | None = None,
        unique_tokens: float | None = None,
        bits: float | None = None,
        level: float = 0.95,
    ) -> Plan:
        """The best run under exactly one of: a budget of compute, a size, a number of tokens, or a loss to reach.

        See `allocation.py`. The last two name the other inputs of the forms `repeated` and `precision`.
        """
        goal = {"flops": flops, "params": params, "tokens": tokens, "loss": loss}
        return allocate(self, goal, {"unique_tokens": unique_tokens, "bits": bits}, level)

    def to_json(self) -> dict[str, Any]:
        """The law as plain data, after `law.schema.json`."""
        return storage.to_json(self)

    def write(self, path: str | Path) -> None:
        """Write `to_json` to a file."""
        write_json(path, self.to_json())

    @staticmethod
    def from_json(data: Any) -> Law:
        """The law that `to_json` gave; `InputError` for data that are not one."""
        return storage.from_json(Law, data)

    @staticmethod
    def read(path: str | Path) -> Law:
        """The law in a file; `InputError` for a file that holds none."""
        return storage.read(Law, path)
