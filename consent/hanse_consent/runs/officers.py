"""Who decides about runs: a person, acting for named controllers."""

from dataclasses import dataclass

from hanse_consent.runs.errors import OfficerForeignError


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """A compliance officer whose identity was proved.

    Args:
        name: The account: one person, one name.
        controllers: For whom the officer may decide.
    """

    name: str
    controllers: frozenset[str]

    def require_acts_for(self, controller: str) -> None:
        """Accept a controller that the officer acts for, or raise.

        Raises:
            OfficerForeignError: If it is another's.
        """
        if controller not in self.controllers:
            raise OfficerForeignError(
                f"{self.name} does not act for {controller}.", "Ask an officer of that controller to decide."
            )
