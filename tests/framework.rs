//! Cute Framework's programs: the C++ examples of both generations of its header play together, and a
//! program with `cf_` functions of its own links.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../c_examples/library.rs"]
mod library;

use library::{Language, Linkage};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn out(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn programs_of_both_generations_play_together() {
    for name in ["framework_server", "framework_client"] {
        let source = root().join("c_examples").join(format!("{name}.cpp"));
        let sanitized = std::env::var_os("CUTE_NET_SANITIZED").map(PathBuf::from);
        let linkage = sanitized.as_deref().map_or(Linkage::Shared, Linkage::Sanitized);
        library::compile(&source, Language::Cpp17, linkage, &[], &out(name));
    }
    let tokens = out("framework_tokens");
    let mut server = Command::new(out("framework_server"))
        .arg(&tokens)
        .arg("2")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "ready");
    let clients: Vec<_> = ["0", "1"]
        .into_iter()
        .map(|player| {
            Command::new(out("framework_client")).arg(&tokens).arg(player).stdout(Stdio::piped()).spawn()
        })
        .collect();
    for client in clients {
        let output = client.unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("CF_CLIENT_STATE_CONNECTED: 30 sent, 30 echoed"), "{said}");
    }
    let said: Vec<String> = said.map(|line| line.unwrap()).collect();
    assert!(server.wait().unwrap().success(), "{said:?}");
    assert_eq!(said.last().unwrap(), "2 joined, 2 left, 60 packets echoed");
}

#[test]
fn a_program_with_cf_functions_of_its_own_links() {
    let source = root().join("ffi_tests/own_framework.cpp");
    let shared = out("own_framework-shared");
    library::compile(&source, Language::Cpp17, Linkage::Shared, &[], &shared);
    assert!(library::command(&shared).status().unwrap().success());

    let archive = library::without_cf(&out("without-cf"));
    let program = out("own_framework-static");
    library::compile(&source, Language::Cpp17, Linkage::Archive(&archive), &[], &program);
    assert!(library::command(&program).status().unwrap().success());
}
