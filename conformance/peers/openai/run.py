"""The official OpenAI client drives the stand-in for model providers.

Usage: python run.py PATH_TO_STANDINS
"""

import pathlib
import sys

import openai

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import standins as peers  # noqa: E402

MODEL = "gpt-4o-mini"
ASK = [{"role": "user", "content": "Ada wrote: the offer is due at 17:00. What is due?"}]
WEATHER = [{
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}]


def client(standins, **more):
    models = standins.addresses["models"]
    return openai.OpenAI(**{"base_url": models["openai"], "api_key": models["api_key"], "max_retries": 0, **more})


def an_answer_has_text_and_usage(standins):
    before = standins.tell(bill={"service": "models"})["bill"]["nano_usd"]
    answer = client(standins).chat.completions.create(model=MODEL, messages=ASK)
    assert answer.choices[0].message.content, answer
    assert answer.choices[0].finish_reason == "stop", answer
    usage = answer.usage
    assert usage.prompt_tokens > 0 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    assert standins.tell(bill={"service": "models"})["bill"]["nano_usd"] > before


def a_stream_gives_the_same_and_its_usage_last(standins):
    whole = client(standins).chat.completions.create(model=MODEL, messages=ASK, seed=1)
    stream = client(standins).chat.completions.create(
        model=MODEL, messages=ASK, seed=1, stream=True, stream_options={"include_usage": True}
    )
    text, usage, reasons = "", None, []
    for chunk in stream:
        assert usage is None, "something after the usage"
        usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    assert text == whole.choices[0].message.content, text
    assert reasons == ["stop"] and usage.completion_tokens == whole.usage.completion_tokens, (reasons, usage)


def a_tool_is_called(standins):
    answer = client(standins).chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "How is the weather in Hamburg?"}],
        tools=WEATHER,
        tool_choice={"type": "function", "function": {"name": "weather"}},
    )
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and '"city"' in call.function.arguments, call


def models_are_listed(standins):
    assert MODEL in {model.id for model in client(standins).models.list()}


def a_refusal_has_the_class_of_the_client(standins):
    standins.fail("models", "llm.chat", {"status": {"status": 429, "retry_after": 1}})
    try:
        client(standins).chat.completions.create(model=MODEL, messages=ASK)
    except openai.RateLimitError as error:
        assert error.response.headers["retry-after"] == "1", error.response.headers
    else:
        raise AssertionError("not refused")
    for call, kind in [
        (lambda: client(standins, default_headers={"Authorization": "Basic none"}).chat.completions.create(model=MODEL, messages=ASK), openai.AuthenticationError),
        (lambda: client(standins).chat.completions.create(model="no-such-model", messages=ASK), openai.NotFoundError),
        (lambda: client(standins).chat.completions.create(model=MODEL, messages=[]), openai.BadRequestError),
    ]:
        try:
            call()
        except kind:
            continue
        except openai.OpenAIError as error:
            raise AssertionError(f"{type(error).__name__} in the place of {kind.__name__}: {error}") from error
        raise AssertionError(f"not refused with {kind.__name__}")


def the_clients_own_retry_gets_the_answer(standins):
    before = standins.calls("models", "llm.chat")
    standins.fail("models", "llm.chat", {"status": {"status": 503, "retry_after": 0.01}})
    answer = client(standins, max_retries=1).chat.completions.create(model=MODEL, messages=ASK)
    assert answer.choices[0].message.content
    assert standins.calls("models", "llm.chat") == before + 2


if __name__ == "__main__":
    peers.main([
        an_answer_has_text_and_usage,
        a_stream_gives_the_same_and_its_usage_last,
        a_tool_is_called,
        models_are_listed,
        a_refusal_has_the_class_of_the_client,
        the_clients_own_retry_gets_the_answer,
    ])
