//! Which Rust types are handles, and every name that is on purpose not in all three languages, with its reason.

use super::rust::Handle;

/// The handles, and where Rust has them. A class of Python or Node that is not here is a violation.
pub(super) const HANDLES: &[Handle] = &[
    handle("Host", "Host", "nbhd-core/src/host.rs"),
    handle("Secret", "Secret", "nbhd-core/src/secret"),
    handle("Inbox", "Inbox", "nbhd-core/src/inbox"),
    handle("Work", "Work", "nbhd-core/src/inbox"),
    handle("Google", "Google", "nbhd-google/src/google.rs"),
    handle("Account", "Account", "nbhd-google/src/account.rs"),
    handle("AccessToken", "AccessToken", "nbhd-google/src/broker"),
    handle("Gmail", "Gmail", "nbhd-google/src/gmail"),
    handle("Calendar", "Calendar", "nbhd-google/src/calendar"),
    handle("Router", "Router", "nbhd-llm/src/router"),
    handle("Stream", "ChatStream", "nbhd-llm/src/router"),
    handle("Telegram", "Telegram", "nbhd-channels/src/telegram"),
    handle("testkit.Clock", "FakeClock", "nbhd-core/src/clock.rs"),
    handle("testkit.Script", "Script", "nbhd-core/src/testkit/script.rs"),
    handle("testkit.Google", "GoogleStandIn", "nbhd-google/src/testkit"),
    handle("testkit.Models", "ModelStandIn", "nbhd-llm/src/testkit"),
    handle("testkit.Telegram", "Telegram", "nbhd-channels/src/testkit"),
    handle("Vault", "ProgramVault", "nbhd-core/src/vault"),
    handle("Audited", "Audited", "nbhd-core/src/audit"),
    handle("Run", "Run", "nbhd-core/src/audit"),
    handle("Queue", "Queue", "nbhd-core/src/queue"),
    handle("Worker", "Worker", "nbhd-core/src/queue"),
    handle("JobWork", "JobWork", "nbhd-core/src/queue"),
    handle("Outbox", "Outbox", "nbhd-core/src/outbox"),
    handle("AlertGate", "AlertGate", "nbhd-core/src/limit"),
    handle("StateGate", "StateGate", "nbhd-core/src/limit"),
    handle("Ticket", "Ticket", "nbhd-core/src/limit"),
    handle("Credential", "Credential", "nbhd-core/src/secure"),
    handle("Host", "Host", "nbhd-core/src/secure"),
    handle("", "brief", "nbhd-google/src/brief"),
    handle("", "window", "nbhd-core/src/window"),
    handle("", "redact", "nbhd-core/src/secret/redact/mod.rs"),
    handle("", "listener", "nbhd-core/src/listener.rs"),
    handle("", "audit", "nbhd-core/src/audit/canonical.rs"),
];

const fn handle(name: &'static str, rust: &'static str, room: &'static str) -> Handle {
    Handle { name, rust, room }
}

/// What another language calls by another word.
pub(super) const RENAMED: &[(&str, &str)] = &[
    ("brief::build", "build_brief"),
    ("brief::validate", "validate_brief"),
    ("Inbox.next", "Inbox.work"),
    ("window::resolve", "resolve_window"),
    ("redact::redact", "redact"),
    ("listener::listener_exposure", "listener_exposure"),
    ("audit::parameters_hash", "parameters_hash"),
    ("audit::actor_fingerprint", "actor_fingerprint"),
];

/// A name that is on purpose not everywhere.
pub(super) struct Hole {
    pub(super) name: &'static str,
    /// The languages that lack it, joined by " and ".
    pub(super) missing: &'static str,
    pub(super) reason: &'static str,
}

/// A part of the core that a Rust program may replace or build on.
const PLUG: &str = "what Rust programs build on; a binding is given it when the handle is made";
/// A finer control of a stand-in.
const KIT: &str = "for tests of this repository in Rust; the stand-in is also reached over HTTP";

const fn hole(name: &'static str, missing: &'static str, reason: &'static str) -> Hole {
    Hole {
        name,
        missing,
        reason,
    }
}

/// All languages but Rust.
const BOUND: &str = "python and node";

