"""`python -m core COMMAND`: music, conduct, beats, doctor, worker."""
import sys

from core.cli import main
from core.start import quiet_threads

if __name__ == "__main__":
    quiet_threads()
    sys.exit(main())
