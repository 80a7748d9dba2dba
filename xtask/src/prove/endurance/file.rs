//! What happens to a store in a file: somebody else has it locked, it cannot grow, it is gone, another one stands in its
//! place, a process is killed before it can say what it did, the machine's clock jumps.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::json;

use super::caller::Caller;
use super::crew::random;
use super::faults::Judge;
use super::site::Site;
use crate::prove::stage::Stage;

/// Has the file locked for as long as its input is open. A SQLite of its own, as a backup or a shell has.
const HOLDER: &str = "\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.read()
";

/// How long after its order a process is killed, at most, in microseconds: about as long as a commit takes.
const COMMIT: u64 = 1_500;

/// Does all of it, or with a defect what has to find it.
pub(super) fn attack(
    stage: &Stage,
    site: &Site,
    defect: Option<&'static str>,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    let start = || Caller::start(stage, site, &site.address, defect);
    let mut caller = start()?;
    judge.all_succeed(&mut caller)?;
    kills(if stage.long { 200 } else { 16 }, &start, &mut caller, judge)?;
    if defect.is_some() {
        return Ok(());
    }
    let file = site.address.strip_prefix("sqlite:").ok_or("it has no file")?;
    let file = Path::new(file);

    let holder = Holder::start(stage, file)?;
    judge.writes_fail(&mut caller, "a file that another process has locked")?;
    drop(holder);
    judge.come_back(&mut caller)?;

    caller.may_write(false)?;
    judge.writes_fail(&mut caller, "a file that cannot grow")?;
    caller.may_write(true)?;
    judge.come_back(&mut caller)?;

    // With its folder, as with a volume that is not mounted any more: SQLite's other files belong to it.
    let folder = file.parent().ok_or("the file has no folder")?;
    let aside = folder.with_extension("aside");
    let failed = |error: std::io::Error| error.to_string();
    std::fs::rename(folder, &aside).map_err(failed)?;
    judge.all_fail(&mut caller, "a file that is gone")?;
    caller.until_it_succeeds(&json!({"call": "close"}))?;
    judge.all_fail(&mut caller, "a file that is gone, and would be opened anew,")?;

    std::fs::create_dir(folder).map_err(failed)?;
    let mut newcomer = start()?;
    judge.all_succeed(&mut newcomer)?;
    judge.all_fail(&mut caller, "another store in the place of the file")?;
    drop(newcomer);
    std::fs::remove_dir_all(folder).map_err(failed)?;
    std::fs::rename(&aside, folder).map_err(failed)?;
    judge.come_back(&mut caller)?;

    judge.jumps(&mut caller, &mut |caller, micros| {
        let shift = json!({"call": "shift_clock", "micros": micros});
        caller.until_it_succeeds(&shift).map(drop)
    })
}

/// Processes are killed within a commit, and others repeat what they were told to do.
fn kills(
    times: u64,
    start: &dyn Fn() -> Result<Caller, String>,
    caller: &mut Caller,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    let sum = json!({"call": "sum", "key": "counted"});
    let mut made = 0;
    for n in 0..times {
        let add = json!({"call": "add", "key": "counted", "op_id": format!("killed-{n}")});
        let mut victim = start()?;
        // It has the file open before it counts.
        victim.until_it_succeeds(&sum)?;
        victim.die_within(&add, Duration::from_micros(random() % COMMIT))?;
        judge.done.cuts += 1;
        judge.done.lost += u64::from(caller.until_it_succeeds(&sum)?.as_i64() == Some(made + 1));
        caller.until_it_succeeds(&add)?;
        made += 1;
        caller.until_it_succeeds(&add)?;
    }
    judge.each_is_made_once(caller, made)
}

/// A process that is no nbhd's and holds the lock of whoever writes.
struct Holder(Child);

impl Holder {
    fn start(stage: &Stage, file: &Path) -> Result<Self, String> {
        let child = std::process::Command::new(stage.interpreter())
            .args(["-c", HOLDER])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = Self(child.map_err(|error| format!("Python does not start: {error}"))?);
        let mut said = String::new();
        if let Some(out) = holder.0.stdout.take() {
            BufReader::new(out)
                .read_line(&mut said)
                .map_err(|error| error.to_string())?;
        }
        match said.trim() {
            "locked" => Ok(holder),
            _ => Err("Python could not lock the file".to_owned()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its input ends with us; it rolls back.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
