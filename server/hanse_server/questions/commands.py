"""``hanse ask``: one question, its predicted error, and its answer in a table and a picture."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from hanse_models.catalogue import load_catalogue
from hanse_privacy.protocol.question_steps import Grouping, Measure, Question
from hanse_privacy.statistics.ranking import top as largest
from hanse_server.carrying_out import carry_out
from hanse_server.league import LeagueHome
from hanse_server.league_ledger import LeagueLedger
from hanse_server.questions.answer import Answer
from hanse_server.questions.asking import question_proposal, settings_for_questions
from hanse_server.questions.picture import answer_picture
from hanse_server.questions.prediction import predict
from hanse_server.questions.table import answer_table
from hanse_server.questions.terms import (
    CountTerms,
    HistogramTerms,
    QuantileTerms,
    QuestionInvalidError,
    Terms,
    Weeks,
)
from hanse_server.submission import begin, vouched

PICTURE_FILE = "answer.svg"

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

_MeasureArgument = Annotated[Measure, typer.Argument(help="What is looked at of each customer.")]
_WeeksOption = Annotated[str, typer.Option("--weeks", help="League weeks, both included: 40-52, or 52.")]
_EpsilonOption = Annotated[float, typer.Option("--epsilon", help="What the answer may cost every customer in it.")]
_HomeOption = Annotated[Path, typer.Option("--home", help="The centre's folder, with league.toml in it.")]
_ByOption = Annotated[Grouping | None, typer.Option("--by", help="By what to break the answer down.")]
_OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="This category or store group; repeatable.")]
_PredictOption = Annotated[bool, typer.Option("--predict", help="Tell the error to expect, and ask nothing.")]
_YesOption = Annotated[bool, typer.Option("--yes", help="Ask without waiting for a person to confirm.")]


@app.command()
def count(  # noqa: PLR0913 - each is an option of the command
    measure: _MeasureArgument,
    *,
    weeks: _WeeksOption,
    epsilon: _EpsilonOption,
    home: _HomeOption,
    by: _ByOption = None,
    only: _OnlyOption = None,
    at_most: Annotated[
        float | None, typer.Option("--at-most", help="The most that one customer adds; needed but for customers.")
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Name the so many largest groups, too.")] = None,
    predict_only: _PredictOption = False,
    yes: _YesOption = False,
) -> None:
    """Count customers, baskets or units, or add up spend: one number per group."""
    terms = CountTerms(measure=measure, weeks=Weeks.parse(weeks), by=by, at_most=at_most)
    answer = _ask(terms, only=only, epsilon=epsilon, home=home, predict_only=predict_only, yes=yes)
    if answer is not None and top is not None:
        tell_largest(answer, top)


@app.command()
def histogram(  # noqa: PLR0913 - each is an option of the command
    measure: _MeasureArgument,
    *,
    edges: Annotated[str, typer.Option("--edges", help="Where bins begin, from 0: 0,10,50,100. The last has no end.")],
    weeks: _WeeksOption,
    epsilon: _EpsilonOption,
    home: _HomeOption,
    by: _ByOption = None,
    only: _OnlyOption = None,
    predict_only: _PredictOption = False,
    yes: _YesOption = False,
) -> None:
    """Count customers by how many baskets or units they bought, or what they spent."""
    terms = HistogramTerms(measure=measure, weeks=Weeks.parse(weeks), by=by, edges=_numbers(edges, name="edges"))
    _ask(terms, only=only, epsilon=epsilon, home=home, predict_only=predict_only, yes=yes)


@app.command()
def quantile(  # noqa: PLR0913 - each is an option of the command
    measure: _MeasureArgument,
    *,
    highest: Annotated[float, typer.Option("--highest", help="Where the bins end: above it, 'or more'.")],
    weeks: _WeeksOption,
    epsilon: _EpsilonOption,
    home: _HomeOption,
    probabilities: Annotated[
        str, typer.Option("--probabilities", help="Shares of customers below, rising: 0.25,0.5,0.9.")
    ] = "0.25,0.5,0.75",
    bins: Annotated[int, typer.Option("--bins", help="How finely: 4, 16, 64, 256 or 1024 equal bins.")] = 256,
    by: _ByOption = None,
    only: _OnlyOption = None,
    predict_only: _PredictOption = False,
    yes: _YesOption = False,
) -> None:
    """Read the median and other quantiles of baskets, units or spend per customer."""
    terms = QuantileTerms(
        measure=measure,
        weeks=Weeks.parse(weeks),
        by=by,
        probabilities=_numbers(probabilities, name="probabilities"),
        highest=highest,
        bins=bins,
    )
    _ask(terms, only=only, epsilon=epsilon, home=home, predict_only=predict_only, yes=yes)


def _ask(
    terms: Terms, *, only: list[str] | None, epsilon: float, home: Path, predict_only: bool, yes: bool
) -> Answer | None:
    """Predict, confirm, carry out, show; none if it was only predicted."""
    console, paths = Console(), LeagueHome(root=home)
    league, now = paths.load(), datetime.now(tz=UTC)
    hours = settings_for_questions(league).valid_hours
    proposal = question_proposal(
        terms,
        only=only or (),
        epsilon=epsilon,
        league=vouched(league, home=paths, now=now, valid_hours=hours),
        catalogue=load_catalogue(paths.root / league.catalogue),
        now=now,
    )
    (step,) = proposal.steps
    if not isinstance(step, Question):
        raise QuestionInvalidError("This is no question.", "Use 'hanse league run' for other runs.")
    console.print(f"{proposal.title}, at ε = {proposal.epsilon:g}.", highlight=False, markup=False)
    console.print(predict(proposal, step).in_words(), highlight=False, markup=False)
    if predict_only:
        return None
    LeagueLedger.of(paths).require_room_for(proposal)
    if not yes:
        typer.confirm("Ask it?", abort=True)
    begin(paths, proposal)
    result = carry_out(paths, proposal, console=console)
    answer = Answer.model_validate(result["released"])
    picture = paths.run_folder(proposal.run) / PICTURE_FILE
    picture.write_text(answer_picture(answer, title=proposal.title), encoding="utf-8")
    console.print(answer_table(answer, title=proposal.title))
    console.print(
        f"The picture is {picture}, the numbers are in result.json beside it.", highlight=False, soft_wrap=True
    )
    return answer


def tell_largest(answer: Answer, wanted: int) -> None:
    """Name the so many largest groups, and mark those that the noise does not tell from the rest."""
    values = np.array([row.released.value or 0.0 for row in answer.rows])
    ranked = largest(values, k=min(wanted, len(values)), standard_deviation=answer.noise_standard_deviation["answer"])
    named = [f"{answer.rows[one.place].group}{'' if one.is_told_apart else ' (?)'}" for one in ranked]
    Console().print(
        f"The largest: {', '.join(named)}. (?): the noise does not tell it apart from the largest that is not named.",
        highlight=False,
        markup=False,
    )


def _numbers(text: str, *, name: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise QuestionInvalidError(f"{name} is {text!r}.", "Write numbers with commas between: 0,10,50.") from error
