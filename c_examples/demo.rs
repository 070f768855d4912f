//! Compiles the C examples, runs one server and four clients as processes of their own over loopback, with
//! 5 % of the datagrams lost in each direction, and shows what each of them saw. Exits with 0 only if all
//! of it was right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod library;

use library::{Language, Linkage};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

const CLIENTS: u64 = 4;
const SECONDS: u32 = 6;
const LOSS: f64 = 0.05;
const LATENCY: f64 = 0.015;

/// The `name=value` pairs of the lines that begin with "result:".
type Results = HashMap<String, f64>;

fn results(line: &str) -> Option<Results> {
    let pairs = line.strip_prefix("result: ")?.split_whitespace();
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

fn start(program: &Path, arguments: &[String]) -> Child {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Waits for a process, but not for ever; true if it ended well.
fn ended_well(child: &mut Child) -> bool {
    for _ in 0..200 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill().and_then(|()| child.wait());
    false
}

/// What one client and the server's side of it saw.
struct Row {
    client: Results,
    server: Results,
    clean_exit: bool,
}

impl Row {
    fn of(&self, side: &str, name: &str) -> f64 {
        let results = if side == "client" { &self.client } else { &self.server };
        results.get(name).copied().unwrap_or(f64::NAN)
    }

    /// What is wrong, in words.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |good: bool, fault: &str| {
            if !good {
                faults.push(fault.to_owned());
            }
        };
        let connected = self.of("client", "connected_ms");
        check(connected < 3000.0, "did not connect within three seconds");
        for (from, to) in [("client", "server"), ("server", "client")] {
            let sent = self.of(from, "reliable_sent");
            check(sent >= f64::from(SECONDS), "sent too few reliable messages");
            check(self.of(to, "reliable_received") == sent, "reliable messages are missing or doubled");
            check(self.of(to, "order_violations") == 0.0, "reliable messages came out of order");
            let share = self.of(to, "unreliable_received") / self.of(from, "unreliable_sent");
            check((0.8..=1.0).contains(&share), "an implausible share of unreliable messages arrived");
            let loss = self.of(from, "loss");
            check((0.0..0.2).contains(&loss), "the loss estimate is implausible");
            let rtt = self.of(from, "rtt_ms");
            check((2000.0 * LATENCY..500.0).contains(&rtt), "the round trip is implausible");
        }
        check(self.clean_exit, "the client did not exit cleanly");
        faults
    }

    fn print(&self, id: u64) {
        let flow = |from: &str, to: &str, kind: &str| {
            let sent = self.of(from, &format!("{kind}_sent"));
            format!("{}/{sent}", self.of(to, &format!("{kind}_received")))
        };
        println!(
            "| {id:>6} | {:>9} | {:>10} | {:>13} | {:>11} | {:>13} | {:>13} | {:>15} | {:>10} | {:<5} |",
            format!("{} ms", self.of("client", "connected_ms")),
            format!("{:.1} ms", self.of("client", "rtt_ms")),
            format!(
                "{:.1} / {:.1} %",
                self.of("client", "loss") * 100.0,
                self.of("server", "loss") * 100.0
            ),
            flow("client", "server", "reliable"),
            flow("server", "client", "reliable"),
            flow("client", "server", "unreliable"),
            flow("server", "client", "unreliable"),
            self.of("client", "order_violations") + self.of("server", "order_violations"),
            if self.clean_exit { "clean" } else { "BAD" },
        );
    }
}

fn main() -> ExitCode {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("c_examples");
    let folder = std::env::temp_dir().join(format!("cute_net-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["server", "client"] {
        library::compile(
            &examples.join(format!("{name}.c")),
            Language::C99,
            Linkage::Shared,
            &[],
            &folder.join(name),
        );
    }
    let all_right = play(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(folder: &Path) -> bool {
    let keys = folder.join("example.keys").display().to_string();
    let options = |pairs: &[(&str, String)]| -> Vec<String> {
        pairs.iter().flat_map(|(name, value)| [format!("--{name}"), value.clone()]).collect()
    };
    let network = options(&[("loss", LOSS.to_string()), ("latency", LATENCY.to_string())]);

    let arguments = options(&[("address", "127.0.0.1:0".into()), ("keys", keys.clone())]);
    let arguments = [arguments, network.clone()].concat();
    let mut server = start(&folder.join("server"), &arguments);
    let mut server_lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let listening = server_lines.find(|line| line.starts_with("listening on "));
    let Some(address) =
        listening.as_deref().and_then(|line| line.split([' ', ',']).nth(2)).map(str::to_owned)
    else {
        println!("the server did not start");
        let _ = server.kill().and_then(|()| server.wait());
        return false;
    };
    println!("one C server at {address} and {CLIENTS} C clients play for {SECONDS} s;");
    println!("{} % of the datagrams are lost in each direction\n", LOSS * 100.0);

    let mut clients: Vec<(u64, Child)> = (1..=CLIENTS)
        .map(|number| {
            let id = 1000 + number;
            let arguments = options(&[
                ("address", address.clone()),
                ("keys", keys.clone()),
                ("id", id.to_string()),
                ("seconds", SECONDS.to_string()),
            ]);
            (id, start(&folder.join("client"), &[arguments, network.clone()].concat()))
        })
        .collect();

    let mut rows: HashMap<u64, Row> = HashMap::new();
    for (id, client) in &mut clients {
        let lines = BufReader::new(client.stdout.take().unwrap()).lines().map_while(Result::ok);
        let seen = lines.filter_map(|line| results(&line)).flatten().collect();
        let clean_exit = ended_well(client);
        rows.insert(*id, Row { client: seen, server: Results::new(), clean_exit });
    }
    // The news of the last client's leaving needs a tick, and may need a resend.
    std::thread::sleep(Duration::from_millis(300));
    let interrupted = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
    let server_clean = interrupted.is_ok_and(|status| status.success()) && ended_well(&mut server);
    for seen in server_lines.filter_map(|line| results(&line)) {
        let id = seen.get("server_of").copied().unwrap_or(0.0) as u64;
        if let Some(row) = rows.get_mut(&id) {
            row.server = seen;
        }
    }

    println!(
        "| client | connected | round trip | loss up/down  | reliable up | reliable down | unreliable up | unreliable down | violations | exit  |"
    );
    println!(
        "|--------|-----------|------------|---------------|-------------|---------------|---------------|-----------------|------------|-------|"
    );
    let mut all_right = true;
    let mut faults = Vec::new();
    for (id, _) in &clients {
        if let Some(row) = rows.get(id) {
            row.print(*id);
            faults.extend(row.faults().into_iter().map(|fault| format!("client {id}: {fault}")));
        }
    }
    println!("\n(received/sent; the server exited {})", if server_clean { "cleanly" } else { "BADLY" });
    if !server_clean {
        faults.push("the server did not exit cleanly".to_owned());
    }
    for fault in &faults {
        println!("WRONG: {fault}");
        all_right = false;
    }
    all_right
}
