//! The committed headers are what cbindgen makes of the facade. After a change of the facade, write them
//! anew with `CUTE_NET_WRITE_HEADERS=1 cargo test --test headers`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

struct Header {
    name: &'static str,
    guard: &'static str,
    about: &'static str,
    includes: &'static [&'static str],
    sources: &'static [&'static str],
    fragment: Option<&'static str>,
    trailer: Option<&'static str>,
}

const HEADERS: [Header; 4] = [
    Header {
        name: "cute_net.h",
        guard: "CN_NET_H",
        about: include_str!("../src/ffi/fragments/cute_net_about.txt"),
        includes: &[],
        sources: &[
            "endpoint.rs",
            "error.rs",
            "crypto.rs",
            "client.rs",
            "server.rs",
            "allocator.rs",
            "ipv4.rs",
        ],
        fragment: Some("cute_net.h"),
        trailer: Some("cute_net_trailer.h"),
    },
    Header {
        name: "cute_net_x.h",
        guard: "CUTE_NET_X_H",
        about: include_str!("../src/ffi/fragments/cute_net_x_about.txt"),
        includes: &["cute_net.h"],
        sources: &[
            "versioned.rs",
            "capacity.rs",
            "addresses.rs",
            "keys.rs",
            "sending.rs",
            "channels.rs",
            "disconnect.rs",
            "statistics.rs",
            "counters.rs",
            "log_callback.rs",
            "simulator.rs",
            "wire.rs",
        ],
        fragment: Some("cute_net_x.h"),
        trailer: Some("cute_net_x_trailer.h"),
    },
    Header {
        name: "cute_net_pointers.h",
        guard: "CUTE_NET_POINTERS_H",
        about: include_str!("../src/ffi/fragments/cute_net_pointers_about.txt"),
        includes: &["cute_net_x.h"],
        sources: &["pointers.rs"],
        fragment: None,
        trailer: None,
    },
    Header {
        name: "cute_networking.h",
        guard: "CF_NETWORKING_H",
        about: include_str!("../src/ffi/fragments/cute_networking_about.txt"),
        includes: &["cute_net.h"],
        sources: &[
            "cf/result.rs",
            "cf/address.rs",
            "cf/token.rs",
            "cf/client.rs",
            "cf/server.rs",
            "cf/messages.rs",
            "cf/snapshot.rs",
        ],
        fragment: Some("cute_networking.h"),
        trailer: Some("cute_networking_trailer.h"),
    },
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn generate(header: &Header) -> String {
    let ffi = root().join("src/ffi");
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    config.include_guard = Some(header.guard.to_owned());
    config.includes = header.includes.iter().map(|&name| name.to_owned()).collect();
    let comment: String =
        header.about.lines().map(|line| format!(" * {line}").trim_end().to_owned() + "\n").collect();
    config.header = Some(format!("/*\n{comment} */"));
    let fragment = |name| read(&ffi.join("fragments").join(name)).trim_end().to_owned();
    config.after_includes = header
        .fragment
        .map(|name| format!("\n{}", fragment(name).replace("@VERSION@", env!("CARGO_PKG_VERSION"))));
    config.trailer = header.trailer.map(fragment);
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in header.sources {
        builder = builder.with_src(ffi.join(source));
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen reads the facade").write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_committed_headers_are_fresh() {
    for header in &HEADERS {
        let path = root().join("include").join(header.name);
        let fresh = generate(header);
        if std::env::var_os("CUTE_NET_WRITE_HEADERS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        assert!(
            read(&path) == fresh,
            "include/{} is stale; write it anew with CUTE_NET_WRITE_HEADERS=1 cargo test --test headers",
            header.name
        );
    }
}
