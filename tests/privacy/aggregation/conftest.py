"""A roster of vaults that hold each other's ephemeral keys."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
