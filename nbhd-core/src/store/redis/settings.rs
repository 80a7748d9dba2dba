//! What the server says of itself: whether a store may stand on it at all, and what its commits survive.
//!
//! <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>

use std::collections::HashMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::store::Durability;
use crate::{Code, Error, Result};

/// The oldest version whose scripts do what ours rely on.
const OLDEST: (u32, u32) = (6, 2);

/// The settings of a Redis server that decide what its commits survive, as the server tells them. `None` is what it does
/// not tell: managed servers often forbid `CONFIG GET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RedisSettings {
    /// The version of Redis that the server speaks, such as `7.0.15`.
    pub version: Option<String>,
    /// Whether every write goes into the append-only file.
    pub append_only: Option<bool>,
    /// `always`, `everysec` or `no`.
    pub append_fsync: Option<String>,
    /// Whether `always` is suspended while the file is rewritten.
    pub no_fsync_on_rewrite: Option<bool>,
    /// What happens when the memory is full; only `noeviction` will do.
    pub eviction: Option<String>,
    /// Replicas that follow asynchronously; one that is promoted forgets what it had not received.
    pub replicas: Option<u64>,
    /// `master` or `slave`, in the server's words.
    pub role: Option<String>,
    /// Whether it is part of a cluster.
    pub cluster: Option<bool>,
    /// What the user said of the server, where it does not tell.
    pub declared: Option<Durability>,
}

impl RedisSettings {
    /// Reads the text of `INFO` and the pairs of `CONFIG GET`, as far as there are any.
    pub(super) fn read(info: &str, config: &HashMap<String, String>, declared: Option<Durability>) -> Self {
        let info: HashMap<&str, &str> = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .collect();
        let told = |name: &str| info.get(name).map(|value| (*value).to_owned());
        let set = |name: &str| config.get(name).cloned();
        let yes = |value: String| value == "yes" || value == "1";
        Self {
            version: told("redis_version"),
            append_only: set("appendonly").or_else(|| told("aof_enabled")).map(yes),
            append_fsync: set("appendfsync"),
            no_fsync_on_rewrite: set("no-appendfsync-on-rewrite").map(yes),
            eviction: set("maxmemory-policy").or_else(|| told("maxmemory_policy")),
            replicas: told("connected_slaves").and_then(|count| count.parse().ok()),
            role: told("role"),
            cluster: told("cluster_enabled").map(yes),
            declared,
        }
    }

    /// What a commit on this server survives. What is not told counts as the worse, unless the user declared it; what is
    /// told counts, whatever the user declared. Replicas count as such that may be promoted unless the user declared
    /// otherwise.
    pub fn durability(&self) -> Durability {
        let told_lossy = self.append_only == Some(false)
            || self
                .append_fsync
                .as_deref()
                .is_some_and(|fsync| fsync != "always")
            || self.no_fsync_on_rewrite == Some(true);
        if told_lossy {
            return Durability::Lossy;
        }
        if let Some(declared) = self.declared {
            return declared;
        }
        let all_told = self.append_only == Some(true)
            && self.append_fsync.is_some()
            && self.no_fsync_on_rewrite.is_some()
            && self.replicas == Some(0);
        if all_told {
            Durability::Power
        } else {
            Durability::Lossy
        }
    }

    /// Refuses a server on which no store may stand.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |message: String, action: &str| {
            Err(Error::new(Code::InvalidConfig, message).with_user_action(action))
        };
        if self.cluster == Some(true) {
            return refuse(
                "this is a Redis Cluster, whose commits cannot span its parts".to_owned(),
                "Use one Redis server, with replicas if you like, instead of a cluster.",
            );
        }
        if let Some(policy) = self.eviction.as_deref().filter(|policy| *policy != "noeviction") {
            return refuse(
                format!(
                    "this Redis server throws keys away when its memory is full (maxmemory-policy {policy})"
                ),
                "Set `maxmemory-policy noeviction` on the server, or use one that is no cache.",
            );
        }
        if self.role.as_deref() == Some("slave") {
            // It may be the primary again in a moment: a failover passes.
            return Err(Error::new(
                Code::StoreUnavailable,
                "this Redis server is a replica, which takes no writes",
            )
            .with_user_action(
                "Name the primary in the address of the store, or wait for the failover to end.",
            ));
        }
        if let Some(version) = self.version.as_deref()
            && let Some(numbers) = numbers(version)
            && numbers < OLDEST
        {
            return refuse(
                format!("this Redis server is version {version}, and 6.2 is the oldest that will do"),
                "Update the Redis server.",
            );
        }
        Ok(())
    }
}

/// In one line, for logs and reports.
impl fmt::Display for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "not told".to_owned());
        let switch = |value: Option<bool>| match value {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not told",
        };
        write!(
            f,
            "redis {}, appendonly {}, appendfsync {}, no-appendfsync-on-rewrite {}, maxmemory-policy {}, {} replicas",
            told(&self.version),
            switch(self.append_only),
            told(&self.append_fsync),
            switch(self.no_fsync_on_rewrite),
            told(&self.eviction),
            self.replicas
                .map_or_else(|| "not told how many".to_owned(), |count| count.to_string()),
        )
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n# Persistence\r\n\
                        aof_enabled:1\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n# Cluster\r\n\
                        cluster_enabled:0\r\n";

    fn config(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn always() -> HashMap<String, String> {
        config(&[
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("no-appendfsync-on-rewrite", "no"),
        ])
    }

    #[test]
    fn only_what_the_server_tells_makes_it_durable() {
        let settings = RedisSettings::read(INFO, &always(), None);
        assert_eq!(settings.durability(), Durability::Power);
        settings.check().unwrap();
        for (name, value) in [
            ("appendonly", "no"),
            ("appendfsync", "everysec"),
            ("no-appendfsync-on-rewrite", "yes"),
        ] {
            let mut config = always();
            config.insert(name.to_owned(), value.to_owned());
            for declared in [None, Some(Durability::Power)] {
                let settings = RedisSettings::read(INFO, &config, declared);
                assert_eq!(settings.durability(), Durability::Lossy, "{name} {value}");
            }
        }
    }

    #[test]
    fn what_is_not_told_is_lossy_until_the_user_declares_it() {
        let replicated = INFO.replace("connected_slaves:0", "connected_slaves:1");
        for (info, config) in [
            (INFO, config(&[])),
            ("", config(&[])),
            ("", always()),
            (replicated.as_str(), always()),
        ] {
            assert_eq!(
                RedisSettings::read(info, &config, None).durability(),
                Durability::Lossy
            );
            assert_eq!(
                RedisSettings::read(info, &config, Some(Durability::Power)).durability(),
                Durability::Power
            );
        }
    }

    #[test]
    fn servers_that_will_not_do_are_refused_with_what_to_do() {
        for (from, to, code) in [
            ("cluster_enabled:0", "cluster_enabled:1", Code::InvalidConfig),
            (
                "maxmemory_policy:noeviction",
                "maxmemory_policy:allkeys-lru",
                Code::InvalidConfig,
            ),
            ("role:master", "role:slave", Code::StoreUnavailable),
            (
                "redis_version:7.0.15",
                "redis_version:5.0.14",
                Code::InvalidConfig,
            ),
        ] {
            let info = INFO.replace(from, to);
            let error = RedisSettings::read(&info, &always(), None).check().unwrap_err();
            assert_eq!(error.code(), code, "{to}");
        }
    }
}
