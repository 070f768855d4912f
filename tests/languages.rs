//! The headers in every language they are for, by every compiler that is there: alone, in either order,
//! twice, without a warning. And the library from a language that reads no headers.
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

/// As the compilers of Visual Studio do it, in so far as clang does; without a C library, which is not there.
const VISUAL_STUDIO: [&str; 3] =
    ["--target=x86_64-pc-windows-msvc", "-fms-compatibility-version=19.38", "-ffreestanding"];

fn compile(compiler: &str, standard: &str, source: &str) {
    compile_for(&[], compiler, standard, source);
}

fn compile_for(target: &[&str], compiler: &str, standard: &str, source: &str) {
    let include = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut command = Command::new(compiler);
    command.args(target).arg(format!("-std={standard}")).args(WARNINGS);
    if standard.starts_with("c++") {
        command.args(["-Wold-style-cast", "-x", "c++"]);
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

fn lines(headers: &[&str]) -> String {
    headers.iter().map(|header| format!("#include \"{header}.h\"\n")).collect()
}

fn including(headers: &[&str]) -> String {
    format!("{}int main(void) {{ return 0; }}\n", lines(headers))
}

#[test]
fn the_headers_compile_in_every_language_alone_in_either_order_and_twice() {
    let (net, x, framework) = ("cute_net", "cute_net_x", "cute_networking");
    let pointers = "cute_net_pointers";
    let all = [net, x, framework, pointers, net, x, framework, pointers];
    let orders: [&[&str]; 8] = [
        &[net],
        &[x],
        &[pointers],
        &[framework],
        &all,
        &[pointers, x, net],
        &[framework, x, net, framework],
        &[x, framework],
    ];
    let implementation = "#include \"cute_net.h\"\n#include <stdlib.h>\n\
        #define CN_ALLOC(size, ctx) malloc(size)\n#define CN_FREE(mem, ctx) free(mem)\n\
        #define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n#include \"cute_networking.h\"\n\
        int main(void) { return 0; }\n";
    // As programs wrap the original, which does not do so by itself.
    let wrapped = format!("extern \"C\" {{\n{}}}\nint main(void) {{ return 0; }}\n", lines(&[net, x]));
    let ipv4_only = format!("#define CUTE_NET_NO_IPV6\n{}", including(&all));
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
                if standard.starts_with("c++") {
                    compile(compiler, standard, &wrapped);
                }
            }
        }
    }
    assert!(tried >= 2, "no C and C++ compiler was found");
    for (compiler, standards) in [("clang", C), ("clang++", CPP)] {
        for standard in standards.into_iter().filter(|_| is_there(compiler)) {
            compile_for(&VISUAL_STUDIO, compiler, standard, &including(&all));
            compile_for(&VISUAL_STUDIO, compiler, standard, &ipv4_only);
        }
    }
}

/// What the examples in the headers take for granted: functions of the program, and values.
const OF_THE_PROGRAM: &str = "#include <stdio.h>\n\
    bool running(void); double seconds_since_last_tick(void); uint64_t unix_seconds(void);\n";
const VALUES: [&str; 11] = [
    "cn_crypto_sign_public_t public_key",
    "cn_crypto_sign_secret_t secret_key",
    "const uint8_t* connect_token",
    "cn_server_t* given_server",
    "cn_client_t* given_client",
    "double dt",
    "uint64_t unix_time",
    "const void* snapshot",
    "int bytes",
    "const int* indices",
    "int count",
];

/// The pieces of code in the comment at the top of a header.
fn examples(header: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include").join(format!("{header}.h"));
    let text = std::fs::read_to_string(path).unwrap();
    let comment = text.split("*/\n\n").next().unwrap();
    comment
        .split("\n *\n")
        .map(|piece| piece.lines().filter_map(|line| line.strip_prefix(" *     ")).collect::<Vec<_>>())
        .map(|lines| lines.join("\n"))
        .filter(|piece| piece.contains(';'))
        .collect()
}

