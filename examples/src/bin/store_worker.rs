//! A process on a store that may be killed, starved or lied to at any moment: see `nbhd_examples::endurance`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nbhd_examples::endurance::{Life, Place, check, live, obey};

/// Works on a store.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Accepts and handles events until nothing is left.
    Live(Life),
    /// Prints what is in the store.
    Check,
    /// Makes the calls that its input orders.
    Obey,
    /// Creates the store.
    Create,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match &arguments.task {
            Task::Live(life) => live(&arguments.place, life).await,
            Task::Check => check(&arguments.place).await.map(|seen| println!("{seen}")),
            Task::Obey => obey(&arguments.place).await,
            Task::Create => nbhd_core::store::open(&arguments.place.store)?.create().await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
