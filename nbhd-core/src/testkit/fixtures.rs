//! Where the shared fixtures are, if they are here.

use std::path::{Path, PathBuf};

/// The folder of shared fixtures: `$NBHD_SHARED/fixtures`, or else `../shared/fixtures` beside the repository.
/// `None` when it is not here; a test then says so and returns.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find their fixtures through the environment"
)]
pub fn shared_fixtures() -> Option<PathBuf> {
    let named = std::env::var("NBHD_SHARED").ok().map(PathBuf::from);
    let beside = || {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        Some(repository.parent()?.join("shared"))
    };
    let fixtures = named.or_else(beside)?.join("fixtures");
    fixtures.is_dir().then_some(fixtures)
}
