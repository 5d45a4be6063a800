"""Reproducible comparisons: CPU-seconds and memory beside a floor or a peer in the same run."""
