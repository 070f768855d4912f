//! What the shipped library brings along: each package once, from the registry, under a licence that asks no more of a
//! game than a notice. As `cargo deny` would say it, from `Cargo.lock` and what is downloaded already.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Licences that a closed game can ship under with a notice.
const ALLOWED: [&str; 6] = ["Apache-2.0", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// There in two versions, because ring 0.17 asks for old ones: declarations of the system's functions, without state.
const TWICE: [&str; 2] = ["getrandom", "windows-sys"];

/// Reads `a OR (b AND c)`: AND binds tighter, and the slash of old manifests is OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let allowed = any(&words, &mut at);
    allowed && at == words.len()
}

fn any(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = all(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= all(words, at);
    }
    allowed
}

fn all(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= one(words, at);
    }
    allowed
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let allowed = any(words, at);
        *at += 1;
        return allowed;
    }
    // An exception only permits more, and is left alone: the licence has another arm.
    if words.get(*at) == Some(&"WITH") {
        *at += 2;
        return false;
    }
    ALLOWED.contains(&word)
}

/// What cargo knows of the packages, or what it says instead.
fn metadata(arguments: &[&str]) -> Result<Value, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

/// The system that the compiler is for.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

/// The packages in the library that is shipped, on any system: no tests, no build scripts' tools. Cargo fetches those
/// of other systems, which a build does not; where it can't, those of this system.
fn shipped() -> Vec<Value> {
    let metadata = metadata(&[]).unwrap_or_else(|error| {
        println!("the packages of this system alone are checked: {error}");
        metadata(&["--offline", "--filter-platform", &host()]).unwrap()
    });
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let mut todo = vec![metadata["resolve"]["root"].as_str().unwrap()];
    let mut reached = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                todo.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .filter(|package| reached.contains(package["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

#[test]
fn licences_are_read_as_they_are_written() {
    for good in
        ["MIT", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "MPL-2.0 OR ISC AND Zlib"]
    {
        assert!(is_allowed(good), "{good}");
    }
    for bad in ["", "MPL-2.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND (MPL-2.0 OR GPL-2.0)", "MIT GPL-3.0"]
    {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn the_library_brings_each_package_once_and_under_a_licence_that_games_can_ship() {
    let packages = shipped();
    assert!(packages.len() > 8, "{}", packages.len());
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in &packages {
        let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        versions.entry(name).or_default().push(version);
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence), "{name} {version}: {licence}");
        let source = package["source"].as_str();
        assert!(
            name == "cute_net" || source.is_some_and(|source| source.starts_with("registry+")),
            "{name}"
        );
    }
    let twice: Vec<_> = versions.iter().filter(|(_, versions)| versions.len() > 1).collect();
    assert!(twice.iter().all(|(name, _)| TWICE.contains(name)), "{twice:?}");
    println!("{} packages: {:?}", packages.len(), versions.keys().collect::<Vec<_>>());
}
