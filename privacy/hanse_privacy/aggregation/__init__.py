"""Secure aggregation over a full roster: whoever adds up what the vaults send learns the sum and nothing else.

The vaults of one run agree on pairwise secrets (:mod:`.session_keys`). For each attempt at a round every pair derives
a mask that one of the two adds and the other subtracts (:mod:`.masks`), in arithmetic modulo 2^32 or 2^64
(:mod:`.ring`), so that the masks cancel in the sum of all vaults and in no smaller one. What a vault may answer, and
when, is decided in :mod:`.vault_side`; :mod:`.centre_side` collects and adds up. No module here reads or writes a file.

The masking is that of Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS
2017), section 4, without its recovery from drop-outs: a roster of a few steady partners does without the second mask
and the shares whose release is where a lying server attacks. If a vault is missing there is no sum.
"""
