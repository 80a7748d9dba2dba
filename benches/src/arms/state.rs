//! Commits a second, for each store and class, with one writer and eight, beside a naive table of the same database; and
//! how long an event takes from the acceptance to the commit that ends it.
//!
//! Our commit looks at a sum, adds to it and writes a record; the naive one writes a row, and looks at nothing.

mod naive;
mod place;

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use nbhd_core::Host;
use nbhd_core::inbox::NewEvent;
use nbhd_core::store::{Commit, Guard, Write};
use serde_json::Map;

use crate::Failure;
use crate::timing::{Figures, Times};
use place::Place;

/// How many write at the same time.
const WRITERS: usize = 8;

/// The size of what is written: a small JSON record.
const VALUE: usize = 400;

pub(crate) struct State {
    commits: usize,
    places: Vec<Place>,
}

impl State {
    pub(crate) fn new(commits: usize) -> Result<Self, Failure> {
        Ok(Self {
            commits,
            places: place::all()?,
        })
    }

    pub(crate) async fn measure(&self, figures: &mut Figures) -> Result<(), Failure> {
        for place in &self.places {
            place.prepare().await?;
            let names = &place.names;
            figures.insert(names.one, self.commits(place, 1).await?);
            figures.insert(names.eight, self.commits(place, WRITERS).await?);
            figures.insert(names.naive_one, naive::rate(place, 1, self.commits).await?);
            figures.insert(
                names.naive_eight,
                naive::rate(place, WRITERS, self.commits).await?,
            );
            figures.insert(names.event, self.events(place).await?);
        }
        Ok(())
    }

    /// Commits a second by so many writers, each with a handle of its own on one store, as processes have.
    async fn commits(&self, place: &Place, writers: usize) -> Result<f64, Failure> {
        let mut hosts = Vec::new();
        for _ in 0..writers {
            let host = Host::new(&place.address)?;
            host.store().now().await?;
            hosts.push(host);
        }
        let each = self.commits / writers;
        let began = Instant::now();
        try_join_all(hosts.iter().enumerate().map(|(writer, host)| async move {
            for number in 0..each {
                let commit = Commit::new()
                    .with_durability(place.class)
                    .guard(Guard::SumAtMost {
                        key: "bench/sum".to_owned(),
                        delta: 1,
                        cap: i64::MAX / 2_000_000,
                    })
                    .write(Write::Add {
                        key: "bench/sum".to_owned(),
                        delta: 1,
                    })
                    .write(Write::Put {
                        key: format!("bench/{writer}/{}", number % 100),
                        value: "x".repeat(VALUE),
                        ttl: None,
                    });
                host.store().commit(commit).await?;
            }
            Ok::<(), nbhd_core::Error>(())
        }))
        .await?;
        let took = began.elapsed();
        for host in hosts {
            host.store().close().await?;
        }
        Ok(per_second(each * writers, took))
    }

    /// From the acceptance of an event to the commit that ends it, in microseconds.
    async fn events(&self, place: &Place) -> Result<f64, Failure> {
        let host = Host::new(&place.address)?;
        let inbox = host.inbox().with_durability(place.class);
        let mut times = Times::default();
        for _ in 0..self.commits / 4 {
            let event = NewEvent {
                provider: "bench".to_owned(),
                instance: "one".to_owned(),
                dedupe: vec![host.random().id()],
                lane: "lane".to_owned(),
                data: Map::new(),
            };
            let began = Instant::now();
            inbox.accept(event).await?;
            let work = inbox.claim().await?.ok_or("what was accepted is ready")?;
            work.commit(Vec::new()).await?;
            times.add(began.elapsed());
        }
        host.store().close().await?;
        Ok(times.median())
    }
}

pub(super) fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
