"""`python -m callm.cli`: the same as `callm`."""

import sys

from callm.cli import main

sys.exit(main())
