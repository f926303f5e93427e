//! Rules of this repository that the compiler cannot check.
//!
//! Every rule says its reason, and every violation is listed at once.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Longer than this, a file is more than one noun.
const LONGEST_FILE: usize = 400;

/// Names that say nothing of what is inside, and therefore collect everything.
const EMPTY_NAMES: [&str; 7] = ["utils", "util", "helpers", "helper", "manager", "common", "inner"];

/// Marks of work that is not done, spelled apart so that this file does not find itself.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("dbg", "!("),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Beginnings of paths that exist on one person's machine only.
const MACHINES: [&str; 3] = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

const SOURCES: [&str; 8] =
    ["src", "tests", "benches", "examples", "chaos/src", "client/src", "embedded-postgres/src", "xtask/src"];

const FRONT_END: [&str; 2] = ["frontend/src", "frontend/e2e"];

/// Words with which a comment opens that names its subject late or never.
const NOT_SUBJECTS: [&str; 7] = ["What", "Who", "Whose", "How", "That", "Whether", "Where"];

#[test]
fn sources_are_tidy() {
    let mut faults = Vec::new();
    for path in files(&SOURCES, "rs") {
        let text = read(&path);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut fault = |what: String| faults.push(format!("{}: {what}", path.display()));

        if name == "mod" {
            fault("a module is `name.rs` beside `name/`, so that tabs and listings tell files apart".to_owned());
        }
        if EMPTY_NAMES.contains(&&*name) {
            fault("the name says nothing: name the noun that lives here".to_owned());
        }
        let length = text.lines().count();
        if length > LONGEST_FILE {
            fault(format!("{length} lines, more than {LONGEST_FILE}: split it by nouns"));
        }
        if !text.starts_with("//!") {
            fault("a file begins with `//!`: what it is for, and where to read next".to_owned());
        }
        for (number, line) in text.lines().enumerate() {
            for mark in UNFINISHED.iter().filter(|mark| line.contains(**mark)) {
                fault(format!("line {}: `{mark}` is an issue, or done", number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A sentence about its subject names it first: "Timeout of a request" rather than "How long a request may take".
#[test]
fn comments_name_their_subject_first() {
    let mut faults = Vec::new();
    let front_end = ["ts", "tsx"].iter().flat_map(|end| files(&FRONT_END, end));
    let written = front_end.filter(|path| !path.components().any(|part| part.as_os_str() == "gen"));
    for path in files(&SOURCES, "rs").into_iter().chain(written) {
        for (number, line) in read(&path).lines().enumerate() {
            let line = line.trim_start();
            let comment = ["//", "/**", "* "].iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or_default();
            let first = comment.trim_start_matches(['/', '!', ' ']).split(|end: char| !end.is_alphabetic()).next();
            if first.is_some_and(|first| NOT_SUBJECTS.contains(&first)) {
                faults.push(format!("{}:{}: name the subject first:{comment}", path.display(), number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// A prepared `select *` fails after a migration of the next release has added a column. `json_to_recordset` names its
/// columns itself.
#[test]
fn queries_name_their_columns() {
    let mut faults = Vec::new();
    for path in files(&["src"], "rs") {
        let text = read(&path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            if asks_for_all(line) && !line.contains("from json_to_recordset") {
                faults.push(format!("{}:{}: name the columns: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    assert!(["select * from rooms", "select r.id, m.*", "returning *"].iter().all(|sql| asks_for_all(sql)));
    assert!(!["select count(*) from rooms", "a * b", "2 * self.len"].iter().any(|code| asks_for_all(code)));
}

/// Returns whether a line of SQL has `select *`, `returning *` or `m.*`.
fn asks_for_all(line: &str) -> bool {
    let line = line.to_lowercase();
    let of_a_table = line.match_indices(".*").any(|(at, _)| line[..at].ends_with(|last: char| last.is_alphanumeric()));
    of_a_table || line.contains("select *") || line.contains("returning *")
}

#[test]
fn migrations_argue_for_their_tables() {
    let faults: Vec<String> = files(&["migrations"], "sql")
        .into_iter()
        .filter(|path| !read(path).starts_with("--"))
        .map(|path| format!("{}: a migration begins with a comment that says why", path.display()))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let mut faults = Vec::new();
    let dirs = [
        "src",
        "tests",
        "benches",
        "chaos/src",
        "client/src",
        "embedded-postgres/src",
        "xtask/src",
        "migrations",
        "docs",
        "frontend/src",
        "frontend/e2e",
        ".ci",
        ".github",
    ];
    for extension in ["rs", "sql", "md", "ts", "tsx", "yml", "toml", "py"] {
        for path in files(&dirs, extension) {
            for (number, line) in read(&path).lines().enumerate() {
                if MACHINES.iter().any(|start| line.contains(start)) {
                    faults.push(format!("{}:{}: a path of one machine", path.display(), number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Every file below `dirs` that ends with `extension`; what was generated or taken is not ours to keep tidy.
fn files(dirs: &[&str], extension: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = dirs.iter().map(|dir| root.join(dir)).collect();
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !["gen", "node_modules", "snapshots", "screenshots"].iter().any(|other| path.ends_with(other)) {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lists of files that a change touches are only worth their place while they are true.
#[test]
fn files_named_by_the_architecture_exist() {
    let document = read(Path::new("docs/ARCHITECTURE.md"));
    let named = document.split('`').skip(1).step_by(2);
    let paths =
        named.filter(|name| name.contains('/') && !name.contains([' ', '*', '{', '…']) && !name.starts_with('/'));
    // The paths of a message and of others name files of these directories without them.
    let exists = |path: &str| ["", "src", "tests/chat"].iter().any(|dir| Path::new(dir).join(path).exists());
    let gone: Vec<&str> = paths.filter(|path| !exists(path)).collect();
    assert!(gone.is_empty(), "docs/ARCHITECTURE.md names files that do not exist: {gone:?}");
}

/// A database has the checksum of each migration that was applied to it, and a program with another text, were it a comment
/// that changed, does not start on it. What has landed is listed with `sha256sum migrations/*.sql`.
#[test]
fn migrations_that_have_landed_are_as_they_were() {
    let landed = read(Path::new("tests/landed-migrations.sha256"));
    let changed = landed.lines().filter_map(|line| line.split_once("  ")).filter(|(digest, path)| {
        let text = fs::read(path).unwrap_or_default();
        format!("{:x}", Sha256::digest(text)) != *digest
    });
    let changed: Vec<_> = changed.map(|(_, path)| path).collect();
    assert!(landed.lines().count() > 30, "the list is empty");
    assert!(changed.is_empty(), "changed after they had landed; a new migration does that: {changed:?}");
}
