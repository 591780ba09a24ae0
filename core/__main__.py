"""`python -m core COMMAND`: what `core/cli` has, such as generate, beats and doctor."""
import sys

from core.cli import main
from core.start import quiet_threads

if __name__ == "__main__":
    quiet_threads()
    sys.exit(main())
