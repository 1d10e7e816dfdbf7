"""Numbers as people read them: few digits, a true minus sign, a dash and a reason where there is none."""

from hanse_demo.summary import Estimate, Interval
from hanse_server.pictures.decimals import MINUS, decimal
from hanse_server.pictures.markup import Markup, element, together

NONE = "–"
LOST_IN_NOISE = "the noise leaves nothing to say"
NOBODY = "no customer could be evaluated"
NOT_COMPUTED = "could not be computed"
NOT_EVALUATED = "not evaluated here"

_SPACE = "\N{NO-BREAK SPACE}"


def count(value: int) -> str:
    """Return a whole number with thousands marked."""
    return f"{value:,}".replace("-", MINUS)


def counted(value: int, one: str, many: str) -> str:
    """Return a number and the noun that goes with it."""
    return f"{count(value)}{_SPACE}{one if value == 1 else many}"


def signed(value: float, places: int = 4) -> str:
    """Return a difference with its sign."""
    text = decimal(value, places)
    return text if text.startswith(MINUS) or not text.strip("0.,") else f"+{text}"


def percent(share: float) -> str:
    """Return a share of one as per cent; one place more where it would vanish."""
    places = 1 if abs(share) >= 0.001 or share == 0 else 2
    return f"{decimal(100 * share, places)}{_SPACE}%"


def whole_percent(share: float) -> str:
    """Return a round share of one as per cent, for an axis."""
    return f"{decimal(100 * share, 0)}{_SPACE}%"


def epsilon(value: float) -> str:
    """Return an ε with at most three places."""
    text = decimal(value, 3 if value < 100 else 0)
    return text.rstrip("0").rstrip(".") if "." in text else text


def epsilon_is(value: float) -> str:
    """Return ``ε = value`` in one piece that no line break takes apart."""
    return f"ε{_SPACE}={_SPACE}{epsilon(value)}"


def one_in(probability: float) -> str:
    """Return a small probability as ``1 in n``."""
    return f"1 in {round(1 / probability):,}" if probability > 0 else "0"


def duration(seconds: float) -> str:
    """Return a wall time."""
    if seconds < 10:
        return f"{seconds:.1f}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{_SPACE}min {rest}{_SPACE}s" if minutes else f"{rest}{_SPACE}s"


def memory(megabytes: float) -> str:
    """Return an amount of memory given in 10^6 bytes."""
    return f"{megabytes / 1000:.2f}{_SPACE}GB" if megabytes >= 1000 else f"{megabytes:.0f}{_SPACE}MB"


def missing(reason: str) -> Markup:
    """Return the dash and, beside it, why there is no number."""
    return element("span", {"class": "none"}, f"{NONE} ", element("small", {}, reason))


def why_missing(estimate: Estimate) -> str:
    """Return the reason for an estimate without a value."""
    return NOBODY if estimate.customers == 0 else NOT_COMPUTED


def estimate_text(estimate: Estimate, places: int = 3) -> Markup:
    """Return ``value ± standard error``, or the dash and the reason."""
    if estimate.value is None:
        return missing(why_missing(estimate))
    return _with_error(decimal(estimate.value, places), estimate.standard_error, places)


def gain_text(estimate: Estimate, places: int = 4) -> Markup:
    """Return a signed difference ``± standard error``, or the dash and the reason."""
    if estimate.value is None:
        return missing(why_missing(estimate))
    return _with_error(signed(estimate.value, places), estimate.standard_error, places)


def interval_count(interval: Interval) -> Markup:
    """Return a released count and its 95 % interval."""
    return _interval(interval, places=0)


def interval_decimal(interval: Interval) -> Markup:
    """Return a released figure and its 95 % interval."""
    return _interval(interval, places=3)


def _with_error(value: str, error: float | None, places: int) -> Markup:
    shown = "± unknown" if error is None else f"±{_SPACE}{decimal(error, places)}"
    return together(value, " ", element("small", {"class": "error"}, shown))


def _interval(interval: Interval, *, places: int) -> Markup:
    if interval.value is None:
        return missing(LOST_IN_NOISE)
    shown = decimal(interval.value, places)
    if interval.low is None or interval.high is None:
        return together(shown, " ", element("small", {}, "(no interval)"))
    between = f"({decimal(interval.low, places)} to {decimal(interval.high, places)})"
    return together(shown, " ", element("small", {}, between))
