"""``hanse consent verify-receipt``: what a receipt says, once it is known to be true."""

from pathlib import Path
from typing import Annotated

import typer

from hanse_consent.records.errors import ReceiptUnreadableError
from hanse_consent.records.receipt import MAX_RECEIPT_BYTES, verify_receipt
from hanse_consent.records.wording import receipt_lines
from hanse_privacy.identity import PublicKey


def verify_receipt_command(
    file: Annotated[Path, typer.Argument(help="The receipt, as the shop handed it out.")],
    key: Annotated[str, typer.Option("--key", help="The consent service's public key: hanse-ed25519:…")],
) -> None:
    """Check a consent receipt without any network, and print what it says."""
    public = PublicKey.from_text(key)
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_RECEIPT_BYTES + 1)
    except OSError as error:
        raise ReceiptUnreadableError(
            f"The file {file.name} cannot be read ({error.strerror}).", "Name the receipt's file."
        ) from error
    receipt = verify_receipt(data, key=public)
    typer.echo("The receipt is genuine: signed with the given key, and not altered since.")
    typer.echo(f"Key:          {public.fingerprint}")
    for line in receipt_lines(receipt):
        typer.echo(line)
