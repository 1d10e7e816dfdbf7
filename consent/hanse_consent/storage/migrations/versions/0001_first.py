"""The first schema."""

import sqlalchemy as sa
from alembic import op

from hanse_consent.storage.migrations.planning import tell_planner
from hanse_consent.storage.migrations.protection import allow_rewriting, forbid_rewriting, separate_controllers

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAMES_CONTROLLER = (
    "access_account_role",
    "access_look_up",
    "cohort_kept_leaf",
    "cohort_manifest",
    "cohort_report",
    "controller_stand",
    "league_run_controller",
    "league_run_event",
)
_NUMBERS_CONTROLLER = ("consent_act", "customer", "fact", "profile_detail", "tombstone")
_NEVER_REWRITTEN = {
    "access_account": ("DELETE",),
    "access_event": ("UPDATE", "DELETE"),
    "access_look_up": ("UPDATE", "DELETE"),
    "cohort_kept_leaf": ("UPDATE", "DELETE"),
    "cohort_manifest": ("UPDATE", "DELETE"),
    "cohort_report": ("UPDATE", "DELETE"),
    "consent_act": ("UPDATE", "DELETE"),
    "league_run": ("UPDATE", "DELETE"),
    "league_run_controller": ("UPDATE", "DELETE"),
    "league_run_event": ("UPDATE", "DELETE"),
    "profile_detail": ("UPDATE",),
    "registry_document": ("UPDATE", "DELETE"),
    "tombstone": ("DELETE",),
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "access_account",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("disabled_us", sa.BigInteger(), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "access_event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "access_look_up",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("actor_kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("persons", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("access_look_up_by_controller", "access_look_up", ["controller", "number"], unique=False)
    op.create_index(
        "access_look_up_of_one",
        "access_look_up",
        ["controller", "persons", "number"],
        unique=False,
        sqlite_where=sa.text("people = 1"),
        postgresql_where=sa.text("people = 1"),
    )
    op.create_index(
        "access_look_up_of_many",
        "access_look_up",
        ["controller", "number"],
        unique=False,
        sqlite_where=sa.text("people > 1"),
        postgresql_where=sa.text("people > 1"),
    )
    op.create_table(
        "access_node_suspension",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("suspended_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )
    op.create_table(
        "access_seen_request",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("good_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_access_seen_request_good_until_us"), "access_seen_request", ["good_until_us"], unique=False
    )
    op.create_table(
        "cohort_manifest",
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("run", sa.String(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("member_count", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.String(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("controller", "run", "serial"),
        sa.UniqueConstraint("controller", "digest"),
    )
    op.create_table(
        "consent_act",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("customer_no", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("said_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("registry_version", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("tier", sa.String(), nullable=True),
        sa.Column("notice", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("explicit", sa.Boolean(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=True),
        sa.Column("separate_matter", sa.String(), nullable=True),
        sa.Column("separate_subject", sa.String(), nullable=True),
        sa.Column("interaction", sa.String(), nullable=True),
        sa.Column("preselected", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("controller_no", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("consent_act_customer", "consent_act", ["controller_no", "customer_no"], unique=False)
    op.create_index("consent_act_key", "consent_act", ["controller_no", "key"], unique=True)
    op.create_table(
        "controller_stand",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("erased", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("controller_no"),
        sa.UniqueConstraint("controller", name="controller_stand_controller"),
    )
    op.create_table(
        "customer",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("customer_no", sa.Integer(), nullable=False),
        sa.Column("pseudonym", sa.LargeBinary(), nullable=True),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("controller_no", "customer_no"),
        sqlite_with_rowid=False,
    )
    op.create_index("customer_pseudonym", "customer", ["controller_no", "pseudonym"], unique=True)
    op.create_table(
        "fact",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("topic_no", sa.Integer(), nullable=False),
        sa.Column("customer_no", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("explicit", sa.Boolean(), nullable=False),
        sa.Column("tier_rank", sa.SmallInteger(), nullable=True),
        sa.Column("notice_no", sa.Integer(), nullable=True),
        sa.Column("effective_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("country", sa.CHAR(length=2), nullable=True),
        sa.Column("born_on", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("controller_no", "topic_no", "customer_no", "until"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "league_run",
        sa.Column("run", sa.String(length=81), nullable=False),
        sa.Column("proposal", sa.String(length=64), nullable=False),
        sa.Column("centre", sa.String(length=40), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("submitted_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run"),
    )
    op.create_table(
        "league_run_controller",
        sa.Column("controller", sa.String(length=40), nullable=False),
        sa.Column("run", sa.String(length=81), nullable=False),
        sa.Column("submitted_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("controller", "run"),
    )
    op.create_index(
        "league_run_by_submission", "league_run_controller", ["controller", "submitted_us", "run"], unique=False
    )
    op.create_table(
        "league_run_event",
        sa.Column("controller", sa.String(length=40), nullable=False),
        sa.Column("run", sa.String(length=81), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("controller", "run", "number"),
    )
    op.create_table(
        "numbered_name",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name", name="numbered_name_name"),
    )
    op.create_table(
        "profile_detail",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("customer_no", sa.Integer(), nullable=False),
        sa.Column("country", sa.CHAR(length=2), nullable=True),
        sa.Column("adult", sa.Boolean(), nullable=True),
        sa.Column("born_on", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("controller_no", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index("profile_detail_customer", "profile_detail", ["controller_no", "customer_no"], unique=False)
    op.create_table(
        "registry_document",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.String(), nullable=True),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version"),
    )
    op.create_table(
        "store_secret",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tombstone",
        sa.Column("controller_no", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("erased_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("controller_no", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "access_account_role",
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["access_account.name"],
        ),
        sa.PrimaryKeyConstraint("account", "controller", "role"),
    )
    op.create_table(
        "access_session",
        sa.Column("token_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["access_account.name"],
        ),
        sa.PrimaryKeyConstraint("token_sha256"),
    )
    op.create_index(op.f("ix_access_session_account"), "access_session", ["account"], unique=False)
    op.create_index(op.f("ix_access_session_ends_us"), "access_session", ["ends_us"], unique=False)
    op.create_table(
        "cohort_kept_leaf",
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("manifest", sa.String(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["controller", "manifest"],
            ["cohort_manifest.controller", "cohort_manifest.digest"],
        ),
        sa.PrimaryKeyConstraint("controller", "manifest", "leaf"),
    )
    op.create_table(
        "cohort_report",
        sa.Column("controller", sa.String(), nullable=False),
        sa.Column("manifest", sa.String(), nullable=False),
        sa.Column("loaded_count", sa.Integer(), nullable=False),
        sa.Column("loaded_root", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["controller", "manifest"],
            ["cohort_manifest.controller", "cohort_manifest.digest"],
        ),
        sa.PrimaryKeyConstraint("controller", "manifest"),
    )
    for table, actions in _NEVER_REWRITTEN.items():
        forbid_rewriting(table, *actions)
    for table in _NAMES_CONTROLLER:
        separate_controllers(table, numbered=False)
    for table in _NUMBERS_CONTROLLER:
        separate_controllers(table, numbered=True)
    tell_planner()


def downgrade() -> None:
    """Drop them, and all that is in them."""
    op.drop_table("cohort_report")
    op.drop_table("cohort_kept_leaf")
    op.drop_index(op.f("ix_access_session_ends_us"), table_name="access_session")
    op.drop_index(op.f("ix_access_session_account"), table_name="access_session")
    op.drop_table("access_session")
    op.drop_table("access_account_role")
    op.drop_table("tombstone")
    op.drop_table("store_secret")
    op.drop_table("registry_document")
    op.drop_index("profile_detail_customer", table_name="profile_detail")
    op.drop_table("profile_detail")
    op.drop_table("numbered_name")
    op.drop_table("league_run_event")
    op.drop_index("league_run_by_submission", table_name="league_run_controller")
    op.drop_table("league_run_controller")
    op.drop_table("league_run")
    op.drop_table("fact")
    op.drop_index("customer_pseudonym", table_name="customer")
    op.drop_table("customer")
    op.drop_index("consent_act_key", table_name="consent_act")
    op.drop_index("consent_act_customer", table_name="consent_act")
    op.drop_table("consent_act")
    op.drop_table("cohort_manifest")
    op.drop_index(op.f("ix_access_seen_request_good_until_us"), table_name="access_seen_request")
    op.drop_table("access_seen_request")
    op.drop_table("access_node_suspension")
    op.drop_index("access_look_up_of_many", table_name="access_look_up")
    op.drop_index("access_look_up_of_one", table_name="access_look_up")
    op.drop_index("access_look_up_by_controller", table_name="access_look_up")
    op.drop_table("access_look_up")
    op.drop_table("access_event")
    op.drop_table("access_account")
    op.drop_table("controller_stand")
    for table in _NEVER_REWRITTEN:
        allow_rewriting(table)
