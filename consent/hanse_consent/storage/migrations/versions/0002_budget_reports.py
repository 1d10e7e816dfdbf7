"""What vaults and centres say of budgets."""

import sqlalchemy as sa
from alembic import op

from hanse_consent.storage.migrations.protection import separate_controllers

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "budget_report",
        sa.Column("controller", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("signer_key", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("said_us", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("older_position", sa.BigInteger(), nullable=True),
        sa.Column("older_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("controller", "kind", "signer_key"),
    )
    separate_controllers("budget_report", numbered=False)


def downgrade() -> None:
    """Drop it: everybody reports again."""
    op.drop_table("budget_report")
