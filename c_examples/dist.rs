//! Builds the library as it is shipped and lays it out as C programs want it:
//!
//! ```text
//! target/dist/include/cute_net.h, cute_net_x.h, cute_net_pointers.h, cute_networking.h
//! target/dist/lib/libcute_net.so.1, libcute_net.so, libcute_net.a, pkgconfig/cute_net.pc
//! ```
//!
//! Cargo applies no link-time optimisation to a library that Rust programs can use too, so each shipped
//! library is built by a call of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn build(root: &Path, crate_type: &str, flags: &[&str]) -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["rustc", "--release", "--lib", "--crate-type", crate_type, "--"])
        .args(flags)
        .status();
    status.is_ok_and(|status| status.success())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a file lies in a folder")).unwrap();
    // A program that runs from the old file keeps it.
    let _ = std::fs::remove_file(to);
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    println!("{}", to.display());
}

fn main() -> ExitCode {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    // This program lies in target/release/examples.
    let executable = std::env::current_exe().unwrap();
    let release = executable.parent().and_then(Path::parent).expect("an example lies in examples/");
    let dist = release.parent().expect("a profile lies in target/").join("dist");

    if !build(&root, "cdylib", &["-C", "strip=symbols"]) || !build(&root, "staticlib", &[]) {
        return ExitCode::FAILURE;
    }
    for header in ["cute_net.h", "cute_net_x.h", "cute_net_pointers.h", "cute_networking.h"] {
        copy(&root.join("include").join(header), &dist.join("include").join(header));
    }
    copy(&release.join("libcute_net.so"), &dist.join("lib/libcute_net.so.1"));
    copy(&release.join("libcute_net.a"), &dist.join("lib/libcute_net.a"));
    let link = dist.join("lib/libcute_net.so");
    let _ = std::fs::remove_file(&link);
    #[cfg(unix)]
    std::os::unix::fs::symlink("libcute_net.so.1", &link).unwrap();
    println!("{}", link.display());

    let description = format!(
        "prefix=${{pcfiledir}}/../..\n\
         Name: cute_net\n\
         Description: {}\n\
         Version: {}\n\
         Libs: -L${{prefix}}/lib -lcute_net\n\
         Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc\n\
         Cflags: -I${{prefix}}/include\n",
        env!("CARGO_PKG_DESCRIPTION"),
        env!("CARGO_PKG_VERSION"),
    );
    let file = dist.join("lib/pkgconfig/cute_net.pc");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, description).unwrap();
    println!("{}", file.display());
    ExitCode::SUCCESS
}
