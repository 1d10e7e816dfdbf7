"""A question's rows: what each customer did in each group, added up inside the database."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from hanse_privacy.protocol.question_steps import Grouping, Measure, Question

EXACT = "decimal(18, 4)"
"""Exact sums, so that a customer's figures never depend on anybody else's rows."""


def source_of(question: Question) -> str:
    """The table that a question is about: lines of the league's items, or receipts with all that was on them."""
    of_items = question.by is Grouping.CATEGORY or question.measure is Measure.QUANTITY
    return "purchase" if of_items else "basket"


def grouped(rows: ir.Table, question: Question, *, items: ir.Table, stores: ir.Table) -> ir.Table:
    """Give each row of the question's weeks its group's place; rows in no group go.

    Args:
        rows: Receipts or lines, with their week.
        question: What is asked.
        items: Items and their categories.
        stores: Stores and their groups.
    """
    rows = rows.filter(rows.week.between(question.first_week, question.last_week))
    match question.by:
        case None:
            return rows.mutate(place=ibis.literal(0, "int32"))
        case Grouping.WEEK:
            return rows.mutate(place=(rows.week - question.first_week).cast("int32"))
        case Grouping.CATEGORY:
            return rows.join(items, "item").join(_places("category", question.groups), "category")
        case Grouping.STORE_GROUP:
            return rows.join(stores, "store").join(_places("store_group", question.groups), "store_group")


def amounts_of(rows: ir.Table, measure: Measure) -> ir.Table:
    """Add up what each customer did in each group: columns number, place and amount, in this order."""
    match measure:
        case Measure.CUSTOMERS:
            amount = (rows.count() > 0).cast("float64")
        case Measure.BASKETS:
            amount = rows.basket.nunique().cast("float64")
        case Measure.SPEND:
            amount = rows.value.cast(EXACT).sum().cast("float64")
        case Measure.QUANTITY:
            amount = rows.quantity.cast(EXACT).sum().cast("float64")
    return rows.group_by("number", "place").agg(amount=amount).order_by("number", "place")


def _places(column: str, groups: Sequence[str]) -> ir.Table:
    return ibis.memtable(
        pa.table({column: pa.array(groups, pa.string()), "place": pa.array(range(len(groups)), pa.int32())})
    )
