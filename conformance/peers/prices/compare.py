"""Our price rows beside another catalogue's: the `genai-prices` package from PyPI.

    cargo xtask peers

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

# Known differences by name, each with its reason.
EXPLAINED = {}

MIXES = [
    {"input": 200_000, "cache_read": 0, "cache_write": 0, "output": 0},
    {"input": 0, "cache_read": 0, "cache_write": 0, "output": 1_000_000},
    {"input": 100_000, "cache_read": 50_000, "cache_write": 0, "output": 10_000},
    {"input": 300_001, "cache_read": 99_999, "cache_write": 0, "output": 7},
    {"input": 10_000, "cache_read": 0, "cache_write": 5_000, "output": 3},
]


def usd(text):
    return decimal.Decimal(text.removesuffix("USD").strip())


def ours(row, mix):
    prompt = mix["input"] + mix["cache_read"] + mix["cache_write"]
    rates = row
    for tier in row.get("tier", []):
        if prompt > tier["above"]:
            rates = tier
    buckets = {
        "input": rates["input"],
        "cache_read": rates.get("cache_read", rates["input"]),
        "cache_write": rates.get("cache_write", rates["input"]),
        "output": rates["output"],
    }
    return sum(mix[bucket] * usd(rate) for bucket, rate in buckets.items()) / 1_000_000


def main():
    facts = tomllib.loads((ROOT / "nbhd-llm/src/price/prices.toml").read_text())
    compared, unknown, different = 0, [], []
    for model in facts["model"]:
        name = f"{model['provider']}/{model['model']}"
        provider = THEIR_NAMES.get(model["provider"], model["provider"])
        # Each row on the last day before the next one; the last row on the day on which it was checked.
        starts = [row.get("from") for row in model["row"]][1:]
        before = [datetime.date.fromisoformat(start) - datetime.timedelta(days=1) for start in starts]
        days = [*before, model["row"][-1]["checked"]]
        for row, day, mix in ((row, day, mix) for row, day in zip(model["row"], days) for mix in MIXES):
            at = datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00")
            usage = Usage(
                input_tokens=mix["input"] + mix["cache_read"] + mix["cache_write"],
                cache_read_tokens=mix["cache_read"],
                cache_write_tokens=mix["cache_write"],
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
    failed = compared == 0 or any(name not in EXPLAINED for name, *_ in different)
    verdict = "FAILED " if failed else "ok     "
    print(f"{verdict} {compared} bills compared, {len(different)} differ, {len(set(unknown))} models unknown there: {unknown}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
