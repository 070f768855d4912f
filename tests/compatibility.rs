//! `docs/COMPATIBILITY.md` names everything that the headers and the library have, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const HEADERS: [&str; 4] = ["cute_net.h", "cute_net_x.h", "cute_net_pointers.h", "cute_networking.h"];

/// Macros that only the headers themselves need: include guards, and helpers of other macros.
const INTERNAL: [&str; 9] = [
    "CF_ENUM",
    "CF_NETWORKING_H",
    "CF_RESULT_H",
    "CF_STRINGIZE_INTERNAL",
    "CNX_SERVER_MAX_CLIENTS_UNSET",
    "CN_NET_H",
    "CN_NET_INTERNAL_H",
    "CUTE_NET_POINTERS_H",
    "CUTE_NET_X_H",
];

/// Macros that a program defines and the headers do not.
const OF_THE_PROGRAM: [&str; 7] = [
    "CF_NO_CPP",
    "CN_ALLOC",
    "CN_ASSERT",
    "CN_FREE",
    "CUTE_NET_IMPLEMENTATION",
    "CUTE_NET_NO_IPV6",
    "CUTE_NET_TESTS",
];

fn read(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page() -> String {
    read("docs/COMPATIBILITY.md")
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What stands in backticks on the page.
fn named(page: &str) -> BTreeSet<&str> {
    page.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

fn exported() -> BTreeSet<String> {
    read("tests/exports.txt").lines().map(str::to_owned).collect()
}

/// The pointer form of a function: `cnx_x_p` for `cn_x` and for `cnx_x`.
fn pointer_form(function: &str) -> Option<String> {
    let (prefix, name) = function.split_once('_')?;
    ["cn", "cnx"].contains(&prefix).then(|| format!("cnx_{name}_p"))
}

fn macros(header: &str) -> BTreeSet<String> {
    let prefixes = ["CN_", "CNX_", "CF_", "CUTE_NET_"];
    header
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("define "))
        .filter_map(|line| line.trim_start().split(|c: char| !is_name(&c.to_string())).next())
        .filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .map(str::to_owned)
        .collect()
}

/// The names that a header's typedefs give: `typedef struct a { ... } name;`, `typedef struct a name;` and
/// `typedef int (*name)(...);`.
fn typedefs(header: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut lines = header.lines();
    while let Some(line) = lines.next() {
        let Some(declared) = line.strip_prefix("typedef ") else { continue };
        let name = if let Some((_, function)) = declared.split_once("(*") {
            function.split(')').next().unwrap().to_owned()
        } else if let Some(declared) = declared.strip_suffix(';') {
            declared.rsplit([' ', '*']).next().unwrap().to_owned()
        } else {
            let end = lines.find(|line| line.starts_with('}')).expect("a typedef ends");
            end.trim_start_matches('}').trim().trim_end_matches(';').to_owned()
        };
        assert!(is_name(&name), "{line}: {name}");
        names.insert(name);
    }
    names
}

fn headers(of: impl Fn(&str) -> BTreeSet<String>) -> BTreeSet<String> {
    HEADERS.iter().flat_map(|header| of(&read(&format!("include/{header}")))).collect()
}

fn expect_on_the_page(what: &str, names: &BTreeSet<String>) {
    let page = page();
    let named = named(&page);
    let missing: Vec<_> = names.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/COMPATIBILITY.md lacks these {what}: {missing:?}");
}

/// Pointer forms are covered by the rule that the page states.
#[test]
fn every_exported_function_is_on_the_page() {
    let exported = exported();
    assert!(exported.len() > 120);
    let pointer_forms: BTreeSet<String> =
        exported.iter().filter_map(|function| pointer_form(function)).collect();
    let names = exported.difference(&pointer_forms).cloned().collect();
    expect_on_the_page("functions", &names);
    assert!(page().contains("has a pointer form: its name with `_p`"));
}

#[test]
fn every_macro_is_on_the_page() {
    let mut names = headers(macros);
    for internal in INTERNAL {
        assert!(names.remove(internal), "{internal} is no macro of the headers any more");
    }
    assert!(names.len() > 20, "{names:?}");
    names.extend(OF_THE_PROGRAM.map(str::to_owned));
    expect_on_the_page("macros", &names);
}

#[test]
fn every_type_is_on_the_page() {
    let names = headers(typedefs);
    assert!(names.len() > 30, "{names:?}");
    expect_on_the_page("types", &names);
}

#[test]
fn the_page_names_no_function_or_type_that_is_not_there() {
    let mut there = exported();
    there.extend(exported().iter().filter_map(|function| pointer_form(function)));
    there.extend(headers(typedefs));
    let page = page();
    let is_ours = |name: &&str| {
        is_name(name)
            && !name.ends_with('_')
            && ["cn_", "cnx_", "cf_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let gone: Vec<_> =
        named(&page).into_iter().filter(is_ours).filter(|&name| !there.contains(name)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn every_row_of_a_name_has_a_verdict() {
    let page = page();
    let tables = page.split("## 4. ").next().unwrap();
    // The tables whose second column has no heading.
    let mut lines = tables.lines();
    let mut rows = 0;
    while let Some(line) = lines.next() {
        if line == "| name | | why |" {
            for row in lines.by_ref().skip(1).take_while(|line| line.starts_with('|')) {
                let verdict = row.split('|').nth(2).unwrap().trim();
                assert!(["`same`", "`better`", "`different`"].contains(&verdict), "{row}");
                rows += 1;
            }
        }
    }
    assert!(rows > 60, "{rows}");
}

#[test]
fn every_defect_of_the_original_has_one_row() {
    let page = page();
    for number in 1..=57 {
        let start = format!("| D{number:02} | ");
        let rows: Vec<_> = page.lines().filter(|line| line.starts_with(&start)).collect();
        assert_eq!(rows.len(), 1, "D{number:02}: {rows:?}");
        assert!(rows[0].split('|').skip(1).take(3).all(|cell| !cell.trim().is_empty()), "{}", rows[0]);
    }
}

#[test]
fn every_test_the_page_names_is_there() {
    let page = page();
    for name in named(&page) {
        if name.starts_with("ffi_tests/") || name.starts_with("tests/") {
            read(name);
        }
    }
}
