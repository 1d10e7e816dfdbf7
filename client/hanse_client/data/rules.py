"""What one purchase line must be like: each rule a condition, its words and its mend."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import ibis.expr.types as ir

from hanse_client.data.contract import Contract, Limits
from hanse_client.data.findings import FindingCode, Severity


@dataclass(frozen=True, kw_only=True)
class LineRule:
    """A condition on a line; ``broken`` is true for the lines that break it."""

    code: FindingCode
    broken: ir.BooleanValue
    what: str
    """Completes "12 lines …"."""
    mend: str
    severity: Severity = Severity.ERROR
    shows_examples: bool = True
    tolerated_share: float = 0.0
    """Up to this share of all lines, breaking the rule is a warning."""


def line_rules(lines: ir.Table, contract: Contract, today: date) -> list[LineRule]:
    """Every rule that a single line can break, as conditions on the joined lines."""
    limits = contract.limits
    rules = [*_amount_rules(lines, limits), *_date_rules(lines, limits, today), *_reference_rules(lines, limits)]
    if contract.stores is not None:
        rules.append(
            LineRule(
                code=FindingCode.STORE_WITHOUT_GROUP,
                broken=lines.store.notnull() & lines.store_group.isnull(),
                what="are of a store in no group; questions by store group do not count them.",
                mend="Add the store to the list of stores, with its group.",
                severity=Severity.WARNING,
            )
        )
    return rules


def _amount_rules(lines: ir.Table, limits: Limits) -> list[LineRule]:
    returns = "Take returns and corrections out of the export, or net them with their purchase."
    return [
        LineRule(
            code=FindingCode.NEGATIVE_QUANTITY,
            broken=lines.quantity < 0,
            what="have a negative quantity.",
            mend=returns,
        ),
        LineRule(code=FindingCode.NEGATIVE_VALUE, broken=lines.value < 0, what="have a negative value.", mend=returns),
        LineRule(
            code=FindingCode.NEGATIVE_DISCOUNT,
            broken=lines.discount < 0,
            what="have a negative discount.",
            mend="Where discounts are written as negative numbers, set change_sign = true for the column.",
        ),
        LineRule(
            code=FindingCode.ABSURD_QUANTITY,
            broken=lines.quantity > limits.maximum_quantity,
            what=f"have a quantity above {limits.maximum_quantity:g}.",
            mend="Check the unit (grams, millilitres?) and set divide_by, or raise limits.maximum_quantity.",
        ),
        LineRule(
            code=FindingCode.ABSURD_VALUE,
            broken=lines.value > limits.maximum_value,
            what=f"have a value above {limits.maximum_value:g}.",
            mend="Check the unit (cents?) and set divide_by, or raise limits.maximum_value.",
        ),
    ]


def _date_rules(lines: ir.Table, limits: Limits, today: date) -> list[LineRule]:
    last = limits.latest or today
    return [
        LineRule(
            code=FindingCode.DATE_TOO_EARLY,
            broken=lines.time < datetime.combine(limits.earliest, time.min),
            what=f"are dated before {limits.earliest}, the first day that the contract allows.",
            mend="Check the date format, or leave older days out of the export.",
        ),
        LineRule(
            code=FindingCode.DATE_IN_FUTURE,
            broken=lines.time >= datetime.combine(last + timedelta(days=1), time.min),
            what=f"are dated after {last}, in the future of this export.",
            mend="Check the date format and the tills' clocks.",
        ),
    ]


def _reference_rules(lines: ir.Table, limits: Limits) -> list[LineRule]:
    return [
        LineRule(
            code=FindingCode.LINE_WITHOUT_RECEIPT,
            broken=~lines.receipt_found,
            what="belong to a receipt that the receipts table lacks.",
            mend="Export receipts and lines for the same days and stores.",
        ),
        LineRule(
            code=FindingCode.UNKNOWN_PRODUCT,
            broken=~lines.product_found & lines.product.notnull(),
            what="have a product that the item master lacks.",
            mend="Export the whole item master, with delisted products; a small share can be tolerated with"
            " limits.unknown_product_share.",
            tolerated_share=limits.unknown_product_share,
        ),
        LineRule(
            code=FindingCode.MISSING_CUSTOMER,
            broken=lines.customer.isnull() & lines.receipt_found,
            what="name no customer and are left out.",
            mend="Nothing to do where they were bought without a card.",
            severity=Severity.WARNING,
        ),
        LineRule(
            code=FindingCode.OUTSIDE_CATALOGUE,
            broken=lines.product_found & lines.item.isnull(),
            what="are of products outside the league's catalogue; they count in money and baskets only.",
            mend="Nothing to do; check the article codes if the number surprises.",
            severity=Severity.INFORMATION,
        ),
        LineRule(
            code=FindingCode.SENSITIVE_LEFT_OUT,
            broken=lines.sensitive,
            what="are of sensitive items; they count in money and baskets only.",
            mend="Nothing to do: what betrays health or belief stays out by default.",
            severity=Severity.INFORMATION,
            shows_examples=False,
        ),
    ]
