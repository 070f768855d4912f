//! What `CONTRIBUTING.md` says of the inside and no compiler checks: who may use what, where `unsafe` is, how long
//! files are, and that the tour in `src/lib.rs` leaves nobody out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a file.
const MOST_LINES: usize = 700;

/// What is no part of the engine: the facade, the host, and what does I/O.
const OUTSIDE: [&str; 4] = ["src/ffi/", "src/host", "src/socket/", "src/log.rs"];

struct Source {
    /// From the repository's root on, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Its lines of code with their numbers, without comments and without the tests at its end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines()).take_while(|(_, line)| *line != "mod tests {");
        lines.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, extensions: &[&str], sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extensions, sources);
        } else if extensions.iter().any(|&known| path.extension().is_some_and(|its| its == known)) {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source { path, text });
        }
    }
}

/// The Rust files of these folders, at least so many.
fn sources(folders: &[&str], least: usize) -> Vec<Source> {
    files(folders, &["rs"], least)
}

fn files(folders: &[&str], extensions: &[&str], least: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(&root().join(folder), extensions, &mut sources);
    }
    assert!(sources.len() >= least, "{} files", sources.len());
    sources
}

/// No line of code of a file for which `concerns` is true holds one of `words`.
fn assert_free_of(concerns: impl Fn(&Source) -> bool, words: &[&str]) {
    let mut files = 0;
    for source in sources(&["src"], 100).iter().filter(|source| concerns(source)) {
        files += 1;
        for (number, line) in source.code() {
            let found = words.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}:{number} has {}", source.path, found.unwrap_or(&""));
        }
    }
    assert!(files > 0, "no file is concerned");
}

#[test]
fn the_protocols_do_not_know_each_other() {
    assert_free_of(|source| source.is_in(&["src/v1/"]), &["v2::", "::v2"]);
    assert_free_of(|source| source.is_in(&["src/v2/"]), &["v1::", "::v1"]);
}

#[test]
fn the_facade_takes_nothing_from_inside_a_protocol() {
    assert_free_of(|source| source.is_in(&["src/ffi/"]), &["v1::", "::v1", "v2::", "::v2"]);
}

#[test]
fn the_engine_touches_no_socket_and_no_clock() {
    let words =
        ["std::time::Instant", "SystemTime", "UdpSocket", "socket2", "crate::socket", "crate::host"];
    assert_free_of(|source| !source.is_in(&OUTSIDE), &words);
}

/// Keys, tokens and seeds are drawn by whoever makes them: what runs between datagrams has a generator of its own.
#[test]
fn the_engine_asks_the_system_for_no_random_bytes() {
    let makers = ["src/crypto/", "src/token.rs", "src/v1/token.rs", "src/v1/signature.rs"];
    let words = ["getrandom", "random::bytes", "random::fill"];
    assert_free_of(|source| !source.is_in(&OUTSIDE) && !source.is_in(&makers), &words);
}

#[test]
fn unsafe_code_is_where_the_tour_says() {
    let places = ["src/ffi/", "src/socket/", "src/prefetch.rs"];
    assert_free_of(|source| !source.is_in(&places), &["unsafe ", "allow(unsafe_code"]);
}

#[test]
fn names_of_c_functions_are_in_the_facade_alone() {
    assert_free_of(|source| !source.is_in(&["src/ffi/"]), &["fn cn_", "fn cf_", "fn cnx_", "no_mangle"]);
}

#[test]
fn no_file_is_too_long_and_each_says_what_it_is_for() {
    for source in
        sources(&["src", "tests", "benches", "c_examples", "fuzz/src", "fuzz/fuzz_targets"], 150)
    {
        let lines = source.text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", source.path);
        assert!(source.text.starts_with("//! "), "{} begins without a word", source.path);
    }
}

#[test]
fn no_header_and_no_c_program_is_too_long() {
    let folders = ["include", "src/ffi/fragments", "ffi_tests", "c_examples", "benches"];
    for source in files(&folders, &["h", "c", "cpp", "py", "txt"], 50) {
        let lines = source.text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", source.path);
    }
}

#[test]
fn there_is_no_module_of_leftovers() {
    for source in sources(&["src"], 100) {
        let name = Path::new(&source.path).file_stem().unwrap().to_str().unwrap();
        assert!(
            !["util", "utils", "helper", "helpers", "common", "misc"].contains(&name),
            "{}",
            source.path
        );
    }
}

/// `src/lib.rs`, and the first page of each protocol, name every module that they declare.
#[test]
fn every_module_is_on_the_page_that_declares_it() {
    for page in ["src/lib.rs", "src/v1/mod.rs", "src/v2/mod.rs"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let modules: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
        assert!(modules.len() > 20, "{page}");
        let (told, _) = text.split_once("\npub mod ").unwrap();
        for module in modules {
            let name = module.trim_end_matches(';');
            assert!(told.contains(&format!("[`{name}`]")), "{page} says nothing of {name}");
        }
    }
}
