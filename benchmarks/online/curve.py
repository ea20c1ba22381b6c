"""Precision against trigger rate: what every likeliest candidate would have done, from sure ones to doubtful ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from benchmarks.online.live import EngineRewriter
from rewriter.decision.decision import Decision
from rewriter.evaluation.win_loss import Outcome
from rewriter.ranking.thresholds import Judged, cuts
from rewriter.simulation.exchange import NO_REWRITE, Answer, Request
from rewriter.simulation.turn import Turn
from rewriter.simulation.world import World

#: Probabilities at which the curve is told.
LEAST = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)


@dataclass
class Onlooker:
    """Decides on every request and serves nothing, so that the day goes on as it would without."""

    rewriter: EngineRewriter
    decisions: dict[str, Decision] = field(default_factory=dict)

    def __call__(self, request: Request) -> Answer:
        """No rewrite."""
        self.decisions[request.request_id] = self.rewriter.decide(request)
        return NO_REWRITE


def judged(world: World, turns: Sequence[Turn], decisions: dict[str, Decision]) -> list[Judged]:
    """The proposed rewrites with their true outcome, outages left out."""
    return [
        Judged(t.turn_id, d.source, t.goal.intent, d.probability or 0.0, _outcome(t.ok_as_is, world, d.rewrite, t))
        for t in turns
        if (d := decisions[t.turn_id]).rewrite is not None and not world.is_out(t.turn_id)
    ]


def _outcome(ok_as_is: bool, world: World, rewrite: str, turn: Turn) -> Outcome:
    ok = world.succeeds(rewrite, turn.goal, turn.user_id)
    return Outcome.TIE if ok == ok_as_is else Outcome.WIN if ok else Outcome.LOSS


def points(proposed: Sequence[Judged], n_requests: int) -> list[dict[str, Any]]:
    """Trigger rate, wins, losses and precision (wins of wins and losses) from each probability of `LEAST` on."""
    probabilities, wins, losses = cuts(proposed)
    rows = []
    for least in LEAST:
        last = int(np.searchsorted(-probabilities, -least, side="right")) - 1
        if last >= 0 and wins[last] + losses[last]:
            n = sum(one.probability >= least for one in proposed)
            decided = int(wins[last] + losses[last])
            row = {"least": least, "trigger_rate": round(n / n_requests, 5), "wins": int(wins[last])}
            rows.append(row | {"losses": int(losses[last]), "precision": round(int(wins[last]) / decided, 5)})
    return rows


def picture(curves: dict[str, list[dict[str, Any]]]) -> str:
    """The curves as SVG; each point says from which probability on it rewrites."""
    values = [{"layers": name} | row for name, rows in curves.items() for row in rows]
    base = alt.Chart(alt.Data(values=values)).encode(
        alt.X("trigger_rate:Q", axis=alt.Axis(format="%"), title="requests rewritten"),
        alt.Y("precision:Q", axis=alt.Axis(format=".1%"), scale=alt.Scale(zero=False), title="wins of wins and losses"),
        alt.Color("layers:N", legend=alt.Legend(title=None, orient="bottom")),
    )
    names = base.mark_text(dx=6, dy=-8, align="left", fontSize=10).encode(alt.Text("least:Q"))
    chart = (base.mark_line() + base.mark_point(filled=True, size=60) + names).properties(
        width=560, height=320, title="Retrieved rewrites of simulated days, from a probability on, against the truth"
    )
    return str(vl_convert.vegalite_to_svg(chart.to_json()))
