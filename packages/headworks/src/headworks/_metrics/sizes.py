"""The rows that a test set needs, before anything is trained.

Two answers. The one by Hoeffding and Bennett holds for every possible model, and for a number of models that are judged
one after the other by the same rows. The one for the score test is for practice: one candidate that is no worse, nine
times in ten.

Source:
    Renggli, Karlaš, Ding, Liu, Schawinski, Wu and Zhang, "Continuous integration of machine learning models with
    ease.ml/ci", MLSys 2019, sections 3 and 4.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_POWER = 0.9


def budget_terms(budget: int, *, adaptive: bool) -> float:
    """Return the natural logarithm of the number of outcomes that share the error.

    A developer who sees each outcome can be led along any of 2 ** budget ways; one who does not, along `budget`.
    """
    return budget * math.log(2) if adaptive else math.log(budget)


def hoeffding(tolerance: float, error: float, *, budget: int = 1, adaptive: bool = False, variables: int = 2) -> int:
    """Return the rows after which a difference of shares is known to within a tolerance.

    Args:
        tolerance: The most that the estimate may be off.
        error: The chance that it is off by more.
        budget: How many models are judged by the same rows.
        adaptive: Whether the outcome of one may decide about the next.
        variables: How many shares are estimated; 2 for candidate and base, each to within half the tolerance and with
            half the error.

    Source:
        Hoeffding, "Probability inequalities for sums of bounded random variables", Journal of the American Statistical
        Association 58 (1963) 13-30, theorem 1.
    """
    terms = math.log(variables / error) + budget_terms(budget, adaptive=adaptive)
    return math.ceil(terms * variables**2 / (2 * tolerance**2))


def bennett(tolerance: float, error: float, *, disagreement: float, budget: int = 1, adaptive: bool = False) -> int:
    """Return the same where the two models are known to disagree on few rows.

    The difference of two models in one row is 0 wherever they agree, so that its variance is no more than the share of
    rows on which they do not. Half the error is for knowing that share, and each half has two sides.

    Args:
        tolerance: The most that the estimate may be off.
        error: The chance that it is off by more.
        disagreement: The largest share of rows on which the predictions differ.
        budget: How many models are judged by the same rows.
        adaptive: Whether the outcome of one may decide about the next.

    Source:
        Bennett, "Probability inequalities for the sum of independent random variables", Journal of the American
        Statistical Association 57 (1962) 33-45.
    """
    terms = math.log(4 / error) + budget_terms(budget, adaptive=adaptive)
    ratio = tolerance / disagreement
    return math.ceil(terms / (disagreement * ((1 + ratio) * math.log1p(ratio) - ratio)))


def least_runs(error: float) -> int:
    """Return the fewest runs that tell anything about their median, on one side of which half of all runs lie."""
    return math.ceil(math.log2(1 / error))


def score_rows(margin: float, error: float, *, disagreement: float) -> int:
    """Return the rows at which the score test passes a candidate that is as good as the base, nine times in ten.

    Args:
        margin: How much worse the candidate may be.
        error: The chance of passing one that is worse than that.
        disagreement: The share of rows that only one of the two has right.

    Source:
        Nam, "Establishing equivalence of two treatments and sample size requirements in matched-pairs design",
        Biometrics 53 (1997) 1422-1430: the variance under the worst that is to be found, and that under equality.
    """
    linear = 2 * margin + disagreement
    # The chance of a loss that is most likely at the margin, as in `score`, where half the disagreements are losses.
    loss = (linear + math.sqrt(linear**2 - 4 * disagreement * margin * (1 + margin))) / 4
    at_margin, at_equality = 2 * loss - margin * (1 + margin), disagreement
    normal = NormalDist()
    distance = -normal.inv_cdf(error) * math.sqrt(at_margin) + normal.inv_cdf(_POWER) * math.sqrt(at_equality)
    return math.ceil((distance / margin) ** 2)
