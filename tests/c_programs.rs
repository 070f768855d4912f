//! The C programs of `ffi_tests/`, compiled as C99 and as C++17 with every warning an error, against the
//! shared and the static library that cargo has just built, and run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../c_examples/library.rs"]
mod library;

use library::{Language, Linkage};
use std::path::{Path, PathBuf};

/// Builds and runs one program in each language against each library.
fn run(name: &str) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let source = root.join("ffi_tests").join(format!("{name}.c"));
    for language in [Language::C99, Language::Cpp17] {
        for linkage in [Linkage::Shared, Linkage::Static] {
            let out =
                Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{language:?}-{linkage:?}"));
            library::compile(&source, language, linkage, &out);
            let result = library::command(&out).output().unwrap();
            let errors = String::from_utf8_lossy(&result.stderr);
            assert!(
                result.status.success(),
                "{name}, {language:?}, {linkage:?}: {}\n{errors}",
                result.status
            );
        }
    }
}

macro_rules! programs {
    ($($name:ident,)*) => { $(
        #[test]
        fn $name() {
            run(stringify!($name));
        }
    )* };
}

programs! {
    arguments,
    endpoints,
    exchange,
    extensions,
    layout,
    lifecycle,
    max_clients,
    old_example,
    tokens,
}

#[cfg(unix)]
programs! { forked, }
