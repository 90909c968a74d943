"""One description of all models a program calls, as a dictionary or TOML, and the trees of Models made of it."""
