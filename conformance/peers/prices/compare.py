"""Our price rows beside another catalogue's: the `genai-prices` package from PyPI.

    pip install genai-prices && python conformance/peers/prices/compare.py

Every model that both know is billed by both for the same tokens on the day on which our row was last checked. Prints each
difference that is not explained below and ends with status 1 if there is any.
"""

import datetime
import decimal
import pathlib
import sys
import tomllib

from genai_prices import Usage, calc_price

ROOT = pathlib.Path(__file__).resolve().parents[3]
THEIR_NAMES = {"moonshot": "moonshotai"}

# Known differences, each with its reason.
EXPLAINED = {
    "openai/gpt-5.5": "the tier above 272,000 tokens is read from another catalogue",
    "openai/gpt-5.4": "tiers are compared below the threshold only where theirs has none",
}

MIXES = [
    {"input": 1_000_000, "cache_read": 0, "output": 0},
    {"input": 0, "cache_read": 0, "output": 1_000_000},
    {"input": 100_000, "cache_read": 50_000, "output": 10_000},
]


def usd(text):
    return decimal.Decimal(text.removesuffix("USD").strip())


def ours(row, mix):
    prompt = mix["input"] + mix["cache_read"]
    rates = row
    for tier in row.get("tier", []):
        if prompt > tier["above"]:
            rates = tier
    read = usd(rates.get("cache_read", rates["input"]))
    total = mix["input"] * usd(rates["input"]) + mix["cache_read"] * read + mix["output"] * usd(rates["output"])
    return total / 1_000_000


def main():
    facts = tomllib.loads((ROOT / "nbhd-llm/src/price/prices.toml").read_text())
    compared, unknown, different = 0, [], []
    for model in facts["model"]:
        name = f"{model['provider']}/{model['model']}"
        provider = THEIR_NAMES.get(model["provider"], model["provider"])
        row = model["row"][-1]
        day = max(row["checked"], row.get("from", row["checked"]))
        at = datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00")
        for mix in MIXES:
            usage = Usage(
                input_tokens=mix["input"] + mix["cache_read"],
                cache_read_tokens=mix["cache_read"],
                output_tokens=mix["output"],
            )
            try:
                theirs = calc_price(
                    usage, model_ref=model["model"], provider_id=provider, genai_request_timestamp=at
                ).total_price
            except LookupError:
                unknown.append(name)
                break
            compared += 1
            mine = ours(row, mix)
            if mine != theirs:
                different.append((name, mix, mine, theirs))
    for name, mix, mine, theirs in different:
        why = EXPLAINED.get(name, "NOT EXPLAINED")
        print(f"{name} {mix}: ours {mine} USD, theirs {theirs} USD: {why}")
    print(f"{compared} bills compared, {len(different)} differ, {len(set(unknown))} models unknown there: {unknown}")
    return 1 if any(name not in EXPLAINED for name, *_ in different) or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
