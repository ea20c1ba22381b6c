"""Guards, one table of cases a rule."""

from __future__ import annotations

import dataclasses

import pytest

from rewriter.decision.candidate import Candidate, Pair
from rewriter.decision.guards import Guards
from rewriter.decision.request import Interpretation, Request
from rewriter.retrieval.entries import Entry
from rewriter.settings import Decide

CITIES = {name: frozenset({"city"}) for name in ("boston", "austin", "denver", "dover")}
GUARDS = Guards(Decide(), CITIES | {"song": frozenset({"song"})}, {("en-US", "play beet it")})


def candidate(text: str, intent: str | None = "play_music", **slots: str) -> Candidate:
    return Candidate(text, ("global",), entry=Entry(text, "en-US", "domain", intent, slots))


@pytest.mark.parametrize(
    ("said", "rewrite", "why"),
    [
        ("play beat it", "play beat it", "equals the request"),
        ("food", "what type of food", "most of the rewrite was not heard"),
        ("play bead it", "play beet it", "itself rewritten"),
        ("set an alarm for seven", "set an alarm", "the number 'seven' would be lost"),
        ("set an alarm for seven", "set an alarm for eleven", "the number 'seven' would be lost"),
        ("set an alarm", "set an alarm for seven", "the number 'seven' would be invented"),
        ("set a timer for 10 minutes", "set a timer for 20 minutes", "the number '10' would be lost"),
        ("do not play jazz", "play jazz", "the negation 'not' would be added or dropped"),
        ("play jazz", "play no jazz", "'no' would be added or dropped"),
        ("turn on the lights", "turn off the lights", "'on' and 'off' would be swapped"),
        ("volume up", "volume down", "'up' and 'down' would be swapped"),
        ("play the music", "stop the music", "protected word 'stop' would be added or dropped"),
        ("weather in boston", "weather in denver", "the city 'boston' would become 'denver'"),
        ("a timer for five minutes and ten seconds", "a timer for ten minutes and five seconds", "would change places"),
        ("from seventy to sixty", "from sixty to seventy", "the numbers 'seventy sixty' would change places"),
        ("five five two", "five two", "the number 'five' would be lost"),
        ("turn on the lamp and off the fan", "turn off the lamp and on the fan", "would change places"),
        ("fly from boston to denver", "fly from denver to boston", "the city values 'boston', 'denver' would change places"),
        ("set an alarm for seven am", "set an alarm for seven pm", "swapped"),
        ("set an alarm for seven a m", "set an alarm for seven p m", "swapped"),
        ("lower the blinds", "raise the blinds", "swapped"),
        ("remind me on friday", "remind me on monday", "swapped"),
        ("set an alarm", "set one alarm", "the number 'one' would be invented"),
        ("turn the timer", "ten the timer", "the number 'ten' would be invented"),
        ("the first of may", "the third of may", "the number 'first' would be lost"),
        ("can\u02bct play jazz", "play jazz", "the negation 'can't' would be added or dropped"),
        ("cant play jazz", "play jazz", "the negation 'cant' would be added or dropped"),
        ("\u4e03\u6642\u306b", "\u516b\u6642\u306b", "the number '\u4e03' would be lost"),
    ],
)
def test_a_rewrite_that_changes_what_must_stay_is_refused(said, rewrite, why):
    city = {"city": rewrite.split()[-1]} if "weather" in rewrite else {}
    got = GUARDS.refuse(Request(said), candidate(rewrite, **city))
    assert why in got


@pytest.mark.parametrize(
    ("said", "rewrite", "slots"),
    [
        ("play beef it", "play beat it", {}),
        ("set a timer for tin minutes", "set a timer for ten minutes", {}),
        ("set a timer for for minutes", "set a timer for four minutes", {}),
        ("heat to twenty too degrees", "heat to twenty two degrees", {}),
        ("turn of the lights", "turn off the lights", {}),
        ("weather in boston please", "weather in boston", {"city": "boston"}),
        ("play the song wild tied", "play wild tide", {"song": "wild tide"}),
        ("weather in dover", "weather in denver", {"city": "denver"}),
        ("weather in bawston", "weather in boston", {"city": "boston"}),
        ("seven set an alarm for p m", "set an alarm for seven pm", {}),
        ("in boston play jass", "play jazz in boston", {}),
        ("set a timer for five minuets", "set a five minutes timer", {}),
    ],
)
def test_a_rewrite_that_mends_a_mishearing_passes(said, rewrite, slots):
    assert GUARDS.refuse(Request(said), candidate(rewrite, **slots)) == ""


