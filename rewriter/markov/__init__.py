"""Counts of rephrases -> sparse absorbing Markov chain -> absorption -> rewrite pairs.

Definitions (Kemeny and Snell, Finite Markov Chains, 1960, ch. 3): transient states are normalised requests; the absorbing
states are success S and failure F. Q holds the probabilities transient -> transient, R those transient -> absorbing,
``N = (I - Q)^-1`` the expected visits, ``B = N R`` the absorption probabilities. ``C[i, j] = N[i, j] R[j, S]`` is the
probability that a user who starts at i ends in success with j as the last request before it (arXiv 1911.02557, section 3).
"""
