//! Looks for the built app before the feature `embed-spa` compiles it in, and says how to build it where it is not.

use std::path::Path;

const APP: &str = "frontend/dist";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_EMBED_SPA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed={APP}");
    if !Path::new(APP).join("index.html").exists() {
        println!(
            "cargo::error=the feature `embed-spa` compiles in {APP}, which is not there; build it with \
             `npm --prefix frontend ci && npm --prefix frontend run build`"
        );
    }
}
