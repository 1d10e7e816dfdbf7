"""How far a consent service was: remembered per service and over a restart, never taken back."""

from pathlib import Path

import pytest

from hanse_client.vault.consent_positions import ConsentPositions, ConsentRolledBackError
from hanse_client.vault.register_file import RegisterUnusableError
from hanse_client.vault.run_register import RunRegister


def test_a_position_never_goes_back(tmp_path: Path) -> None:
    positions = ConsentPositions(tmp_path / "runs.db")
    for position in (0, 5, 5, 7):
        positions.advance("service", position)
    with pytest.raises(ConsentRolledBackError, match="position 6; it was at 7"):
        positions.advance("service", 6)
    again = ConsentPositions(tmp_path / "runs.db")
    with pytest.raises(ConsentRolledBackError):
        again.advance("service", 0)
    again.advance("service", 7)
    again.advance("another service", 1)


def test_it_may_live_in_the_registers_file(tmp_path: Path) -> None:
    register, positions = RunRegister(tmp_path / "runs.db"), ConsentPositions(tmp_path / "runs.db")
    positions.advance("service", 3)
    assert register.runs() == ()
    assert register.remember_letter(b"one", run="churn-1")


def test_memory_that_is_lost_is_an_error(tmp_path: Path) -> None:
    positions = ConsentPositions(tmp_path / "runs.db")
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(RegisterUnusableError, match="cannot be written"):
        positions.advance("service", 3)
    with pytest.raises(RegisterUnusableError):
        ConsentPositions(tmp_path / "no such folder" / "runs.db")
