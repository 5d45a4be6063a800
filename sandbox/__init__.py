"""A generated organization and HTTP servers that speak each vendor's API from it.

Knows the vendors' contracts and nothing of the connectors that are tried against it.
"""
