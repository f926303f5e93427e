//! The order of layers: a module of `src` or `chaos/src` imports only from its own layer or from lower ones, and modules of
//! one layer do not import each other in a circle.
//!
//! Read from the `crate::` paths in the sources themselves, tests of modules included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Layers of a crate from the lowest to the highest: name and modules.
type Layers = &'static [(&'static str, &'static [&'static str])];

/// Directory and layers of each crate.
const CRATES: [(&str, Layers); 2] = [("src", SERVER), ("chaos/src", CHAOS)];

/// `docs/ARCHITECTURE.md` has the same table.
const SERVER: Layers = &[
    ("ids", &["clock", "id", "version"]),
    ("events", &["event", "input", "outcome", "post"]),
    ("settings", &["config", "telemetry"]),
    ("store", &["store"]),
    ("core", &["realtime"]),
    ("limits", &["error", "limits"]),
    ("auth", &["auth"]),
    (
        "app",
        &[
            "app",
            "batches",
            "demo",
            "here",
            "lifecycle",
            "push",
            "reactions",
            "read_marks",
            "readiness",
            "session_cleaning",
            "sweep",
        ],
    ),
    ("routes", &["extract", "gauges", "liveness", "routes", "stream"]),
    ("instance", &["command", "instance", "server"]),
];

const CHAOS: Layers = &[
    ("schedule", &["mutants", "schedule"]),
    ("history", &["active_faults", "history"]),
    ("cluster", &["cluster"]),
    ("environment", &["environment"]),
    (
        "clients",
        &["authors", "clients", "injector", "laptop", "moderation", "monitor", "readers", "stale_presence", "submit"],
    ),
    ("checker", &["checker", "report"]),
    ("run", &["run"]),
    ("drill", &["drill"]),
    ("options", &["options"]),
];

/// Imports of each module: the imported module, and where.
type Imports = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn imports_point_to_lower_layers() {
    let mut faults: Vec<String> = Vec::new();
    for (dir, layers) in CRATES {
        for (module, imported) in imports(dir) {
            let is_higher = |other: &str| layer(layers, other) > layer(layers, &module);
            for (other, place) in imported.iter().filter(|(other, _)| is_higher(other)) {
                faults.push(format!("{place}: `{module}` imports `{other}`, which is in a higher layer"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    for (dir, _) in CRATES {
        let mut imports = imports(dir);
        // Modules that import nothing that is left are not part of a circle.
        loop {
            let left: BTreeSet<String> = imports.keys().cloned().collect();
            imports.retain(|_, imported| imported.keys().any(|other| left.contains(other)));
            if imports.len() == left.len() {
                break;
            }
        }
        assert!(imports.is_empty(), "\n{imports:#?}");
    }
}

#[test]
fn every_module_is_in_one_layer() {
    for (dir, layers) in CRATES {
        let lib = read(&root().join(dir).join("lib.rs"));
        let declared: BTreeSet<&str> = lib
            .lines()
            .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
            .collect();
        let listed: Vec<&str> = layers.iter().flat_map(|(_, modules)| *modules).copied().collect();
        assert_eq!(declared, listed.iter().copied().collect(), "the table of layers and `{dir}/lib.rs` differ");
        assert_eq!(declared.len(), listed.len(), "a module of `{dir}` is in two layers");
    }
}

#[test]
fn the_documentation_has_the_same_layers() {
    let documentation = read(&root().join("docs/ARCHITECTURE.md"));
    for (number, (name, modules)) in SERVER.iter().enumerate() {
        let modules: Vec<String> = modules.iter().map(|module| format!("`{module}`")).collect();
        let row = format!("| {} | {name} | {} |", number + 1, modules.join(", "));
        assert!(documentation.contains(&row), "docs/ARCHITECTURE.md lacks the row\n{row}");
    }
}

fn layer(layers: Layers, module: &str) -> usize {
    layers
        .iter()
        .position(|(_, modules)| modules.contains(&module))
        .unwrap_or_else(|| panic!("`{module}` is in no layer: add it to the table"))
}

fn imports(dir: &str) -> Imports {
    let mut imports = Imports::new();
    for path in sources(&root().join(dir)) {
        let name = path.strip_prefix(root().join(dir)).expect("it was found there");
        let module = name.iter().next().expect("a path").to_string_lossy();
        let module = module.trim_end_matches(".rs");
        // The entry points, and the list of modules.
        if ["main", "bin", "lib"].contains(&module) {
            continue;
        }
        let of_module = imports.entry(module.to_owned()).or_default();
        for (number, line) in read(&path).lines().enumerate() {
            for other in imported(line).filter(|other| *other != module) {
                of_module.entry(other.to_owned()).or_insert_with(|| format!("{dir}/{}:{}", name.display(), number + 1));
            }
        }
    }
    imports
}

/// Returns the modules that a line of code names, as `crate::store::log` or `use crate::{routes, telemetry}`.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.trim_start().starts_with("//") { "" } else { line };
    code.split("crate::").skip(1).flat_map(|path| {
        let (group, is_group) = path.strip_prefix('{').map_or((path, false), |group| (group, true));
        let items = if is_group { group.split('}').next().unwrap_or_default() } else { group };
        let names = items.split(',').take(if is_group { usize::MAX } else { 1 });
        names.filter_map(|item| {
            let item = item.trim();
            let name = item.split(|end: char| !end.is_alphanumeric() && end != '_').next()?;
            match name {
                "App" => Some("app"),
                "" => None,
                name => Some(name),
            }
        })
    })
}

#[test]
fn paths_are_found() {
    let found = |line: &'static str| imported(line).collect::<Vec<_>>();
    assert_eq!(found("use crate::store::{self, Db};"), ["store"]);
    assert_eq!(found("    use crate::{routes, telemetry as told};"), ["routes", "telemetry"]);
    assert_eq!(found("pub user: Option<crate::event::User>, id: crate::id::Pos"), ["event", "id"]);
    assert!(found("/// See [`crate::app`].").is_empty());
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())).flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
