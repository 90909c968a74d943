"""The same faults against callm and its peers: `python -m bench.faults` writes `bench/FAULTS.md`."""
