//! The program that the README shows runs as it stands.

use std::process::Command;

#[test]
fn the_example_of_the_readme_answers() {
    let ran = Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(
        printed.contains("The offer") && printed.contains("USD"),
        "{printed}"
    );
}
