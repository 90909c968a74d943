"""The version, for the package and for what it says of itself to servers."""

from typing import Final

__version__: Final = "0.1.0"
