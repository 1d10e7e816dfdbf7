"""What an audit says, whichever way it was made."""

from dataclasses import dataclass

from hanse_privacy.validation import require, require_non_negative, require_probability


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """A lower bound on ε that holds with a stated confidence.

    With the probability ``confidence``, over the mechanism's and the audit's randomness, a mechanism that is
    (ε, δ)-differentially private for adding or removing one unit gives a bound that is not above ε. A bound above a
    claimed ε therefore refutes the claim. A bound below it shows nothing: an audit fails to refute; it never proves.

    Args:
        epsilon_lower_bound: 0 when nothing was found.
        confidence: 1 - β, between 0 and 1.
        delta: The δ at which the bound on ε holds.
    """

    epsilon_lower_bound: float
    confidence: float
    delta: float

    def __post_init__(self) -> None:
        require_non_negative(epsilon_lower_bound=self.epsilon_lower_bound)
        require_probability(confidence=self.confidence)
        require(0 <= self.delta < 1, name="delta", value=self.delta, bound="from 0 to below 1")

    def refutes(self, claimed_epsilon: float) -> bool:
        """Say whether the mechanism is not (``claimed_epsilon``, δ)-private, at the result's δ and confidence.

        Raises:
            InvalidValueError: If the claim is negative or no finite number.
        """
        require_non_negative(claimed_epsilon=claimed_epsilon)
        return self.epsilon_lower_bound > claimed_epsilon