pub(super) const HOLES: &[Hole] = &[
    hole("Host.clock", BOUND, PLUG),
    hole("Host.lease", BOUND, PLUG),
    hole("Host.random", BOUND, PLUG),
    hole("Credential.header_after", BOUND, "not bound under this name"),
    hole(
        "JobWork.keep",
        BOUND,
        "Python prolongs a lease itself while a block runs, Node has no block; `renew` is there",
    ),
    hole(
        "Outbox.dispatch",
        BOUND,
        "a channel sends: what is bound looks and decides",
    ),
    hole(
        "Outbox.resume",
        BOUND,
        "a channel sends: what is bound looks and decides",
    ),
    hole("Queue.rules", BOUND, "what the program itself gave"),
    hole("Worker.next", BOUND, "a loop over `claim`"),
    hole("Host.socket", BOUND, PLUG),
    hole(
        "Stream.read_ahead",
        BOUND,
        "every stream of a binding is read ahead",
    ),
    hole(
        "Stream.next_ready",
        BOUND,
        "what a step of a binding's stream does first",
    ),
    hole(
        "Store",
        "rust",
        "the trait `Store`; the bindings read what `commit_with` wrote",
    ),
    hole(
        "Limits",
        "rust",
        "the trait `Limits`, which `StoreLimits` and `LocalLimits` have",
    ),
    hole("Host.durable_store", BOUND, PLUG),
    hole("Host.lossy_store_reason", BOUND, PLUG),
    hole("Host.force_open", "rust", "`host.breakers().force_open`"),
    hole("Host.reset_breaker", "rust", "`host.breakers().reset`"),
    hole("Worker.work", "rust and node", "a Python loop over `claim`"),
    hole("testkit.Clock.step", BOUND, KIT),
    hole("testkit.Clock.suspend", BOUND, KIT),
    hole("Host.tokens", BOUND, PLUG),
    hole("Audited.begin", BOUND, "`host.audited`"),
    hole("Run.begin", BOUND, "`host.run`"),
    hole("Secret.status", "rust", "a method of `SecretSource`"),
    hole(
        "time_zone_version",
        "rust",
        "the constant `window::TIME_ZONE_VERSION`",
    ),
    hole("window::first_instant", BOUND, "a step of `resolve_window`"),
    hole("window::last_second", BOUND, "a step of `resolve_window`"),
    hole("window::zone", BOUND, "a step of `resolve_window`"),
    hole("redact::redact_to", BOUND, "`redact` takes a limit there"),
    hole(
        "listener::exposure",
        BOUND,
        "`listener_exposure` takes the address as text",
    ),
    hole("audit::canonical_json", BOUND, "a step of `parameters_hash`"),
    hole(
        "Host.close",
        "rust",
        "`host.store().close()`: in Rust the store is a value that a program may hold",
    ),
    hole(
        "AccessToken.reveal",
        "rust",
        "the field `token` is a `Secret`, and `expose()` is its door",
    ),
    hole(
        "AccessToken.token",
        BOUND,
        "`reveal()`: these languages have no secret type that can be looked into",
    ),
    hole("Secret.expose", BOUND, "a secret goes in and never comes out"),
    hole(
        "Secret.fingerprint",
        BOUND,
        "tells two secrets apart inside Rust programs; no user of a binding has asked two of them apart",
    ),
    hole(
        "Inbox.work",
        "node",
        "no loop object: `claim()` in a loop of one's own",
    ),
    hole(
        "Work.keep",
        BOUND,
        "Python prolongs a lease itself while a block runs, Node has no block; `renew` is there",
    ),
    hole(
        "Work.lease",
        BOUND,
        "the lease is the store's business; `renew` and `commit` use it",
    ),
    hole(
        "Router.catalog",
        BOUND,
        "what Rust programs read prices from; `explain` says what a call can cost",
    ),
    hole(
        "Router.ledger",
        BOUND,
        "what Rust programs settle with; `spend` and `remaining` read it",
    ),
    hole(
        "Telegram.parse",
        BOUND,
        "a step of `receive`, for Rust programs with an ingress of their own",
    ),
    hole(
        "Telegram.prepare",
        BOUND,
        "a step of `send`, for Rust programs with an outbox of their own",
    ),
    hole(
        "Telegram.receive_pairs",
        BOUND,
        "`receive` takes any mapping there",
    ),
    hole(
        "Stream.return",
        "rust and python",
        "the protocol of JavaScript's iterators; `close` elsewhere",
    ),
    hole(
        "Page",
        "rust and node",
        "Rust has it as `page::Page`, Node as an array with properties; a class exists only in Python",
    ),
    hole("brief::overlaps", BOUND, "`build_brief` lists the conflicts"),
    hole(
        "brief::validate_value",
        BOUND,
        "`validate_brief` takes the answer as text",
    ),
    hole("render_brief", "rust", "`Brief::to_markdown`"),
    hole("testkit.Clock.now", "rust", "a method of the trait `Clock`"),
    hole(
        "testkit.Script.url",
        "rust",
        "a Rust test starts the `Server` around the script itself",
    ),
    hole("testkit.Google.address", BOUND, KIT),
    hole("testkit.Google.endpoints", BOUND, KIT),
    hole("testkit.Google.log", BOUND, KIT),
    hole("testkit.Google.revoke_grant", BOUND, KIT),
    hole("testkit.Models.clear_faults", BOUND, KIT),
    hole("testkit.Models.config", BOUND, KIT),
    hole("testkit.Models.log", BOUND, KIT),
    hole("testkit.Models.port", BOUND, KIT),
    hole("testkit.Telegram.add_chat", BOUND, KIT),
    hole("testkit.Telegram.fail_later", BOUND, KIT),
    hole("testkit.Telegram.push", BOUND, KIT),
    hole("testkit.Telegram.server", BOUND, KIT),
];
