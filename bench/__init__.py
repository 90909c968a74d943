"""Side-by-side benchmarks of callm and its peers: `make bench` runs them and writes `RESULTS.md`."""
