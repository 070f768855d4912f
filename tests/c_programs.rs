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
            assert!(!errors.contains("two different messages"), "{name} {defines:?}: {errors}");
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

/// Several files of one program, each of which takes the header for the one with the implementation.
#[test]
fn the_header_in_several_files_of_a_program() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("several_files");
    std::fs::create_dir_all(&folder).unwrap();
    let include = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include");
    let calls =
        "return cn_is_error(cn_init()) ? 1 : cn_server_config_defaults().connection_timeout - 10;";
    let beginnings = [
        ("first", "#define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n"),
        (
            "second",
            "#define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n#include \"cute_networking.h\"\n",
        ),
        ("third", "#include \"cute_net_x.h\"\n#include \"cute_net.h\"\n"),
    ];
    for (language, ending) in [(Language::C99, "c"), (Language::Cpp17, "cpp")] {
        let mut sources = Vec::new();
        for (name, beginning) in beginnings {
            let source = folder.join(format!("{name}.{ending}"));
            let text = format!("{beginning}int {name}(void);\nint {name}(void) {{ {calls} }}\n");
            std::fs::write(&source, text).unwrap();
            sources.push(source);
        }
        let main = folder.join(format!("main.{ending}"));
        let text = "int first(void); int second(void); int third(void);\n\
                    int main(void) { return first() + second() + third(); }\n";
        std::fs::write(&main, text).unwrap();
        let program = folder.join(ending);
        let mut command = library::compiler(language);
        command.args(["-Wall", "-Wextra", "-Werror", "-I"]).arg(&include).args(&sources).arg(&main);
        library::link(&mut command, Linkage::Shared);
        let output = command.arg("-o").arg(&program).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(library::command(&program).status().unwrap().success());
    }
}

/// Once, for it takes seconds; not under valgrind, where it would take minutes.
#[test]
fn many_messages() {
    if std::env::var_os("CUTE_NET_VALGRIND").is_none() {
        run_as(&[Language::C99], &["Shared"], "many_messages", &[]);
    }
}

/// Not where leaks are looked for: what a thread first needs when its own variables are gone already (the buffers
/// of datagrams, 150 KiB) nobody gives back.
#[test]
#[cfg(unix)]
fn late() {
    if ["CUTE_NET_VALGRIND", "CUTE_NET_SANITIZED"].iter().all(|name| std::env::var_os(name).is_none()) {
        run("late", &[]);
    }
}

/// Once, for the same reasons.
#[test]
fn monkey() {
    if std::env::var_os("CUTE_NET_VALGRIND").is_none() {
        run_as(&[Language::C99], &["Shared"], "monkey", &[]);
    }
}

/// A program that is not linked with the library: it loads and unloads it.
#[cfg(unix)]
#[test]
fn plugin() {
    if std::env::var_os("CUTE_NET_SANITIZED").is_some() {
        println!("skipped: the sanitized library is a static one");
        return;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for (language, standard) in [(Language::C99, "-std=c99"), (Language::Cpp17, "-std=c++17")] {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plugin-{language:?}"));
        let mut command = library::compiler(language);
        command.args([standard, "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror", "-I"]);
        command.arg(root.join("include"));
        if matches!(language, Language::Cpp17) {
            command.args(["-x", "c++"]);
        }
        command.arg(root.join("ffi_tests/plugin.c")).args(["-x", "none", "-ldl", "-lpthread", "-o"]);
        let output = command.arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = library::library_folder().join("libcute_net.so");
        let output = library::command(&out).arg(path).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{language:?}: {}\n{errors}", output.status);
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
    binding,
    disconnections,
    endpoints,
    error_texts,
    event_order,
    exchange,
    extensions,
    framework,
    framework_symbols,
    inside_loops,
    ipv4_only,
    keys,
    known_users,
    layout,
    lifecycle,
    macros,
    max_clients,
    odd_uses,
    old_example,
    options,
    pointers,
    promises,
    prototypes,
    send_many,
    simulators,
    timings,
    tokens,
}

#[cfg(unix)]
programs! { forked, threads, wire, }

/// Those that don't run over both protocols by themselves, and in which messages go over a connection, with a
/// key pair of CUTE 1.00.
mod cute_1_00 {
    macro_rules! programs {
        ($($name:ident,)*) => { $(
            #[test]
            fn $name() {
                super::run(stringify!($name), &["CHECK_1_00"]);
            }
        )* };
    }

    programs! { allocator, arguments, exchange, max_clients, pointers, send_many, tokens, }

    #[cfg(unix)]
    programs! { forked, wire, }
}
