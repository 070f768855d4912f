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

/// The functions that the headers declare: names in front of a parenthesis, outside comments.
fn declared() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for header in ["cute_net.h", "cute_net_x.h"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include").join(header);
        let text = std::fs::read_to_string(path).unwrap();
        let functions =
            text.split("extern \"C\" {").nth(1).unwrap().split("}  // extern").next().unwrap();
        for line in functions.lines().filter(|line| !line.trim_start().starts_with("//")) {
            if let Some((before, _)) = line.split_once('(')
                && let Some(name) = before.rsplit([' ', '*']).next()
                && name.starts_with("cn")
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

#[test]
fn exported_is_what_is_declared() {
    let declared = declared();
    assert!(declared.len() > 50, "{declared:?}");
    assert_eq!(exported(), declared);
    assert!(declared.iter().all(|name| name.starts_with("cn_") || name.starts_with("cnx_")));
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
