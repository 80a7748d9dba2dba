//! From what a provider says that it used to what counts.

use nbhd_core::Timestamp;

use super::plan::Candidate;
use crate::budget::{Bound, Settled};
use crate::chat::{Cost, CostBasis, Usage};
use crate::price::{Catalog, NanoUsd, Tokens};

/// What an attempt is settled at, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Charge {
    pub(super) amount: NanoUsd,
    pub(super) basis: CostBasis,
    pub(super) price: Option<String>,
}

impl Charge {
    pub(super) fn nothing() -> Self {
        Self {
            amount: NanoUsd::ZERO,
            basis: CostBasis::Actual,
            price: None,
        }
    }

    pub(super) fn settled(&self) -> Settled {
        match self.basis {
            CostBasis::Provisional => Settled::Provisional(self.amount),
            _ => Settled::Final(self.amount),
        }
    }

    pub(super) fn cost(&self) -> Cost {
        let cost = Cost::new(self.amount.0, self.basis);
        match &self.price {
            Some(price) => cost.with_price(price),
            None => cost,
        }
    }
}

/// What an attempt could cost at most, and when it began.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Absent where nothing is known and nothing bounds it.
    pub(super) bound: Option<Bound>,
    pub(super) output_cap: u64,
    pub(super) at: Timestamp,
}

/// The charge of an answer. What the provider left out is charged at its bound, and then it is not final.
pub(super) fn of_answer(
    catalog: &Catalog,
    candidate: &Candidate,
    returned: Option<&str>,
    usage: Option<&Usage>,
    terms: &Terms,
) -> Charge {
    let Some(bound) = &terms.bound else {
        let said = usage.and_then(|usage| usage.provider_cost);
        return Charge {
            amount: NanoUsd(said.unwrap_or(0).max(0)),
            basis: said.map_or(CostBasis::Unknown, |_| CostBasis::Actual),
            price: None,
        };
    };
    let Some(usage) = usage.filter(|usage| is_whole(usage)) else {
        return at_bound(usage, terms);
    };
    let tokens = tokens(usage);
    let bill = |model: &str| catalog.bill(&candidate.price_name, model, &tokens, terms.at).ok();
    let mut best = bill(&candidate.model);
    // The model that answered may be dearer than the one that was asked; never cheaper.
    if let Some(other) = returned.filter(|model| *model != candidate.model).and_then(bill)
        && best.as_ref().is_none_or(|best| other.nano_usd > best.nano_usd)
    {
        best = Some(other);
    }
    let (amount, price) = best.map_or_else(
        || (bound.rates.cost(&tokens), bound.price.clone()),
        |bill| (bill.nano_usd, bill.price),
    );
    Charge {
        amount: amount.max(NanoUsd(usage.provider_cost.unwrap_or(0))),
        basis: CostBasis::Actual,
        price: Some(price),
    }
}

/// The charge of an attempt whose bill nobody knows: its bound, tightened by the input that the provider counted.
pub(super) fn at_bound(usage: Option<&Usage>, terms: &Terms) -> Charge {
    let Some(bound) = &terms.bound else {
        return Charge {
            amount: NanoUsd::ZERO,
            basis: CostBasis::Unknown,
            price: None,
        };
    };
    let mut amount = bound.amount(terms.output_cap);
    if let Some(usage) = usage.filter(|usage| usage.input.is_some()) {
        let seen = Bound {
            input_tokens: usage.input_tokens(),
            ..bound.clone()
        };
        amount = amount.min(seen.amount(terms.output_cap));
    }
    Charge {
        amount,
        basis: CostBasis::Provisional,
        price: Some(bound.price.clone()),
    }
}

/// Whether both sides are counted.
fn is_whole(usage: &Usage) -> bool {
    let read = [
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.cache_write_1h,
    ];
    let written = [usage.output, usage.reasoning];
    read.iter().any(Option::is_some) && written.iter().any(Option::is_some)
}

/// The priced buckets. Where the buckets and the provider's own total differ, the larger reading counts: what is missing
/// is counted as output, the dearer side.
fn tokens(usage: &Usage) -> Tokens {
    let of = |bucket: Option<u64>| bucket.unwrap_or(0);
    let missing = usage.total.unwrap_or(0).saturating_sub(usage.tokens());
    Tokens {
        input: of(usage.input)
            .saturating_add(of(usage.input_audio))
            .saturating_add(of(usage.input_image)),
        cache_read: of(usage.cache_read),
        cache_write: of(usage.cache_write),
        cache_write_1h: of(usage.cache_write_1h),
        output: of(usage.output)
            .saturating_add(of(usage.output_audio))
            .saturating_add(of(usage.output_image))
            .saturating_add(missing),
        reasoning: of(usage.reasoning),
    }
}
