//! Programs of others, unmodified in text, over this library: the examples and the tests of the original's
//! repository, if `CUTE_NET_ORIGINAL` names a checkout of it, and the networking source of Cute Framework up to
//! 2026-08-22, if `CUTE_FRAMEWORK` names one of that. They are copied to where their `#include` finds our header.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../c_examples/library.rs"]
mod library;
#[path = "interop/running.rs"]
mod running;

use library::{Language, Linkage};
use running::Build::{self, Original, Ours};
use running::Running;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Each takes a port of its own text, or both cores for a while.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The checkout that a variable names, or None without it, which is said.
fn checkout(variable: &str, of: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: set {variable} to the path of a checkout of {of}");
    }
    folder
}

fn original() -> Option<PathBuf> {
    checkout("CUTE_NET_ORIGINAL", "RandyGaul/cute_headers with cute_net.h v1.03")
}

/// An empty folder for one test's copies.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// The header of a build in a folder, where a program of the original's finds it.
fn put_header(build: Build, original: &Path, folder: &Path) -> PathBuf {
    let header = folder.join("cute_net.h");
    match build {
        Ours => copy(&root().join("include/cute_net.h"), &header),
        Original => copy(&original.join("cute_net.h"), &header),
    }
    header
}

/// Compiles a program of the original's text against a build. Its warnings are its own.
fn compile(build: Build, source: &Path, arguments: &[String], out: &Path) {
    let mut command = library::compiler(Language::C99);
    command.args(["-std=gnu99", "-w", "-O1"]).args(arguments).arg(source);
    match build {
        Ours => library::link(&mut command, Linkage::Shared),
        Original => {
            command.arg("-lm");
        }
    }
    let output = command.arg("-o").arg(out).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} as {build:?}: {errors}", source.display());
}

/// An example of the original, as it is, and once more with the address of the environment.
fn example(build: Build, original: &Path, name: &str) -> PathBuf {
    let folder = folder(&format!("example-{name}-{build:?}"));
    let header = put_header(build, original, &folder);
    let from = original.join("examples_cute_net").join(name);
    let to = folder.join("examples_cute_net").join(name);
    for file in [format!("{name}.c"), "cute_time.h".to_owned()] {
        copy(&from.join(&file), &to.join(&file));
    }
    let source = to.join(format!("{name}.c"));
    compile(build, &source, &[], &folder.join("as-it-is"));
    let program = folder.join(name);
    let arguments = [
        format!("-DEXAMPLE_HEADER=\"{}\"", header.display()),
        "-include".to_owned(),
        root().join("ffi_tests/original_address.h").display().to_string(),
    ];
    compile(build, &source, &arguments, &program);
    program
}

impl Running {
    fn example(program: &Path, address: &str) -> Running {
        Running::start(Command::new(program).env("EXAMPLE_ADDRESS", address))
    }

    /// What it says until a line begins so, or for 20 seconds.
    fn says(&self, beginning: &str) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(20);
        let mut said = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            said.push(line);
            if said.last().is_some_and(|line| line.starts_with(beginning)) {
                break;
            }
        }
        said
    }
}

/// The examples play for ten seconds, in which the client sends a message every two.
fn play(client: &Path, server: &Path) {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let server = Running::example(server, &address);
    assert_eq!(server.says("Server"), [format!("Server started, listening on port {port}.")]);
    let mut client = Running::example(client, &address);
    let said = client.says("Connected!");
    assert!(said.last().is_some_and(|line| line.starts_with("Connected!")), "{said:?}");
    let said = server.says("Client disconnected");
    assert_eq!(said[0], "New connection from id 5, on index 0.");
    assert_eq!(said.last().unwrap(), "Client disconnected on index 0.");
    let messages = &said[1..said.len() - 1];
    let expected = "Got a message from client on index 0, \"What's up over there, Mr. Server?\"";
    assert!(messages.len() >= 3, "{said:?}");
    assert!(messages.iter().all(|message| message == expected), "{said:?}");
    assert!(client.child.wait().unwrap().success());
}

#[test]
fn the_originals_examples_play_with_each_other_and_with_their_original_builds() {
    let Some(original) = original() else { return };
    let _one = ONE_AT_A_TIME.lock();
    let builds = [Ours, Original];
    let clients = builds.map(|build| example(build, &original, "client"));
    let servers = builds.map(|build| example(build, &original, "server"));
    for (client, as_client) in builds.into_iter().zip(&clients) {
        for (server, as_server) in builds.into_iter().zip(&servers) {
            println!("client {client:?}, server {server:?}");
            play(as_client, as_server);
        }
    }
}

/// The text of a function of the original's, from its head to the end of its body.
fn function<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("\nint {name}()\n")).expect(name);
    let length = text[start..].find("\n}\n").unwrap() + "\n}\n".len();
    &text[start..start + length]
}

