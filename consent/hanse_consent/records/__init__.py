"""Consent records and receipts in ISO/IEC TS 27560 terms, and what leaves or enters in bulk."""
