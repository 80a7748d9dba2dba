//! A hold and its settlement, uncontended, on both embedded stores.

use std::collections::BTreeMap;
use std::time::Instant;

use nbhd_core::Host;
use nbhd_core::store::{Commit, Durability, Guard, Write};
use nbhd_llm::budget::{Bound, Budget, HoldRequest, Ledger, Scope, Settled, Shape};
use nbhd_llm::price::{Catalog, NanoUsd};

use super::Folder;
use crate::timing::{Figures, Times};
use crate::{Failure, samples};

/// Holds in one batch in memory: one is shorter than a look at the clock is exact.
const BATCH: u32 = 200;

pub(crate) struct Money {
    batches: usize,
    memory: Host,
    sqlite: Host,
    _folder: Folder,
}

impl Money {
    pub(crate) fn new(batches: usize) -> Result<Self, Failure> {
        let folder = Folder::new("money")?;
        Ok(Self {
            batches,
            memory: Host::new("memory:")?,
            sqlite: Host::new(&folder.store())?,
            _folder: folder,
        })
    }

    pub(crate) async fn measure(&self, figures: &mut Figures) -> Result<(), Failure> {
        let one = request(&["tenant:42"])?;
        let twelve = request(&["tenant:42", "user:7", "session:a", "global"])?;
        let (batches, few) = (self.batches, self.batches * 10);
        let rows = [
            ("hold.memory.one", &self.memory, 1, &one, batches, BATCH),
            ("hold.memory.twelve", &self.memory, 3, &twelve, batches, BATCH),
            ("hold.sqlite.one", &self.sqlite, 1, &one, few, 1),
            ("hold.sqlite.twelve", &self.sqlite, 3, &twelve, few, 1),
        ];
        for (name, host, windows, request, batches, size) in rows {
            let ledger = Ledger::new(host, budgets(windows))?;
            let mut times = Times::default();
            for warm in 0..batches + 2 {
                let began = Instant::now();
                for _ in 0..size {
                    let mut hold = ledger.hold(request.clone()).await?;
                    hold.mark_sent();
                    hold.settle(Settled::Final(NanoUsd(700))).await?;
                }
                if warm >= 2 {
                    times.add(began.elapsed() / size);
                }
            }
            figures.insert(name, times.median());
        }
        figures.insert("hold.memory.floor", commits(&self.memory, batches, BATCH).await?);
        figures.insert("hold.sqlite.floor", commits(&self.sqlite, few, 1).await?);
        Ok(())
    }
}

/// What the store alone takes for two commits of that kind.
async fn commits(host: &Host, batches: usize, size: u32) -> Result<f64, Failure> {
    let key = "bench/record".to_owned();
    let sum = "bench/sum".to_owned();
    let put = || {
        Commit::new()
            .with_durability(Durability::Process)
            .guard(Guard::SumAtMost {
                key: sum.clone(),
                delta: 1,
                cap: i64::MAX,
            })
            .write(Write::Put {
                key: key.clone(),
                value: "x".repeat(400),
                ttl: None,
            })
            .write(Write::Add {
                key: sum.clone(),
                delta: 1,
            })
    };
    let delete = || {
        Commit::new()
            .with_durability(Durability::Process)
            .write(Write::Delete { key: key.clone() })
            .write(Write::Add {
                key: sum.clone(),
                delta: -1,
            })
    };
    let mut times = Times::default();
    for _ in 0..batches {
        let began = Instant::now();
        for _ in 0..size {
            host.store().commit(put()).await?;
            host.store().commit(delete()).await?;
        }
        times.add(began.elapsed() / size);
    }
    Ok(times.median())
}

fn budgets(windows: usize) -> BTreeMap<String, Budget> {
    let cap = |wanted: usize| (windows >= wanted).then_some(NanoUsd(1_000_000_000_000_000));
    let kinds = ["tenant", "user", "session", "global"];
    kinds
        .into_iter()
        .map(|kind| {
            let budget = Budget {
                day: cap(1),
                month: cap(2),
                hour: cap(3),
                ..Budget::default()
            };
            (kind.to_owned(), budget)
        })
        .collect()
}

fn request(scopes: &[&str]) -> Result<HoldRequest, Failure> {
    let mut shape = Shape::default();
    (shape.bytes, shape.messages) = (1_000, 1);
    let (from, until) = ("2026-11-21T12:00:00Z".parse()?, "2026-11-21T12:02:00Z".parse()?);
    let bound = Bound::new(
        &Catalog::built_in(),
        "openai",
        samples::MODEL,
        &shape,
        from,
        until,
    )?;
    let scopes: Vec<Scope> = scopes
        .iter()
        .map(|scope| scope.parse())
        .collect::<Result<_, nbhd_core::Error>>()?;
    Ok(HoldRequest::new("openai", samples::MODEL, bound, 4_096).with_scopes(scopes))
}
