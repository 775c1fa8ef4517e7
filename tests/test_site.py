"""The site of docs/: every page has its place, studies need no list, formulas are set, and nothing comes from elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from scripts.site import pages, prose
from scripts.site.formulas import UnreadableError, mathml
from scripts.site.pages import Site

from twopart.studies._study import Place, places

ROOT = Path(__file__).parents[1]
SITE = Site(ROOT)
LAWS = SITE.folder("laws")


def listed(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [path for part in (nav.values() if isinstance(nav, dict) else nav) for path in listed(part)]


def test_every_page_stands_in_the_navigation_once() -> None:
    written = {str(path.relative_to(SITE.docs)) for path in SITE.docs.rglob("*.md")}
    expected = written | set(SITE.generated()) | {"notebook.md"}
    found = listed(SITE.navigation())
    assert sorted(found) == sorted(expected)


def test_every_study_is_on_the_pages_that_are_made() -> None:
    choose, gallery = SITE.choose(), SITE.gallery()
    for name in places():
        answered = [page for page in LAWS if SITE.study_of(page) == name]
        assert f"twopart run {name}`" in choose or all(f"({page.path})" in choose for page in answered or [None])
        if SITE.result(name):
            assert f"results/{name}/README.md" in gallery
            assert f"results/{name}/README.md" in choose


def test_the_list_of_results_has_each_published_run_once() -> None:
    text = (SITE.docs / "results/README.md").read_text()
    rows = re.findall(r"^\| \[([a-z-]+)\]\(\1/README\.md\) \|", text, re.M)
    assert sorted(rows) == sorted(page.parent.name for page in (SITE.docs / "results").glob("*/README.md"))


def test_a_new_study_needs_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file, its law's page and its published run put it into the navigation, the choice, the methods and the gallery."""
    study = tmp_path / "falling_apples.py"
    study.write_text('"""How fast do apples fall?"""\n')
    known = {"falling-apples": Place("falling-apples", "policies", study, "falling_apples")}
    monkeypatch.setattr(pages, "places", lambda: known)
    docs = tmp_path / "docs"
    (docs / "results/falling-apples/figures").mkdir(parents=True)
    (docs / "laws").mkdir()
    (docs / "results/falling-apples/README.md").write_text("# Apples\n\n![Fall](figures/fall.svg)\n")
    (docs / "results/falling-apples/claims.json").write_text('{"claims": [{"verdict": "fails"}, {"verdict": "fails"}]}')
    law = "# The law of apples\n\n*How fast?*\n\n```python\nprint(9.81)\n```\n\nStudy: `twopart run falling-apples`.\n"
    (docs / "laws/apples.md").write_text(law)
    site = Site(tmp_path)
    for name in ("lossless.md", "saved-models.md"):
        (docs / name).write_text(f"# {name}\n")
    assert {"laws/apples.md", "results/falling-apples/README.md"} <= set(listed(site.navigation()))
    assert "| How fast? | [law](laws/apples.md) · [run](results/falling-apples/README.md) |" in site.choose()
    assert "print(9.81)" in site.methods()
    assert "results/falling-apples/figures/fall.dark.svg#only-dark" in site.gallery()
    assert "How fast do apples fall?" in site.gallery()
    assert "2 fail" in site.gallery()
    assert site.figure_of(site.page("laws/apples.md")).startswith(
        "![Apples](../results/falling-apples/figures/fall.svg)"
    )


def test_a_law_without_a_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docs/laws").mkdir(parents=True)
    (tmp_path / "docs/laws/lost.md").write_text("# Lost\n")
    with pytest.raises(ValueError, match=r"laws/lost\.md names no study; write which one looks at it"):
        _ = Site(tmp_path).laws


@pytest.mark.parametrize("page", LAWS, ids=lambda page: page.path)
def test_a_law_opens_with_lines_of_code(page: pages.Page) -> None:
    assert page.opening
    compile(page.opening.removeprefix("```python\n").removesuffix("```\n"), page.path, "exec")


OPENED = ["acquisition", "capacity", "data", "feature-averaging", "finetuning", "hallucination", "joint", "real-text"]


