"""The text of a model to a value of the declared type. Pure: no I/O here."""
