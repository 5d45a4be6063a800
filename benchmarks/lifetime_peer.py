"""`lifetimes` fitting the same purchases, in an environment that has it and not Rapport.

    python lifetime_peer.py FOLDER/histories.parquet

Prints, per case, CPU-seconds of the quickest of three fits, and parameters as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import pandas
from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter

REPEATS = 3


def quickest(fitter: Any, *columns: Any, **options: Any) -> dict[str, Any]:
    seconds = []
    for _ in range(REPEATS):
        model = fitter()
        began = time.process_time()
        model.fit(*columns, **options)
        seconds.append(time.process_time() - began)
    return {
        "seconds": min(seconds),
        "parameters": dict(model.params_),
    }


def main(path: str) -> None:
    rows = pandas.read_parquet(path)
    found = {}
    for name, people in (("sample", rows[rows["in_sample"] == 1]), ("all", rows)):
        history = [people[column] for column in ("repeats", "recency", "age")]
        equal = people.groupby(["repeats", "recency", "age"]).size().reset_index(name="count")
        grouped = [equal[column] for column in ("repeats", "recency", "age")]
        again = people[(people["repeats"] > 0) & (people["mean_spend"] > 0)]
        found[name] = {
            "bg_nbd": quickest(BetaGeoFitter, *history),
            "bg_nbd grouped": quickest(BetaGeoFitter, *grouped, weights=equal["count"]),
            "mbg_nbd": quickest(ModifiedBetaGeoFitter, *history),
            "gamma_gamma": quickest(GammaGammaFitter, again["repeats"], again["mean_spend"]),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
