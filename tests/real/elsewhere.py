"""Runs a program unmodified while its vendor's hosts are answered on loopback.

    python elsewhere.py '{"https://api.vendor.com": "http://127.0.0.1:8801"}' module:name arguments

Runs in the interpreter of that program, so it imports nothing of ours. Any other host is refused.
A login by a refresh token, which takes a person and a browser once, becomes one of a program.
"""

from __future__ import annotations

import importlib
import json
import sys
from functools import reduce
from typing import Any
from urllib.parse import parse_qs

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter

hosts: dict[str, str] = json.loads(sys.argv[1])
send = HTTPAdapter.send


def elsewhere(self: HTTPAdapter, request: PreparedRequest, **kwargs: Any) -> Response:
    url = request.url or ""
    for vendor, here in hosts.items():
        if url.startswith(f"{vendor}/"):
            request.url = here + url.removeprefix(vendor)
    if not (request.url or "").startswith(tuple(hosts.values())):
        raise PermissionError(f"{url} is not on loopback")
    if url.endswith("/oauth2/token"):
        form = {name: values[-1] for name, values in parse_qs(str(request.body)).items()}
        request.prepare_body(form | {"grant_type": "client_credentials"}, None)
    return send(self, request, **kwargs)


HTTPAdapter.send = elsewhere  # type: ignore[method-assign]
module, _, name = sys.argv[2].partition(":")
sys.argv[:3] = [module]
reduce(getattr, name.split("."), importlib.import_module(module))()
