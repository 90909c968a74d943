"""BAML projects: what a `.baml` source declares, as the same schemas, prompts and clients that Python code declares."""
