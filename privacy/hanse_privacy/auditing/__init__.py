"""Audits by canaries: lower bounds on ε from what a mechanism really releases.

A proof bounds ε from above, and holds for the mechanism that was proved. An audit bounds ε from below, and holds for
the program that ran: canaries are put in or left out, somebody guesses from the releases which it was, and whoever
guesses too well has refuted the claimed ε. An audit that does not refute a claim has failed to refute it; it never
proves it, since a better guess or a worse canary may exist.

:mod:`.one_run` needs a single release with many canaries, :mod:`.worst_case` many releases with and without one.
Everything here is a pure function of counts and scores: who plays the releases is up to the caller.
"""