#[test]
fn the_examples_at_the_top_of_the_headers_compile() {
    let headers = ["cute_net", "cute_net_x", "cute_net_pointers", "cute_networking"];
    let pieces: Vec<String> = headers.into_iter().flat_map(examples).collect();
    assert_eq!(pieces.len(), 5, "{pieces:?}");
    let includes: String = headers.map(|header| format!("#include \"{header}.h\"\n")).concat();
    let parameters = VALUES.join(", ");
    let named = VALUES.map(|value| format!("(void){};", value.rsplit([' ', '*']).next().unwrap()));
    let mut program = includes + OF_THE_PROGRAM;
    for (number, piece) in pieces.iter().enumerate() {
        let mut given = String::new();
        for (handle, beside) in [("server", "int size = bytes;"), ("client", "")] {
            if piece.contains(&format!("({handle}")) && !piece.contains(&format!("{handle} = ")) {
                given += &format!("cn_{handle}_t* {handle} = given_{handle}; {beside}\n");
            }
        }
        let example = format!("void example_{number}({parameters})");
        let body = format!("{{\n{}\n{given}\n{piece}\n}}\n", named.concat());
        program += &format!("{example};\n{example}\n{body}");
    }
    program += "int main(void) { return 0; }\n";
    for (compiler, standard) in [("gcc", "c99"), ("g++", "c++17")] {
        compile(compiler, standard, &program);
    }
}

/// Stand-ins for Cute Framework's own headers: what `cute_networking.h` needs of them, under their guards.
const DEFINES: &str = "#ifndef CF_DEFINES_H\n#define CF_DEFINES_H\n#include <stdbool.h>\n#include <stdint.h>\n\
    #include <stdlib.h>\n#define CF_API __attribute__((visibility(\"default\")))\n#define CF_CALL\n\
    #ifdef __cplusplus\n#define CF_INLINE inline\n#define CF_CPP\n#else\n#define CF_INLINE static inline\n\
    #endif\n#define CF_STRINGIZE_INTERNAL(...) #__VA_ARGS__\n\
    #define CF_STRINGIZE(...) CF_STRINGIZE_INTERNAL(__VA_ARGS__)\n#endif\n";
const RESULT: &str = "#ifndef CF_RESULT_H\n#define CF_RESULT_H\n#include \"cute_defines.h\"\n\
    enum { CF_RESULT_SUCCESS = 0, CF_RESULT_ERROR = -1 };\n\
    typedef struct CF_Result { int code; const char* details; } CF_Result;\n\
    CF_INLINE bool cf_is_error(CF_Result r) { return r.code == CF_RESULT_ERROR; }\n\
    CF_INLINE CF_Result cf_result_error(const char* d) { CF_Result r; r.code = -1; r.details = d; return r; }\n\
    CF_INLINE CF_Result cf_result_success(void) { CF_Result r; r.code = 0; r.details = NULL; return r; }\n\
    #ifdef CF_CPP\nnamespace Cute {\nCF_INLINE bool is_error(CF_Result e) { return cf_is_error(e); }\n\
    CF_INLINE CF_Result result_failure(const char* d) { return cf_result_error(d); }\n}\n#endif\n#endif\n";

