"""A Bluesky network in memory and the XRPC API it is read through."""

from sandbox.bluesky.http import app
from sandbox.bluesky.store import Account, Network, NetworkSettings, Post

__all__ = ["Account", "Network", "NetworkSettings", "Post", "app"]
