//! The shared library exports exactly what the headers declare, and needs nothing but the C library.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

fn library() -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    executable.parent().unwrap().join("libcute_net.so")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).arg(library()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; it comes with binutils"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn exported() -> BTreeSet<String> {
    output("nm", &["-D", "--defined-only"])
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .map(str::to_owned)
        .collect()
}

/// What the headers define inline and the library also has as symbols, for languages that read no C.
const INLINE: [&str; 6] = [
    "cf_address_type_to_string",
    "cf_client_state_to_string",
    "cf_is_error",
    "cf_result_error",
    "cf_result_success",
    "cf_server_event_type_to_string",
];

/// The functions that the headers declare: names in front of a parenthesis, outside comments.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for header in ["cute_net.h", "cute_net_x.h", "cute_net_pointers.h", "cute_networking.h"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include").join(header);
        let text = std::fs::read_to_string(path).unwrap();
        let functions =
            text.split("extern \"C\" {").nth(1).unwrap().split("}  // extern").next().unwrap();
        for line in functions.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if let Some((before, _)) = line.split_once('(')
                && let Some(name) = before.rsplit([' ', '*']).next()
                && (name.starts_with("cn") || name.starts_with("cf"))
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// `tests/exports.txt` is the list of names that programs link to: names may be added to it, but none may go.
#[test]
fn exported_is_what_the_list_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/exports.txt");
    let names: String = exported().iter().map(|name| format!("{name}\n")).collect();
    if std::env::var_os("CUTE_NET_WRITE_HEADERS").is_some() {
        std::fs::write(&path, &names).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), names);
}

#[test]
fn exported_is_what_is_declared() {
    let declared = declared();
    assert!(declared.len() > 120, "{declared:?}");
    let inline = INLINE.iter().map(|&name| name.to_owned());
    assert_eq!(exported(), declared.iter().cloned().chain(inline).collect());
    let is_ours = |name: &&String| ["cn_", "cnx_", "cf_"].iter().any(|prefix| name.starts_with(prefix));
    assert_eq!(declared.iter().filter(|name| !is_ours(name)).count(), 0);
}

#[test]
fn the_library_needs_the_c_library_and_nothing_else() {
    let dynamic = output("readelf", &["-d"]);
    let named = |kind: &str| -> Vec<String> {
        let lines = dynamic.lines().filter(|line| line.contains(kind));
        lines.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned())).collect()
    };
    let allowed =
        ["libc.so", "libgcc_s.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "ld-linux"];
    for library in named("(NEEDED)") {
        assert!(allowed.iter().any(|name| library.starts_with(name)), "{library}");
    }
    assert_eq!(named("(SONAME)"), ["libcute_net.so.1"]);
}