#[test]
fn the_originals_tests_of_its_public_functions_pass() {
    const TESTS: [&str; 3] = ["cn_client_server", "cn_client_server_payload", "cn_client_server_sim"];
    let Some(original) = original() else { return };
    let _one = ONE_AT_A_TIME.lock();
    let text = fs::read_to_string(original.join("cute_net.h")).unwrap().replace("\r\n", "\n");
    let keygen_1_00 = "-Dcn_crypto_sign_keygen=cnx_crypto_sign_keygen_1_00".to_owned();
    for (build, arguments) in [(Original, vec![]), (Ours, vec![]), (Ours, vec![keygen_1_00])] {
        let folder = folder(&format!("tests-{build:?}-{}", arguments.len()));
        put_header(build, &original, &folder);
        copy(&root().join("ffi_tests/original_tests.h"), &folder.join("original_tests.h"));
        let calls: String =
            TESTS.iter().map(|name| format!("    if ({name}() != 0) return 1;\n")).collect();
        let mut program =
            "#define CUTE_NET_IMPLEMENTATION\n#include \"cute_net.h\"\n#include \"original_tests.h\"\n"
                .to_owned();
        for name in TESTS {
            program += &format!("#line 1\n{}", function(&text, name));
        }
        program += &format!("int main(void)\n{{\n{calls}    return 0;\n}}\n");
        let source = folder.join("tests.c");
        fs::write(&source, program).unwrap();
        compile(build, &source, &arguments, &folder.join("tests"));
        // The simulator draws its losses anew in each.
        for round in 0..10 {
            let output = Command::new(folder.join("tests")).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{build:?} {arguments:?}, round {round}: {errors}");
        }
    }
}

/// What the framework's source calls and its other files define.
const FRAMEWORK_REST: &str = "#include <cute_alloc.h>\n#include <stdlib.h>\n\
    extern \"C\" void* cf_alloc(size_t size) { return malloc(size); }\n\
    extern \"C\" void cf_free(void* memory) { free(memory); }\n";

#[test]
fn cute_frameworks_networking_source_compiles_links_and_plays() {
    let framework = checkout("CUTE_FRAMEWORK", "RandyGaul/cute_framework of 2026-08-22");
    let Some(framework) = framework else { return };
    let _one = ONE_AT_A_TIME.lock();
    let folder = folder("framework-source");
    copy(&root().join("include/cute_net.h"), &folder.join("cute/cute_net.h"));
    let source = folder.join("cute_networking.cpp");
    copy(&framework.join("src/cute_networking.cpp"), &source);
    fs::write(folder.join("rest.cpp"), FRAMEWORK_REST).unwrap();
    let sources = [source, folder.join("rest.cpp"), root().join("c_examples/framework_server.cpp")];
    let without_cf = library::without_cf(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-cf"));
    let client = folder.join("client");
    let example = root().join("c_examples/framework_client.cpp");
    library::compile(&example, Language::Cpp17, Linkage::Shared, &[], &client);
    for (name, linkage) in [("shared", Linkage::Shared), ("static", Linkage::Archive(&without_cf))] {
        let program = folder.join(name);
        let mut command = library::compiler(Language::Cpp17);
        command.args(["-std=c++17", "-w", "-O1", "-I"]).arg(&folder);
        command.arg("-I").arg(framework.join("include")).args(&sources);
        library::link(&mut command, linkage);
        let output = command.arg("-o").arg(&program).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));

        let tokens = folder.join("tokens");
        let mut server =
            Command::new(&program).arg(&tokens).arg("1").stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
        assert_eq!(said.next().unwrap().unwrap(), "ready");
        let played = Command::new(&client).arg(&tokens).arg("0").output().unwrap();
        assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stdout));
        let said: Vec<String> = said.map(|line| line.unwrap()).collect();
        assert!(server.wait().unwrap().success(), "{said:?}");
        assert_eq!(said.last().unwrap(), "1 joined, 1 left, 30 packets echoed");
    }
}

/// The headers of the framework with ours among them, which takes the place of its own and of its source.
#[test]
fn our_header_takes_its_place_among_cute_frameworks_own() {
    let framework = checkout("CUTE_FRAMEWORK", "RandyGaul/cute_framework of 2026-08-22");
    let Some(framework) = framework else { return };
    let folder = folder("framework-headers");
    for entry in fs::read_dir(framework.join("include")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            copy(&entry.path(), &folder.join(entry.file_name()));
        }
    }
    for name in ["cute_net.h", "cute_networking.h"] {
        copy(&root().join("include").join(name), &folder.join(name));
    }
    for name in ["framework_server", "framework_client"] {
        let mut command = library::compiler(Language::Cpp17);
        command.args(["-std=c++17", "-Wall", "-Wextra", "-Werror", "-I"]).arg(&folder);
        command.args(["-include", "cute_alloc.h", "-include", "cute_result.h"]);
        command.arg(root().join("c_examples").join(format!("{name}.cpp")));
        library::link(&mut command, Linkage::Shared);
        let output = command.arg("-o").arg(folder.join(name)).output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
