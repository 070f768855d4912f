//! Compiles C programs against the library that cargo has just built: shared by the demo and the tests.
//! The library is taken from beside their own executable, never one that lies around.

// Each user needs another part of this.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C99,
    Cpp17,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linkage<'a> {
    Shared,
    Static,
    /// A static library that was built elsewhere.
    Archive(&'a Path),
    /// One that was built for AddressSanitizer; the program is, too, and for UndefinedBehaviorSanitizer.
    Sanitized(&'a Path),
}

/// What a Rust static library needs from the system.
#[cfg(target_os = "linux")]
pub const SYSTEM_LIBRARIES: &[&str] = &["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];
#[cfg(not(target_os = "linux"))]
pub const SYSTEM_LIBRARIES: &[&str] = &["-lpthread", "-lm"];

/// The folder of the library that belongs to the running executable.
pub fn library_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("an executable knows where it is");
    let beside = executable.parent().expect("an executable lies in a folder");
    // Tests lie in deps/, where cargo puts the library; examples lie in examples/ beside it.
    let candidates = [beside.to_path_buf(), beside.join("../deps"), beside.join("..")];
    candidates
        .into_iter()
        .find(|folder| folder.join("libcute_net.a").exists())
        .unwrap_or_else(|| panic!("no libcute_net beside {}", executable.display()))
        .canonicalize()
        .unwrap()
}

/// A folder with the shared library under the names that linking and loading ask for.
fn linkable_folder(library: &Path) -> PathBuf {
    let folder = library.join("linkable");
    std::fs::create_dir_all(&folder).unwrap();
    #[cfg(unix)]
    for name in ["libcute_net.so", "libcute_net.so.1"] {
        // Others may be doing the same at this moment: the name must never be missing.
        let temporary =
            folder.join(format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
        std::os::unix::fs::symlink(library.join("libcute_net.so"), &temporary).unwrap();
        std::fs::rename(&temporary, folder.join(name)).unwrap();
    }
    folder
}

/// The C or C++ compiler, or how to install one.
pub fn compiler(language: Language) -> Command {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut build = cc::Build::new();
    build
        .cpp(language == Language::Cpp17)
        .target(&target)
        .host(&target)
        .opt_level(1)
        .cargo_metadata(false);
    let compiler = build.try_get_compiler().ok().filter(|tool| {
        Command::new(tool.path()).arg("--version").output().is_ok_and(|output| output.status.success())
    });
    match compiler {
        Some(tool) => tool.to_command(),
        None => {
            let (name, package) = match language {
                Language::C99 => ("C", "gcc"),
                Language::Cpp17 => ("C++", "g++"),
            };
            eprintln!(
                "No {name} compiler was found. On Debian and Ubuntu, install one with:\n\n    \
                 apt-get install -y {package} libc6-dev\n"
            );
            std::process::exit(1);
        }
    }
}

/// Compiles one source file to `out`.
pub fn compile(source: &Path, language: Language, linkage: Linkage<'_>, defines: &[&str], out: &Path) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut command = compiler(language);
    match language {
        Language::C99 => command.args(["-std=c99", "-D_GNU_SOURCE", "-x", "c"]),
        Language::Cpp17 => command.args(["-std=c++17", "-x", "c++"]),
    };
    command
        .args(["-O1", "-g", "-Wall", "-Wextra", "-pedantic", "-Werror"])
        .args(defines.iter().map(|define| format!("-D{define}")))
        .arg("-I")
        .arg(root.join("include"))
        .arg(source)
        .args(["-x", "none"]);
    link(&mut command, linkage);
    let output = command.arg("-o").arg(out).output().expect("the compiler runs");
    assert!(
        output.status.success(),
        "{} does not compile as {language:?} against the {linkage:?} library:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Adds a library to a compiler's arguments.
pub fn link(command: &mut Command, linkage: Linkage<'_>) {
    match linkage {
        Linkage::Shared => {
            let folder = linkable_folder(&library_folder());
            command.arg("-L").arg(&folder).args(["-lcute_net", "-lpthread"]);
            command.arg(format!("-Wl,-rpath,{}", folder.display()));
        }
        Linkage::Static => {
            command.arg(library_folder().join("libcute_net.a")).args(SYSTEM_LIBRARIES);
        }
        Linkage::Archive(archive) => {
            command.arg(archive).args(SYSTEM_LIBRARIES);
        }
        Linkage::Sanitized(archive) => {
            command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
            command.arg(archive).args(SYSTEM_LIBRARIES);
        }
    }
}

/// A static library without the `cf_` functions, for programs that bring their own.
pub fn without_cf(target: &Path) -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--locked", "--lib", "--crate-type", "staticlib"])
        .args(["--no-default-features", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success());
    target.join("debug/libcute_net.a")
}

/// Runs a compiled program; under valgrind if `CUTE_NET_VALGRIND` is set.
pub fn command(program: &Path) -> Command {
    let mut command;
    if std::env::var_os("CUTE_NET_VALGRIND").is_none() {
        command = Command::new(program);
    } else {
        command = Command::new("valgrind");
        command.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite"]);
        command.arg("--error-exitcode=9").arg(program);
    }
    // A library with debug assertions then watches that no nonce is used twice.
    command.env("CUTE_NET_NONCE_LEDGER", "1");
    command
}
