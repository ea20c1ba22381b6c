"""An intent that says nothing was understood is none, wherever requests are judged."""

import pytest

from rewriter.decision.request import Interpretation, Request
from rewriter.evaluation.proxy import interpretation_key
from rewriter.intents import NOTHING_UNDERSTOOD, understood


@pytest.mark.parametrize("name", [*NOTHING_UNDERSTOOD, "NULL", "AMAZON.FallbackIntent"])
def test_names_for_nothing_are_no_intent(name: str) -> None:
    assert understood(name) is None
    assert Request("hm", "en-US", interpretation=Interpretation("home", name, {}, 0.9)).intent is None
    assert interpretation_key("home", name, {"room": "hall"}) is None


def test_other_intents_stay() -> None:
    assert understood("lights_on") == "lights_on"
    assert Request("hm", "en-US", interpretation=Interpretation("home", "lights_on", {}, 0.9)).intent == "lights_on"