@pytest.mark.parametrize(
    "intent", ["call", "CallContact", "sendMessage", "list+remove_item", "email_sendemail", "UnlockDoor"]
)
def test_a_protected_intent_is_neither_rewritten_nor_produced(intent):
    assert intent in GUARDS.leave_alone(Request("something", interpretation=Interpretation(intent=intent)))
    assert intent in GUARDS.leave_alone(Request("something"), intent)
    assert intent in GUARDS.refuse(Request("something"), candidate("something else", intent))


@pytest.mark.parametrize("intent", ["SMSSend", "APICall", "IOTUnlock", "HTTPPay2"])
def test_an_abbreviation_hides_no_protected_word(intent):
    assert GUARDS.protects_intent(intent)


def test_protected_words_of_other_scripts_are_found_in_intents():
    guards = Guards(dataclasses.replace(Decide(), protected_intents=("löschen", "удалить")))
    assert guards.protects_intent("liste_löschen")
    assert guards.protects_intent("удалить_список")


def test_a_protected_intent_is_found_wherever_it_is_known():
    entry = Entry("phone mum", "en-US", "domain", "call_contact", {})
    for intent in (None, "play_music"):
        known = Candidate("phone mum", ("personal",), own=dataclasses.replace(entry, intent=intent), entry=entry)
        assert "call_contact" in GUARDS.refuse(Request("ringg mum phone"), known)
    assert "call_contact" in GUARDS.leave_alone(Request("phone mum"), "play_music", "call_contact")


@pytest.mark.parametrize(
    "said", ["heat to -5", "set it to .5", "volume 2.5", "what is 10/2", "10 * 2", "5%", "pay $5", "7 - 2"]
)
def test_a_number_that_the_normal_form_would_change_is_left_alone(said):
    assert "words alone do not keep" in GUARDS.leave_alone(Request(said))


@pytest.mark.parametrize("said", ["wake me at 10:30", "set 5, please", "play blink-182 now.", "volume 7."])
def test_ordinary_signs_beside_numbers_do_no_harm(said):
    assert GUARDS.leave_alone(Request(said)) == ""


@pytest.mark.parametrize("intent", ["play_playlist", "recall_fact", "clock", "display", "inform+request", None])
def test_an_intent_that_only_looks_protected_is_not(intent):
    assert GUARDS.protects_intent(intent) == ""


def test_without_an_intent_the_words_decide():
    assert "'call'" in GUARDS.leave_alone(Request("call mum"))
    assert GUARDS.leave_alone(Request("call mum"), "play_song") == ""
    assert "'send'" in GUARDS.refuse(Request("sand a note"), candidate("send a note", None))


@pytest.mark.parametrize("said", ["yes", "No!", "stop stop", "", "?!"])
def test_a_request_of_protected_words_or_no_words_is_left_alone(said):
    assert GUARDS.leave_alone(Request(said)) != ""


def test_an_ordinary_request_is_not_left_alone():
    assert GUARDS.leave_alone(Request("stop the music")) == ""


def test_what_the_recogniser_itself_offered_or_users_vouch_for_may_say_more_than_was_heard():
    offered = dataclasses.replace(candidate("what type of food"), rank=1)
    pair = Pair("en-US", "food", "what type of food", 0.1, 0.9, 0.8, 9)
    mined = Candidate(pair.rewrite, ("precomputed",), pair=pair)
    assert GUARDS.refuse(Request("food"), offered) == ""
    assert GUARDS.refuse(Request("food"), mined) == ""
