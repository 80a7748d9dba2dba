"""The router through the binding, against the stand-in models: answers, streams, refusals, and the bill."""

import asyncio
import pickle

import pytest

import nbhd
from nbhd import testkit

QUESTION = "What needs my attention today?\nada@example.com: The offer"
CALL = {"purpose": "general", "scopes": ["tenant:42"]}


@pytest.fixture
def models(monkeypatch):
    monkeypatch.setenv("NBHD_TEST_KEY", "sk-stand-in")
    return testkit.Models()


def config(models, day="1.00 USD", **more):
    return {
        "provider": {
            name: {"base_url": models.base_url(name), "api_key": {"env": "NBHD_TEST_KEY"}} for name in ("openai", "mistral")
        },
        "purpose": {
            "general": {"chain": ["openai/gpt-4o-mini", "mistral/mistral-small-2603"], "scopes": ["tenant"]},
        },
        "budget": {"tenant": {"day": day}},
        **more,
    }


def settled(router):
    (spend,) = router.remaining(["tenant:42"])
    return spend


def test_an_answer_is_settled_at_what_was_billed(models):
    router = nbhd.Router(nbhd.Host("memory:"), config(models))

    async def twin():
        return await router.achat(QUESTION, **CALL)

    first, second = router.chat(QUESTION, **CALL), asyncio.run(twin())
    assert first["text"] == second["text"] != ""
    assert (first["provider"], first["model"], first["cost"]["basis"]) == ("openai", "gpt-4o-mini", "actual")
    spent = first["cost"]["nano_usd"] + second["cost"]["nano_usd"]
    assert models.bill()["nano_usd"] == spent == settled(router)["settled"] > 0
    assert settled(router)["held"] == 0
    assert first["receipt"]["operation"] == "llm.chat"
    assert pickle.loads(pickle.dumps(first)) == first


def test_a_stream_gives_the_same_as_its_answer(models):
    router = nbhd.Router(nbhd.Host("memory:"), config(models))
    events = list(router.stream(QUESTION, **CALL))
    assert events[0]["type"] == "started" and events[-1]["type"] == "finished"
    text = "".join(event["text"] for event in events if event["type"] == "text")
    assert text == events[-1]["answer"]["text"] != ""

    async def twin():
        return [event async for event in router.astream(QUESTION, **CALL)]

    again = asyncio.run(twin())
    assert "".join(event["text"] for event in again if event["type"] == "text") == text
    assert models.bill()["nano_usd"] == settled(router)["settled"]


@pytest.mark.parametrize("end", ["break", "close", "with"])
def test_a_stream_that_is_left_early_is_settled_at_the_bill(models, end):
    router = nbhd.Router(nbhd.Host("memory:"), config(models))
    stream = router.stream(QUESTION, **CALL)
    if end == "with":
        with stream:
            next(stream)
    else:
        next(stream)
        if end == "close":
            stream.close()
    del stream
    # It is read on in the background for its usage: each look at the ledger is a call, so there is nothing to sleep for.
    while settled(router)["held"]:
        pass
    left = settled(router)
    assert left["held"] == 0
    assert left["settled"] + left["provisional"] >= models.bill()["nano_usd"] > 0


def test_the_fallback_answers_when_the_primary_is_throttled(models):
    models.fail("llm.chat:gpt-4o-mini", status=429, retry_after=30)
    router = nbhd.Router(nbhd.Host("memory:"), config(models))
    answer = router.chat(QUESTION, **CALL)
    assert answer["provider"] == "mistral"
    assert [attempt["provider"] for attempt in answer["attempts"]] == ["openai", "mistral"]
    explained = router.explain(QUESTION, **CALL)
    assert explained["candidates"][0]["rests_until"]
    assert models.calls("llm.chat") == 2


def test_a_budget_refuses_before_anything_is_sent(models):
    router = nbhd.Router(nbhd.Host("memory:"), config(models, day="0.0001 USD"))
    with pytest.raises(nbhd.BudgetExceeded) as caught:
        router.chat(QUESTION, **CALL)
    error = caught.value
    assert (error.code, error.outcome, error.scope, error.window) == ("budget_exceeded", "not_sent", "tenant:42", "day")
    assert error.remaining == 100_000 < error.needed
    assert error.affordable_output_tokens < 4096 and error.resets_at
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.needed) == (nbhd.BudgetExceeded, error.needed)
    with pytest.raises(nbhd.BudgetExceeded):
        list(router.stream(QUESTION, **CALL))
    assert models.calls("*") == 0
    # What would fit is said, and it does fit.
    assert router.chat(QUESTION, **CALL, output_cap=error.affordable_output_tokens)["text"]


def test_a_chain_that_ends_for_money_says_what_a_budget_says(models):
    # The cheap model is throttled for longer than the call may take, the dear one is beyond the budget.
    models.fail("llm.chat:mistral-small-2603", status=429, retry_after=3600)
    dear = {"general": {"chain": ["mistral/mistral-small-2603", "openai/gpt-4.1"], "scopes": ["tenant"]}}
    router = nbhd.Router(nbhd.Host("memory:"), config(models, day="0.0002 USD") | {"purpose": dear})
    with pytest.raises(nbhd.ChainExhausted) as caught:
        router.chat(QUESTION, **CALL, output_cap=64)
    error = caught.value
    assert (error.scope, error.window, error.remaining) == ("tenant:42", "day", 200_000)
    fields = "scope window remaining needed affordable_output_tokens resets_at".split()
    assert error.budget == {name: getattr(error, name) for name in fields}
    assert error.needed > error.remaining and error.resets_at.endswith("Z")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.budget) == (nbhd.ChainExhausted, error.budget)
    # A chain that ends for another reason has none.
    models.fail("llm.chat", status=500, times=4)
    with pytest.raises(nbhd.ChainExhausted) as caught:
        nbhd.Router(nbhd.Host("memory:"), config(models)).chat(QUESTION, **CALL)
    assert (caught.value.budget, caught.value.remaining) == (None, None)


def test_explain_calls_nobody(models):
    router = nbhd.Router(nbhd.Host("memory:"), config(models))

    async def twin():
        return await router.aexplain(QUESTION, **CALL)

    explained = router.explain(QUESTION, **CALL)
    assert explained == asyncio.run(twin())
    assert [candidate["model"] for candidate in explained["candidates"]] == ["gpt-4o-mini", "mistral-small-2603"]
    assert all(candidate["usable"] for candidate in explained["candidates"])
    assert explained["most"] > 0 and models.calls("*") == 0
    assert settled(router)["held"] == 0


def test_a_failure_in_the_middle_of_a_stream_is_raised(models):
    only = {"general": {"chain": ["openai/gpt-4o-mini"], "scopes": ["tenant"]}}
    router = nbhd.Router(nbhd.Host("memory:"), config(models) | {"purpose": only})
    models.fail("llm.chat", kind="cut")
    stream = router.stream(QUESTION, **CALL)
    with pytest.raises(nbhd.NbhdError) as caught:
        list(stream)
    assert caught.value.outcome == "unknown"
    assert list(stream) == []
    left = settled(router)
    assert left["held"] == 0 and left["settled"] + left["provisional"] >= models.bill()["nano_usd"]


def test_a_wrong_configuration_names_every_mistake(models):
    wrong = config(models) | {"budgets": {}, "purpose": {"general": {"chain": ["nobody/x"], "scopes": ["tenant"]}}}
    with pytest.raises(nbhd.InvalidConfig) as caught:
        nbhd.Router(nbhd.Host("memory:"), wrong)
    assert "budgets" in caught.value.message and "nobody" in caught.value.message
