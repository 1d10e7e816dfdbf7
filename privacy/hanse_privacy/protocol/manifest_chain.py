"""The chain of a run's manifests, as the vault that asks for them follows it.

Each manifest names the digest of the one before it in the same run at the same partner (``previous``), so that one
digest stands for everything that was issued up to it. A vault remembers two things of a run: the digest of the newest
manifest that it has accepted, and the questions that it has sent and that no manifest has answered yet. With every
question it names that digest (``CohortRequest.known``). The answer brings the new manifest and, signed and without
their members, those issued since the named one (*missed*), oldest first. The vault accepts them if

1. they continue the chain from the digest that it named, one after the other, up to the new one; and
2. each answers a question of its own that was open, and only one answers each.

Why the missed ones: an answer may be lost on its way after the service has recorded it, and so may a question be
delivered late. The next manifest then names one that the vault never saw. If the vault insisted on its own last one, a
single lost answer would end an honest run; if it took any ``previous``, a service could show it any history.

Why 1: a fork, a chain that was taken back or a link that is left out would need two manifests of one digest.

Why 2: otherwise a manifest that was issued behind the vault's back would pass as a lost one. A manifest can only answer
a question that is open, so that a service cannot answer one question twice either. And a vault whose own state was set
back to an older copy does not know the questions that it has sent since: it stops instead of repeating its rounds.

What the vault cannot see from here: another history that is shown to somebody else and never to it.

The state is kept durably before a question leaves and before a cohort is used; it only changes where all of this holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hanse_privacy.errors import HanseError
from hanse_privacy.protocol.manifest import NO_PREVIOUS, CohortManifest, CohortRequest
from hanse_privacy.validation import require


class ManifestChainBrokenError(HanseError):
    """The manifest does not continue the run's chain as this vault knows it: nobody may be used."""

    code = "MANIFEST_CHAIN_BROKEN"


@dataclass(frozen=True, kw_only=True)
class ManifestChain:
    """What a vault remembers of one run's manifests.

    Args:
        newest: Digest of the newest manifest that was accepted, or ``NO_PREVIOUS``.
        open_questions: Digests of the questions that were sent and that no accepted manifest answers.
    """

    newest: str = NO_PREVIOUS
    open_questions: frozenset[str] = frozenset()

    def asked(self, request: CohortRequest) -> "ManifestChain":
        """The state once a question is on its way.

        Raises:
            InvalidValueError: If it names another manifest than the newest as known.
        """
        require(request.known == self.newest, name="known", value=request.known, bound=self.newest)
        return replace(self, open_questions=self.open_questions | {request.digest})

    def followed(self, manifest: CohortManifest, *, missed: Sequence[CohortManifest]) -> "ManifestChain":
        """The state once a manifest and those missed before it are accepted.

        Args:
            manifest: The answer to the last question; signature and question have been verified.
            missed: Issued since the manifest that the question named as known, oldest first; signatures verified.

        Raises:
            ManifestChainBrokenError: If they do not continue the chain, or answer what was not asked.
        """
        newest, still_open = self.newest, set(self.open_questions)
        for one in (*missed, manifest):
            if one.previous != newest:
                raise ManifestChainBrokenError(
                    f"The consent service shows another history of run {manifest.run} than it did before.",
                    "Have its operator explain it, or restore the newest store; until then nobody may be used.",
                )
            if one.question.digest not in still_open:
                raise ManifestChainBrokenError(
                    f"The consent service has issued a manifest of run {manifest.run} that this vault did not ask for.",
                    "Ask its operator; if this vault's own state is an older copy, start a new run.",
                )
            still_open.remove(one.question.digest)
            newest = one.digest
        return ManifestChain(newest=newest, open_questions=frozenset(still_open))
