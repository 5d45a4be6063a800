"""The same contacts with dlt, in an environment that has dlt and not Rapport.

    python dlt_peer.py tuned|arrow|changes URL FOLDER

`tuned`: the `rest_api` source with what dlt's documentation advises: Parquet, normalize
workers, large buffers, file rotation, no child tables. `arrow`: Arrow tables yielded, which
dlt takes past its normalizer. `changes`: what changed since, merged by key into the table that
`tuned` made.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "WARNING",
    "NORMALIZE__WORKERS": "2",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    "DATA_WRITER__FILE_MAX_ITEMS": "100000",
}

import dlt
import requests
from dlt.sources.rest_api import rest_api_resources


def contacts(url: str, since: str | None, disposition: str):
    return rest_api_resources(
        {
            "client": {
                "base_url": url,
                "paginator": {
                    "type": "cursor",
                    "cursor_path": "paging.next.after",
                    "cursor_param": "after",
                },
            },
            "resources": [
                {
                    "name": "contacts",
                    "endpoint": {
                        "path": "contacts",
                        "data_selector": "results",
                        "params": {"since": since} if since else {},
                    },
                    "primary_key": "id",
                    "write_disposition": disposition,
                    "max_table_nesting": 0,
                }
            ],
        }
    )


@dlt.resource(name="contacts", write_disposition="append")
def arrow(url: str):
    import pyarrow

    session = requests.Session()
    after = "0"
    while after is not None:
        page = session.get(f"{url}/contacts", params={"after": after}).json()
        yield pyarrow.Table.from_pylist(page["results"])
        after = page["paging"].get("next", {}).get("after")


def main(case: str, url: str, folder: Path) -> None:
    name = "arrow" if case == "arrow" else "tuned"
    pipeline = dlt.pipeline(
        name,
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.duckdb(str(folder / f"{name}.duckdb")),
        dataset_name="bench",
    )
    if case == "arrow":
        data = arrow(url)
    elif case == "tuned":
        data = contacts(url, None, "append")
    else:
        data = contacts(url, "2026-01-01T00:00:00Z", "merge")
    pipeline.run(data, loader_file_format="parquet")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
