//! The headers in every language they are for, by every compiler that is there: alone, in either order,
//! twice, without a warning.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const C: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP: [&str; 4] = ["c++11", "c++14", "c++17", "c++20"];
const WARNINGS: [&str; 6] = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"];

/// The compilers tried: for each, its C and its C++ driver. Those for Windows compile, and that is all.
const COMPILERS: [(&str, &str); 3] =
    [("gcc", "g++"), ("clang", "clang++"), ("x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-g++")];

fn is_there(compiler: &str) -> bool {
    let version = Command::new(compiler).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

fn compile(compiler: &str, standard: &str, source: &str) {
    let include = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(WARNINGS);
    if standard.starts_with("c++") {
        command.args(["-x", "c++"]);
    } else {
        command.args(["-Wstrict-prototypes", "-x", "c"]);
    }
    command.arg("-I").arg(include).args(["-c", "-o", "/dev/null", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} -std={standard}:\n{source}\n{errors}");
}

fn including(headers: &[&str]) -> String {
    let lines: String = headers.iter().map(|header| format!("#include \"{header}.h\"\n")).collect();
    format!("{lines}int main(void) {{ return 0; }}\n")
}

#[test]
fn the_headers_compile_in_every_language_alone_in_either_order_and_twice() {
    let (net, x, framework) = ("cute_net", "cute_net_x", "cute_networking");
    let orders: [&[&str]; 6] = [
        &[net],
        &[x],
        &[framework],
        &[net, x, framework, net, x, framework],
        &[framework, x, net, framework],
        &[x, framework],
    ];
    let implementation = "#include \"cute_net.h\"\n#include <stdlib.h>\n\
        #define CN_ALLOC(size, ctx) malloc(size)\n#define CN_FREE(mem, ctx) free(mem)\n\
        #define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n#include \"cute_networking.h\"\n\
        int main(void) { return 0; }\n";
    let ipv4_only = format!("#define CUTE_NET_NO_IPV6\n{}", including(orders[3]));
    let mut tried = 0;
    for (c, cpp) in COMPILERS {
        for (compiler, standards) in [(c, C), (cpp, CPP)] {
            if !is_there(compiler) {
                println!("{compiler} is not installed: skipped");
                continue;
            }
            tried += 1;
            for standard in standards {
                for order in orders {
                    compile(compiler, standard, &including(order));
                }
                compile(compiler, standard, implementation);
                compile(compiler, standard, &ipv4_only);
            }
        }
    }
    assert!(tried >= 2, "no C and C++ compiler was found");
}