@pytest.mark.parametrize("name", [*OPENED, "structure-function"])
def test_the_opening_lines_run(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that no test of the law's own takes from its page."""
    exec(SITE.page(f"laws/{name}.md").opening.split("\n", 1)[1].removesuffix("```\n"), {})
    assert capsys.readouterr().out


def test_api_pages_have_every_public_name_at_its_nearest_face() -> None:
    made = {face.name: SITE.api(face) for face in SITE.faces}
    for face in SITE.faces:
        for name in face.names:
            told = f"::: {face.name}.{name}" in made[face.name] or f"`{name}`" in made[face.name]
            assert told or f"{face.name}.{name}" in made
    assert {"twopart.findings", "twopart.tools.plan", "twopart.laws.regression", "twopart.evidence"} <= set(made)
    assert "::: twopart.laws.knowledge.data_law" in made["twopart.laws.knowledge"]
    assert "From [twopart.laws.knowledge](twopart.laws.knowledge.md): `CapacityLaw`," in made["twopart.laws"]


def test_displayed_formulas_are_set() -> None:
    """Nearly all: what the notation does not cover, such as a table half of which is words, stays the text that it is."""
    formulas, left = 0, []
    for page in [*LAWS, *SITE.folder("fits"), SITE.page("writing-a-study.md")]:
        blocks = [b for part in prose.FENCES.split(page.text)[::3] for b in prose.INDENTED.findall(part)]
        shown = [block for block in blocks if not prose.CODE.search(block) and prose.SIGN.search(block)]
        markup = prose.prepared(page.text)
        formulas += len(shown)
        left += [(page.path, block) for block in shown if block in markup]
        for math in re.findall(r"<math.*?</math>", markup):
            ET.fromstring(math.replace("&#95;", "_"))  # well formed
    assert formulas > 80
    assert len(left) <= 0.05 * formulas, left
    assert ("laws/finetuning.md", "an old fact (e, a)") in [(path, block.strip()[:18]) for path, block in left]


@pytest.mark.parametrize(
    ("text", "set_as"),
    [
        ("x_i²", "<msubsup><mi>x</mi><mrow><mi>i</mi></mrow><mrow><mn>2</mn></mrow></msubsup>"),
        ("w*_i", "<msubsup><mi>w</mi><mrow><mi>i</mi></mrow><mrow><mo>∗</mo></mrow></msubsup>"),
        ("N_eff", "<msub><mi>N</mi><mrow><mi>eff</mi></mrow></msub>"),
        ("a/(b + 1)", "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi>"),
        ("c a/b", '<mi>c</mi><mspace width="0.22em"/><mfrac>'),
        ("a / b", "<mo>/</mo>"),
        ("λ^-(1-d)", "<mo>−</mo><mo>(</mo>"),
        ("λ^(1/d)", "<msup><mi>λ</mi><mrow><mn>1</mn><mo>/</mo><mi>d</mi></mrow></msup>"),
        ("√(D/p)", "<msqrt><mi>D</mi><mo>/</mo><mi>p</mi></msqrt>"),
        ("Σ_{i<j} p̃", "<munder><mo>∑</mo>"),
        ("log2(n)", "<msub><mi>log</mi><mn>2</mn></msub>"),
        ("ψ0(x)", "<msub><mi>ψ</mi><mrow><mn>0</mn></mrow></msub>"),
        ("<w_i, x>", '<mo form="prefix">⟨</mo>'),
        ("a < b", "<mo>&lt;</mo>"),
        ("|K^{-1} k|²", "<msup><mrow>"),
        ("P(x | y)", "<mo>|</mo>"),
        ("risk at infinite width", '<mi>risk</mi><mspace width="0.22em"/><mi>at</mi>'),
        ("|x_⊥|²", "<msub><mi>x</mi><mrow><mi>⊥</mi></mrow></msub>"),
        ("p̃", '<mover accent="true"><mi>p</mi><mo stretchy="false">~</mo></mover>'),
    ],
)
def test_a_formula_is_set(text: str, set_as: str) -> None:
    assert set_as in mathml(text)
    ET.fromstring(mathml(text))


@pytest.mark.parametrize("text", ["(a", "a)", "x^", "x_", "a {b", "f(x]", 'say "a"', "a = b\nwords alone"])
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(UnreadableError):
        mathml(text)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        (
            "the risk w_i^2 of <w, x*> and *any W*, or x* itself",
            "the risk w<sub>i</sub><sup>2</sup> of ⟨w, x\\*⟩ and *any W*, or x\\* itself",
        ),
        ("`w_i` and [ab](c_d.md) and N^-(1-d)", "`w_i` and [ab](c_d.md) and N<sup>−(1-d)</sup>"),
        ("```python\nx_i = 1\n```\n", "```python\nx_i = 1\n```\n"),
        ("see\n\n    tp.fits.x_i(1)\n\nend", "see\n\n    tp.fits.x_i(1)\n\nend"),
        ("γ²μ_i²/B, 1/λ_25", "γ²μ<sub>i</sub>²/B, 1/λ<sub>25</sub>"),
        ("E w*_i² and w*² and w*, too", r"E w\*<sub>i</sub>² and w\*² and w\*, too"),
    ],
)
def test_prose_keeps_what_is_no_formula(text: str, prepared: str) -> None:
    assert prose.prepared(text) == prepared


def test_what_a_page_would_fetch_is_found() -> None:
    from scripts.site.hooks import FETCHED, darkened

    assert not FETCHED.search(
        '<a class="x" href="https://arxiv.org">paper</a><img src="a.svg"><script src="../b.js"></script>'
    )
    assert FETCHED.search('<script async src="https://cdn.example/x.js">')
    assert FETCHED.search('<link rel="stylesheet" href="//fonts.example/css">')
    assert (
        darkened('<rect fill="#ffffff"/><path stroke="#123456"/>') == '<rect fill="#15181d"/><path stroke="#123456"/>'
    )
