//! The C programs of `ffi_tests/`, compiled as C99 and as C++17 with every warning an error, against the
//! shared and the static library that cargo has just built, and run. With `CUTE_NET_VALGRIND` set they run
//! under valgrind; with `CUTE_NET_SANITIZED` set to a static library that was built for AddressSanitizer,
//! against that alone, with its checks in the programs too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../c_examples/library.rs"]
mod library;

use library::{Language, Linkage};
use std::path::{Path, PathBuf};

/// Builds and runs one program in each language against each library.
fn run(name: &str, defines: &[&str]) {
    run_as(&[Language::C99, Language::Cpp17], &["Shared", "Static"], name, defines);
}

fn run_as(languages: &[Language], libraries: &[&str], name: &str, defines: &[&str]) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let source = root.join("ffi_tests").join(format!("{name}.c"));
    let tag = defines.concat().replace(|c: char| !c.is_alphanumeric(), "_");
    for &language in languages {
        let sanitized = std::env::var_os("CUTE_NET_SANITIZED").map(PathBuf::from);
        let linkages = match &sanitized {
            Some(archive) => vec![("Sanitized", Linkage::Sanitized(archive))],
            None => vec![("Shared", Linkage::Shared), ("Static", Linkage::Static)],
        };
        let linkages =
            linkages.into_iter().filter(|(label, _)| libraries.contains(label) || *label == "Sanitized");
        for (label, linkage) in linkages {
            let out =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}{tag}-{language:?}-{label}"));
            library::compile(&source, language, linkage, defines, &out);
            let result = library::command(&out).output().unwrap();
            let errors = String::from_utf8_lossy(&result.stderr);
            assert!(
                result.status.success(),
                "{name} {defines:?}, {language:?}, {linkage:?}: {}\n{errors}",
                result.status
            );
        }
    }
}

#[test]
fn max_clients_of_any_number() {
    for number in ["4", "64", "2000"] {
        run("max_clients", &[&format!("CN_SERVER_MAX_CLIENTS={number}")]);
    }
}

/// Once, for it takes seconds; not under valgrind, where it would take minutes.
#[test]
fn many_messages() {
    if std::env::var_os("CUTE_NET_VALGRIND").is_none() {
        run_as(&[Language::C99], &["Shared"], "many_messages", &[]);
    }
}

macro_rules! programs {
    ($($name:ident,)*) => { $(
        #[test]
        fn $name() {
            run(stringify!($name), &[]);
        }
    )* };
}

programs! {
    allocator,
    arguments,
    endpoints,
    event_order,
    exchange,
    extensions,
    framework,
    ipv4_only,
    keys,
    layout,
    lifecycle,
    macros,
    max_clients,
    odd_uses,
    old_example,
    options,
    pointers,
    timings,
    tokens,
}

#[cfg(unix)]
programs! { forked, threads, wire, }
