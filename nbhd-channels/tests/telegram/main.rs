//! The bot against its stand-in: over real HTTP on loopback, with faults.

mod receive;
mod send;

use std::sync::Arc;

use nbhd_channels::Telegram;
use nbhd_channels::testkit::Telegram as StandIn;
use nbhd_core::Host;
use nbhd_core::clock::FakeClock;

fn host() -> Host {
    let store = nbhd_core::store::open("memory:").expect("a store");
    let start = "2026-11-21T08:00:00Z".parse().expect("a time");
    Host::builder(store)
        .with_clock(Arc::new(FakeClock::at(start)))
        .build()
}

fn bot() -> (StandIn, Telegram, Host) {
    let (server, host) = (StandIn::start().expect("a stand-in"), host());
    server.add_chat(42);
    let bot = server.client(&host).expect("a bot");
    (server, bot, host)
}
