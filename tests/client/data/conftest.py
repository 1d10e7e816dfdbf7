import sys
from pathlib import Path

import pytest

from hanse_models.catalogue import Catalogue

sys.path.insert(0, str(Path(__file__).parent))

from small_shop import Shop, write_catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return write_catalogue(
        tmp_path / "catalogue",
        [("Milk", "food", "no"), ("Bread", "food", "no"), ("Painkillers", "food", "yes")],
        {"G1": 0, "G2": 0, "G3": 1, "G4": 2},
    )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Four customers, two stores, two lines per receipt, nothing wrong."""
    lines = [
        [
            f"card-{customer}",
            f"2025-02-{day:02d} 10:{customer:02d}:00",
            str(1 + day % 2),
            f"{day}{customer}",
            *(plu, "1", "2.50", "0.10"),
        ]
        for customer in range(4)
        for day in range(20, 25)
        for plu in ("10", "12")
    ]
    items = [["10", "G1"], ["11", "G2"], ["12", "G3"], ["13", "G4"], ["14", "ZZ"]]
    return Shop(folder=tmp_path, lines=lines, items=items)
