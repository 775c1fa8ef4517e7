"""What notebooks show: the one that the docs carry runs, and findings, fits and plans show themselves there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import altair
import nbformat
import numpy as np
import polars as pl
import pytest
from scripts.site.notebook import run

import twopart as tp
from twopart._html import Markup
from twopart._notebook import grid, quantities, shown
from twopart.findings import Chart, Claim, Findings, Shown, Table, tally

NOTEBOOK = Path(__file__).parents[1] / "docs/notebook.ipynb"


class Balanced(HTMLParser):
    """Refuses HTML whose elements are not closed in order, and keeps its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.fixture(scope="module")
def ran() -> list[Any]:
    """The outputs of the code cells of the notebook, executed from an empty kernel."""
    notebook = run(NOTEBOOK)
    return [[output["data"] for output in cell.outputs] for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
def test_the_notebook_runs_and_every_cell_shows_something(ran: list[Any]) -> None:
    assert all(len(outputs) == 1 for outputs in ran)
    shows = [Balanced(data[0]["text/html"]).text if "text/html" in data[0] else "" for data in ran]
    planted = float(re.search(r"discount d\s+([\d.]+)", shows[2])[1])  # type: ignore[index]
    assert abs(planted - 0.5) < 0.15  # 247 types; its standard error is 0.03
    assert "Measured: words of 1 file" in shows[3]
    assert ran[4][0]["image/svg+xml"].startswith("<svg")
    assert "L = E + A / N^alpha + B / D^beta" in shows[5]
    assert "Claims: " in shows[3]
    assert all(shows[6:8])


def test_the_notebook_has_ten_cells_and_no_outputs() -> None:
    """Outputs are made where the site is built; kept ones would go stale."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert len(notebook.cells) == 10
    assert not any(cell.get("outputs") for cell in notebook.cells)


def found() -> Findings:
    table = Table("t", "Numbers <1>", pl.DataFrame({"x": [0.5, 1.25, 2.0], "name": ["a", "<b>", None]}), "A caption.")
    chart = Chart("c", "A line", {"mark": "line", "data": {"values": [{"x": 1}]}, "encoding": {}})
    claims = (
        Claim("A < B.", 1.0, 1.01, (0.9, 1.1), "a rule", "holds", "here", "bits"),
        Claim("It rises.", None, float("nan"), None, "a rule", "inconclusive", "here"),
    )
    return Findings("A & B", "One.\n\nTwo.", claims, (table,), (chart,))


def test_findings_show_their_claims_and_tables() -> None:
    text = Balanced(found()._repr_html_()).text
    for part in (
        "A & B",
        "One.",
        "Two.",
        "A < B.",
        "1.01 (0.9 to 1.1) bits",
        "Claims: 1 holds, 1 inconclusive",
        "<b>",
        "1.25",
    ):
        assert part in text
    assert "<b>" not in found()._repr_html_()  # escaped
    assert found().chart("c").title == "A line"
    with pytest.raises(ValueError, match="`chart` must be one of 'c'"):
        found().chart("d")


def test_a_long_table_says_what_it_leaves_out() -> None:
    table = Table("t", "Many", pl.DataFrame({"x": range(1025)}))
    assert "and 1,005 rows more" in Balanced(table._repr_html_()).text


def test_a_chart_is_drawn_by_the_renderer_that_is_enabled() -> None:
    chart = found().charts[0]
    with altair.renderers.enable("mimetype"):
        bundle, _ = chart._repr_mimebundle_()
    assert [spec for kind, spec in bundle.items() if kind.startswith("application/vnd.vegalite")] == [chart.spec]
    altair.renderers.register("a test's", lambda spec, **_: {"text/plain": f"mark {spec['mark']}"})
    with altair.renderers.enable("a test's"):
        assert chart._repr_mimebundle_() == {"text/plain": "mark line"}


def test_tools_are_told_by_modules_that_tell_them() -> None:
    for name in ("fit", "measure", "plan", "probe"):
        import_module(f"twopart.tools.{name}")
    import_module("twopart.tools.fit.batches")
    told = {kind.__name__: kind._told_by for kind in Shown.__subclasses__()}
    assert set(told) >= {
        "TrainingPlan",
        "KnowledgePlan",
        "FineTunePlan",
        "BatchPlan",
        "Measurement",
        "Fitted",
        "BatchFit",
        "Probed",
    }
    assert all(callable(import_module(module).findings) for module in told.values())


def test_fits_show_their_numbers_with_intervals() -> None:
    fit = tp.fits.pitman_yor([1, 2, 5], [300, 80, 7])
    text = Balanced(fit._repr_html_()).text
    assert f"{fit.discount:.4g}"[:5] in text
    assert "387 types in 495 tokens, 300 of them seen once." in text
    power = tp.fits.discrete_power_law(np.repeat([1, 2, 3, 4, 9], [60, 20, 9, 5, 1]))
    assert "xmin" in Balanced(power._repr_html_()).text
    sizes = np.array([8, 16, 32, 64, 128, 256])
    batch = tp.fits.critical_batch_size(sizes, 100 + 20_000 / sizes, resamples=50)
    assert "critical batch size B*" in Balanced(batch._repr_html_()).text
    sure = tp.fits.Calibration(np.array([0.9, 0.2]), np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    assert re.search(r"expected calibration error\s+0\.15", Balanced(sure._repr_html_()).text)
    numbers = {"nats": (0.1, 0.2), "speed": (0.3, 0.5)}
    learner = tp.laws.knowledge.LearnerFit(0.17, 0.4, 0.0, numbers, 0.2, {}, None, {})
    assert re.search(
        r"γ, nats that an exposure gives\s+0\.17\d*\s+0\.1\d* to 0\.2", Balanced(learner._repr_html_()).text
    )
    lags, noise = np.geomspace(1, 1000, 40), np.random.default_rng(0).normal(0, 0.01, (50, 40))
    falls = tp.fits.decay(lags, lags**-0.5, bootstrap=lags**-0.5 * np.exp(noise))
    assert re.search(r"exponent\s+0\.5", Balanced(falls._repr_html_()).text)


def test_a_plan_of_a_scaling_law_shows_its_inputs() -> None:
    n, d = (part.ravel() for part in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e11, 6)))
    law = tp.fits.scaling_law(n, d, 1.8 + 480 * n**-0.35 + 2000 * d**-0.37, resamples=20)
    text = Balanced(law.allocate(flops=1e21)._repr_html_()).text
    assert all(name in text for name in ("FLOP", "parameters", "tokens", "loss"))


def test_plans_show_themselves_as_their_findings() -> None:
    from twopart.tools.plan import plan_knowledge
    from twopart.tools.plan.knowledge_findings import findings

    plan = plan_knowledge(discount=0.5, facts_bits=6, params=1e6)
    assert plan._repr_html_() == findings(plan)._repr_html_()
    assert findings(plan).title in Balanced(plan._repr_html_()).text


def test_grids_line_numbers_up_to_the_right() -> None:
    html = grid(("n", "word"), ([1, None, 30], ["a", "b", "c"]))
    assert html.count("text-align:right") == html.count("text-align:left") == 4
    assert "0.9 to 1.1" in Balanced(quantities([("x", 1.0, (0.9, 1.1)), ("y", "a word", None)])).text
    assert Balanced(shown("<t>", Markup("<p>x</p>"))).text.split() == ["<t>", "x"]
    assert tally(["fails", "holds", "holds"]) == "2 hold, 1 fails"
