"""Ways to declare a function that a model answers. All of them end in a `Request` to a `Client`."""
