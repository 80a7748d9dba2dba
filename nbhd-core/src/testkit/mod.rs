//! What tests need, of this suite and of its users: a server on loopback that plays what it is told, scripts, faults,
//! death at a named point, planted defects, and the way to the shared fixtures. Nothing here is meant for production.

mod contract;
mod faults;
mod faulty_store;
mod faulty_transport;
mod fixtures;
mod kill;
mod matching;
mod points;
mod proxy;
mod sabotaged_store;
mod script;
mod server;
mod servers;
mod storeless;
mod work_contract;

pub use contract::{ContractReport, store_contract};
pub use faults::{Fault, Faults};
pub use faulty_store::FaultyStore;
pub use faulty_transport::{FaultyTransport, Rebound, SabotagedTransport, TransportSabotage};
pub use fixtures::shared_fixtures;
pub use kill::KillPlan;
pub use points::PointedStore;
pub use proxy::{Cut, Direction, Proxy};
pub use sabotaged_store::{Sabotage, SabotagedStore};
pub use script::{Script, UNEXPECTED};
pub use server::{Call, Handler, Log, Reply, Server};
#[cfg(all(target_os = "linux", feature = "postgres"))]
pub use servers::PostgresServer;
#[cfg(all(unix, feature = "redis"))]
pub use servers::{RedisFsync, RedisServer};
pub use storeless::Storeless;
pub use work_contract::work_contract;