/// Beside Cute Framework's own headers, which then define what both need.
#[test]
fn the_framework_header_stands_beside_the_frameworks_own() {
    let tree = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("framework_tree");
    std::fs::create_dir_all(&tree).unwrap();
    std::fs::write(tree.join("cute_defines.h"), DEFINES).unwrap();
    std::fs::write(tree.join("cute_result.h"), RESULT).unwrap();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for name in ["cute_net.h", "cute_networking.h"] {
        std::fs::copy(root.join("include").join(name), tree.join(name)).unwrap();
    }
    let c = tree.join("program.c");
    std::fs::write(&c, including(&["cute_networking", "cute_result", "cute_networking"])).unwrap();
    let cpp =
        ["framework_server.cpp", "framework_client.cpp"].map(|name| root.join("c_examples").join(name));
    for (compiler, standard, source) in
        [("gcc", "c99", &c), ("g++", "c++17", &cpp[0]), ("g++", "c++17", &cpp[1])]
    {
        let output = Command::new(compiler)
            .arg(format!("-std={standard}"))
            .args(WARNINGS)
            .arg("-I")
            .arg(&tree)
            .arg("-c")
            .arg(source)
            .args(["-o", "/dev/null"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The headers that `CUTE_NET_IMPLEMENTATION` includes, empty but for what the program below uses.
const C_LIBRARY: [&str; 8] =
    ["assert", "errno", "float", "inttypes", "limits", "stdio", "stdlib", "string"];

/// A file of a program with its own allocator, which it registers before `main` as Visual Studio allows.
const WITH_ALLOCATOR: &str = "#include <stddef.h>\nvoid* my_alloc(size_t size); void my_free(void* memory);\n\
    #define CN_ALLOC(size, ctx) my_alloc(size)\n#define CN_FREE(memory, ctx) my_free(memory)\n\
    #define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n";
const ITS_MAIN: &str = "void* my_alloc(size_t size) { (void)size; return NULL; }\n\
    void my_free(void* memory) { (void)memory; }\n\
    void cnx_set_allocator(cnx_alloc_t alloc, cnx_free_t free) { (void)alloc; (void)free; }\n\
    int start(void); int start(void) { return 0; }\n";

/// By clang and by the linker that comes with Rust, for the target of Visual Studio, whose own have not been tried.
#[test]
fn two_files_register_an_allocator_under_visual_studio_and_the_linker_keeps_one() {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let linker = PathBuf::from(String::from_utf8(sysroot).unwrap().trim())
        .join(format!("lib/rustlib/{}-unknown-linux-gnu/bin/rust-lld", std::env::consts::ARCH));
    if !is_there("clang") || !linker.exists() {
        println!("skipped: clang or {} is not installed", linker.display());
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("visual_studio");
    std::fs::create_dir_all(&folder).unwrap();
    for name in C_LIBRARY {
        std::fs::write(folder.join(format!("{name}.h")), "").unwrap();
    }
    let include = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("include");
    for (target, safe) in [("x86_64", ""), ("i686", "/safeseh:no")] {
        let mut link = Command::new(&linker);
        link.current_dir(&folder).args(["-flavor", "link", "/entry:start", "/subsystem:console"]);
        link.args(["/nodefaultlib", "/opt:ref", "/out:program.exe", "/map:program.map"]);
        link.args(Some(safe).filter(|safe| !safe.is_empty()));
        for (name, ending) in [("first", ITS_MAIN), ("second", "int second;\n")] {
            let source = folder.join(format!("{name}.c"));
            std::fs::write(&source, format!("{WITH_ALLOCATOR}{ending}")).unwrap();
            let mut compiler = Command::new("clang");
            compiler.args(VISUAL_STUDIO).arg(format!("--target={target}-pc-windows-msvc"));
            compiler.args(["-std=c11", "-O2", "-fdata-sections"]).args(WARNINGS);
            compiler.arg("-isystem").arg(&folder).arg("-I").arg(&include).current_dir(&folder);
            let object = format!("{name}.obj");
            let output = compiler.arg("-c").arg(&source).arg("-o").arg(&object).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            link.arg(object);
        }
        let output = link.output().unwrap();
        assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
        let map = std::fs::read_to_string(folder.join("program.map")).unwrap();
        assert!(map.contains("cnx_register_allocator_at_start"), "{target}: {map}");
    }
}

#[test]
fn a_language_that_reads_no_headers_passes_structs_by_value_and_by_pointers() {
    if !is_there("python3") {
        println!("skipped: python3 is not installed");
        return;
    }
    let library = std::env::current_exe().unwrap().with_file_name("libcute_net.so");
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ffi_tests/foreign.py");
    for form in ["values", "pointers"] {
        let output = Command::new("python3").arg(&program).arg(&library).arg(form).output().unwrap();
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
