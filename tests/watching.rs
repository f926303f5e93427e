//! Compares alerts, their tests, the dashboard and the runbook with the program's metrics.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use gapless::telemetry::catalogue::{self, Kind};
use serde_json::Value;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns every name that a query can use.
fn said() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for metric in catalogue::all() {
        match metric.kind {
            Kind::Histogram => names.extend(["_bucket", "_count", "_sum"].map(|part| format!("{}{part}", metric.name))),
            Kind::Counter | Kind::Gauge => drop(names.insert(metric.name.to_owned())),
        }
    }
    names
}

/// Returns the names of metrics in a text.
fn asked(text: &str) -> BTreeSet<String> {
    let words = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
    let names = words.filter(|word| word.starts_with("gapless_") || word.starts_with("process_"));
    names.map(str::to_owned).collect()
}

/// Returns every query of the dashboard, with the title of its panel.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("docs/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().expect("a title").to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().expect("a query").to_owned()))
    };
    panels.iter().flat_map(of_panel).collect()
}

#[test]
fn queries_use_existing_metrics() {
    let said = said();
    for file in ["docs/alerts.yml", "docs/alerts_test.yml"] {
        let unknown: Vec<_> = asked(&read(file)).into_iter().filter(|name| !said.contains(name)).collect();
        assert!(unknown.is_empty(), "{file} uses unknown metrics: {unknown:?}");
    }
    // The text may name a whole histogram.
    let is_known = |name: &String| said.contains(name) || catalogue::all().any(|metric| metric.name == name);
    let unknown: Vec<_> = asked(&read("docs/RUNBOOK.md")).into_iter().filter(|name| !is_known(name)).collect();
    assert!(unknown.is_empty(), "docs/RUNBOOK.md names unknown metrics: {unknown:?}");
    for (panel, query) in queries() {
        let unknown: Vec<_> = asked(&query).into_iter().filter(|name| !said.contains(name)).collect();
        assert!(unknown.is_empty(), "the panel {panel:?} uses unknown metrics: {unknown:?}");
    }
}

#[test]
fn the_dashboard_shows_every_metric() {
    let shown: BTreeSet<_> = queries().iter().flat_map(|(_, query)| asked(query)).collect();
    let parts = ["", "_bucket", "_count", "_sum"];
    let is_shown = |name: &str| parts.iter().any(|part| shown.contains(&format!("{name}{part}")));
    let missing: Vec<_> = catalogue::all().map(|metric| metric.name).filter(|name| !is_shown(name)).collect();
    assert!(missing.is_empty(), "no panel shows {missing:?}");
}

#[test]
fn every_alert_has_a_runbook_section_and_a_test() {
    let (alerts, tests, runbook) = (read("docs/alerts.yml"), read("docs/alerts_test.yml"), read("docs/RUNBOOK.md"));
    let names: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        assert!(runbook.contains(&format!("\n## {name}\n")), "docs/RUNBOOK.md has no section {name}");
        assert!(tests.contains(&format!("alertname: {name}\n")), "docs/alerts_test.yml does not test {name}");
    }
    let sections = runbook.lines().filter_map(|line| line.strip_prefix("## ")).filter(|title| !title.contains(' '));
    let orphans: Vec<_> = sections.filter(|title| !names.contains(title)).collect();
    assert!(orphans.is_empty(), "docs/RUNBOOK.md explains nonexistent alerts: {orphans:?}");
}

/// Returns promtool, if it is installed or `cargo xtask lint-deploy` has downloaded it.
fn promtool() -> Option<&'static str> {
    let fetched = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/promtool/usr/bin/promtool");
    ["promtool", fetched].into_iter().find(|program| Command::new(program).arg("--version").output().is_ok())
}

#[test]
fn the_queries_of_the_dashboard_are_valid() {
    let Some(promtool) = promtool() else {
        eprintln!("not run, because promtool is not installed: the dashboard's queries were not parsed");
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rule = |(number, (_, query)): (usize, &(String, String))| {
        let query = query.replace("$__rate_interval", "1m").replace("$instance", ".*");
        serde_json::json!({"record": format!("panel:{number}"), "expr": query})
    };
    let rules: Vec<_> = queries().iter().enumerate().map(rule).collect();
    let rules = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let file = dir.path().join("rules.yml");
    fs::write(&file, rules.to_string()).expect("a file");
    let checked = Command::new(promtool).arg("check").arg("rules").arg(&file).output().expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
