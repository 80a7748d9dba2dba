//! What the schema before the first did not know, which no release ever had: for tests of migration.

use super::{Commit, Guard};
use crate::{Code, Error, Result};

/// Code of `older` schema has no buckets.
pub(super) fn refuse(commit: &Commit, older: bool) -> Result<()> {
    let bucket = |guard: &Guard| matches!(guard, Guard::Bucket { .. });
    if older && commit.guards.iter().any(bucket) {
        return Err(Error::new(
            Code::Unsupported,
            "this version of the store knows no buckets",
        ));
    }
    Ok(())
}
