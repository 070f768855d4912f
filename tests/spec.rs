//! `docs/PROTOCOL.md` says enough: a client in Python, written from it alone, makes and opens tokens, connects to our
//! server, exchanges messages with it and is refused where it should be. Skipped, with a word, where there is no
//! Python with the package `cryptography`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "host/pair.rs"]
#[allow(dead_code)] // the host's tests use more
mod pair;

use cute_net::message::Delivery;
use cute_net::reason::DisconnectReason;
use cute_net::server::Event;
use pair::{APPLICATION, DT, Pair, UNIX};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spec/client.py");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn has_python() -> bool {
    let probe = Command::new("python3").args(["-c", "import cryptography"]).output();
    probe.is_ok_and(|output| output.status.success())
}

#[test]
fn a_client_written_from_the_page_alone_plays_with_our_server() {
    if !has_python() {
        println!("skipped: no python3 with the package `cryptography`");
        return;
    }
    let mut pair = Pair::at("127.0.0.1:0");
    let address = pair.server.bound_addresses().next().unwrap();
    let token = pair.token(77, &[address]);
    let told = json!({
        "secret": hex(&pair.secret.0),
        "public": hex(&pair.secret.0[32..]),
        "application": APPLICATION,
        "unix": UNIX,
        "port": address.port(),
        "token": hex(&token),
        "token_client_id": 77,
    });
    let mut python = Command::new("python3")
        .arg(PROGRAM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();

    let mut events = Vec::new();
    let status = loop {
        pair.server.update(DT, UNIX);
        while let Some(event) = pair.server.pop_event() {
            match event {
                Event::Connected { index, client_id, .. } => {
                    events.push(format!("+{index} {client_id}"))
                }
                Event::Disconnected { index, reason, .. } => {
                    assert_eq!(reason, DisconnectReason::LEFT);
                    events.push(format!("-{index}"));
                }
                Event::Message { index, message } => {
                    let (bytes, reliable) = (message.payload(), message.info().reliable);
                    let delivery =
                        if reliable { Delivery::ReliableOrdered } else { Delivery::Unreliable };
                    pair.server.send(index, 0, delivery, 0, bytes).unwrap();
                    if bytes.len() == 1536 {
                        pair.server.send(index, 0, delivery, 0, &[b'Z'; 5000]).unwrap();
                    }
                }
            }
        }
        if let Some(status) = python.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(16));
    };
    let output = python.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(status.success(), "{said}");
    assert_eq!(output.stdout, b"as the page says\n");
    assert_eq!(events, ["+0 4242", "-0"]);
}
