"""A population that talks to an assistant with known truth: users, sounds, a recogniser, an NLU that works by rule.

Reading order: ``lexicon`` and ``wordings`` (what exists and how it is said), ``sounds`` and ``recogniser`` (how it is
misheard), ``nlu`` (what is understood), ``users`` and ``behaviour`` (who asks, and what they do after a failure),
``world`` (all of it for one seed), ``simulate`` (the loop), ``truth`` (what the pipeline never reads).
Nothing here is shared with the parts that learn from the log.
"""
