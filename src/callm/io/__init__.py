"""Everything that touches the world: the network, threads and loops, local models."""
