//! `docs/MIGRATING.md`: its C compiles, and section 3, from keys of CUTE 1.00 to CUTE 2.00, is done as it says.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../c_examples/library.rs"]
mod library;

use library::{Language, Linkage};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The page's pieces of C: whole programs, and functions.
fn pieces() -> (Vec<String>, Vec<String>) {
    let page = fs::read_to_string(root().join("docs/MIGRATING.md")).unwrap();
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "```c" {
            let indent = line.len() - line.trim_start().len();
            let piece: Vec<_> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .map(|line| line.get(indent..).unwrap_or_default())
                .collect();
            pieces.push(piece.join("\n") + "\n");
        }
    }
    pieces.into_iter().partition(|piece| piece.contains("int main("))
}

/// Old players are programs of this library, and of the original where `CUTE_NET_H` is the path of its header.
#[test]
fn the_road_to_cute_2_00_has_no_flag_day() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("migrating");
    fs::create_dir_all(&folder).unwrap();
    let (programs, functions) = pieces();
    assert_eq!((programs.len(), functions.len()), (1, 4));

    for (number, piece) in functions.iter().enumerate() {
        let source = folder.join(format!("piece_{number}.c"));
        fs::write(&source, piece).unwrap();
        let mut alone = library::compiler(Language::C99);
        alone.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I"]);
        assert!(alone.arg(root().join("include")).arg(&source).status().unwrap().success(), "{piece}");
    }

    let source = folder.join("new_keys.c");
    fs::write(&source, programs.concat()).unwrap();
    let new_keys = folder.join("new_keys");
    library::compile(&source, Language::C99, Linkage::Shared, &[], &new_keys);
    assert!(Command::new(&new_keys).current_dir(&folder).status().unwrap().success());

    let main = root().join("ffi_tests/migrating.c");
    let source = folder.join("migrating.c");
    let functions = functions.concat();
    let text = format!(
        "#include \"cute_net.h\"\nvoid log_everything(void);\n\
         cn_result_t take_new_pair(cn_server_t*, const cn_crypto_sign_public_t*, const cn_crypto_sign_secret_t*);\n\
         {functions}#include \"{}\"\n",
        main.display()
    );
    fs::write(&source, text).unwrap();
    let migrating = folder.join("migrating");
    library::compile(&source, Language::C99, Linkage::Static, &[], &migrating);

    let player = root().join("ffi_tests/migrating_old_player.c");
    let ours = folder.join("old_player");
    library::compile(&player, Language::C99, Linkage::Shared, &[], &ours);
    let mut players = vec![ours];
    match std::env::var_os("CUTE_NET_H").map(PathBuf::from) {
        None => println!("set CUTE_NET_H to the path of the original cute_net.h for players of it"),
        Some(header) => {
            let original = folder.join("original_player");
            let status = library::compiler(Language::C99)
                .args(["-std=gnu11", "-w", "-O2", "-DNDEBUG", "-I"])
                .arg(header.parent().unwrap())
                .arg(&player)
                .arg("-o")
                .arg(&original)
                .arg("-lm")
                .status()
                .unwrap();
            assert!(status.success(), "the original does not compile");
            players.push(original);
        }
    }
    for player in players {
        let output = Command::new(&migrating).arg(&player).arg(&folder).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", player.display());
    }
}
