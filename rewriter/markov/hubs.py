"""Hub requests ("stop", "yes", "volume up"): what follows them says nothing about them, so they are cut out of the chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rewriter.markov.counts import Floats

#: Transitions a state needs before its spread can be told from chance.
MIN_HUB_WEIGHT = 30.0
#: Share of its visits that a state must send on: where most end well, what follows is the next goal, not the repair.
MIN_LEAVING = 0.3
#: Share of the log's own perplexity from which a state's successors count as "anything at all".
HUB_SPREAD = 0.5


def entropy_of(outgoing: Floats, w_log_w: Floats) -> Floats:
    """Shannon entropy in nats of weights with sum ``outgoing`` and sum of ``w log w`` ``w_log_w``; zero where nothing is.

    >>> float(entropy_of(np.array([4.0]), np.array([4 * 1.0 * np.log(1.0)])).round(6)[0])  # four equal weights: log 4
    1.386294
    """
    safe = np.where(outgoing > 0, outgoing, 1.0)
    return np.log(safe) - w_log_w / safe


def is_hub(outgoing: Floats, total: Floats, entropy: Floats, log_entropy: Floats) -> NDArray[np.bool_]:
    """Which states lead anywhere: their successors are nearly as spread as those of the whole log, (n,).

    Parameters
    ----------
    outgoing : (n,) float
        Weight each state sends to other wordings.
    total : (n,) float
        All weight that leaves each state.
    entropy : (n,) float
        Of the successors of each state, in nats.
    log_entropy : (n,) float
        Of the successors of all states of the same locale's log.

    Notes
    -----
    Spread is perplexity, exp of the entropy. A state is compared with the perplexity that as many draws from the log's own
    successors would show at most, ``min(weight, perplexity of the log)``.
    """
    expected = np.minimum(outgoing, np.exp(log_entropy))
    found: NDArray[np.bool_] = (outgoing >= MIN_HUB_WEIGHT) & (np.exp(entropy) >= HUB_SPREAD * expected)
    return found & (outgoing >= MIN_LEAVING * total)
