//! CUTE 1.00 between this library and the original: `ffi_tests/interop_peer.c`, compiled once against each, as
//! client and as server in every combination, over real sockets. Runs if `CUTE_NET_H` is the path of the
//! original header, v1.03. What the original can't do is expected of it by the number of the defect.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../c_examples/library.rs"]
mod library;
#[path = "interop/running.rs"]
mod running;

use library::{Language, Linkage};
use running::Build::{self, Original, Ours};
use running::Running;
use std::fmt;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Client and server.
const PAIRS: [(Build, Build); 4] =
    [(Ours, Ours), (Ours, Original), (Original, Ours), (Original, Original)];
const TABLE_HEAD: &str = "| | ours, ours | ours, original | original, ours | original, original |\n\
                          |---|---|---|---|---|";

/// The two programs, or None without the original header, which is said.
fn programs() -> Option<&'static [PathBuf; 2]> {
    static PROGRAMS: OnceLock<Option<[PathBuf; 2]>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        let header =
            PathBuf::from(std::env::var_os("CUTE_NET_H")?).canonicalize().expect("CUTE_NET_H is a file");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("ffi_tests/interop_peer.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (ours, original) = (folder.join("interop-ours"), folder.join("interop-original"));
        library::compile(&source, Language::C99, Linkage::Static, &[], &ours);
        // Without asserts, as games are shipped: with them the 32nd client ends the server (D24).
        let status = library::compiler(Language::C99)
            .args(["-std=gnu11", "-w", "-O2", "-DNDEBUG", "-DINTEROP_ORIGINAL"])
            .arg(format!("-DINTEROP_HEADER=\"{}\"", header.display()))
            .args([source.as_os_str(), "-o".as_ref(), original.as_os_str(), "-lm".as_ref()])
            .status()
            .expect("the compiler runs");
        assert!(status.success(), "the original does not compile");
        Some([ours, original])
    });
    if programs.is_none() {
        println!("skipped: set CUTE_NET_H to the path of the original cute_net.h, v1.03");
    }
    programs.as_ref()
}

fn program(build: Build) -> Command {
    let [ours, original] = programs().unwrap();
    Command::new(if build == Ours { ours } else { original })
}

/// The lines that a program prints before it ends.
fn lines(build: Build, arguments: &[&str]) -> Vec<String> {
    let output = program(build).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{build:?} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A running program that takes orders.
struct Peer {
    running: Running,
    /// What it said, reports apart.
    log: Vec<String>,
}

impl Peer {
    fn start(build: Build, arguments: &[&str]) -> Peer {
        let running = Running::start(program(build).args(arguments).stdin(Stdio::piped()));
        Peer { running, log: Vec::new() }
    }

    fn order(&mut self, order: &str) {
        let _ = writeln!(self.running.child.stdin.as_ref().unwrap(), "{order}");
    }

    fn count(&self, beginning: &str) -> usize {
        self.log.iter().filter(|line| line.starts_with(beginning)).count()
    }

    /// Waits until it said so many lines that begin like this; false if that takes longer than `within`.
    fn says(&mut self, beginning: &str, times: usize, within: Duration) -> bool {
        let end = Instant::now() + within;
        while self.count(beginning) < times {
            match self.running.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(_) => return false,
            }
        }
        true
    }

    /// What its connections have done; nothing if it does not answer.
    fn reports(&mut self) -> Vec<Report> {
        self.order("report");
        let mut reports = Vec::new();
        while let Ok(line) = self.running.lines.recv_timeout(Duration::from_secs(20)) {
            if line == "reported" {
                break;
            } else if line.starts_with("report ") {
                reports.push(Report::read(&line));
            } else {
                self.log.push(line);
            }
        }
        reports
    }
}

/// What one end of a connection has sent and got.
#[derive(Clone, Copy, Debug, Default)]
struct Report {
    sent: usize,
    good: usize,
    cut: usize,
    bad: usize,
}

impl Report {
    fn read(line: &str) -> Report {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |name| {
            let at = words.iter().position(|&word| word == name).unwrap();
            words.get(at + 1).unwrap().parse().unwrap()
        };
        Report { sent: number("sent"), good: number("good"), cut: number("cut"), bad: number("bad") }
    }
}

/// What both ends of a connection do.
#[derive(Clone, Copy, Debug)]
struct Work {
    up: usize,
    down: usize,
    size: usize,
    reliable: bool,
    /// A packet every tick, each way: the original acknowledges on those only (D34).
    heartbeat: bool,
    loss: usize,
}

impl Work {
    const NOTHING: Work = Work { up: 0, down: 0, size: 1, reliable: true, heartbeat: true, loss: 0 };

    fn arguments(&self, send: usize) -> [String; 5] {
        let how = if self.reliable { "r" } else { "u" };
        [
            send.to_string(),
            self.size.to_string(),
            how.to_owned(),
            usize::from(self.heartbeat).to_string(),
            self.loss.to_string(),
        ]
    }
}

/// The keys of a server in hexadecimal, public and secret, and who makes tokens with them.
#[derive(Clone)]
struct Keys {
    maker: Build,
    public: String,
    secret: String,
}

impl Keys {
    /// A pair of CUTE 1.00, or of CUTE 2.00, which only this library makes.
    fn new(maker: Build, protocol: usize) -> Keys {
        let mut pair = lines(maker, &["keygen", &protocol.to_string()]).into_iter();
        Keys { maker, public: pair.next().unwrap(), secret: pair.next().unwrap() }
    }
}

/// A server, and what tokens for it need.
struct Server {
    peer: Peer,
    keys: Keys,
    address: String,
    work: Work,
    tokens_made: usize,
}

impl Server {
    /// `timeout` is in seconds of the game, of which two pass in one.
    fn start(build: Build, maker: Build, timeout: usize, work: Work) -> Server {
        Server::start_with(build, Keys::new(maker, 1), None, timeout, work)
    }

    /// The server with a second pair of keys has room for 64 clients.
    fn start_with(
        build: Build,
        keys: Keys,
        second: Option<&Keys>,
        timeout: usize,
        work: Work,
    ) -> Server {
        for _ in 0..10 {
            let port = match build {
                Ours => 0,
                Original => UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
            };
            let (port, timeout) = (port.to_string(), timeout.to_string());
            let mut arguments = vec!["server", &port, &keys.public, &keys.secret, &timeout];
            let rest = work.arguments(work.down);
            arguments.extend(rest.iter().map(String::as_str));
            arguments.extend(second.into_iter().flat_map(|keys| [&*keys.public, &*keys.secret]));
            let mut peer = Peer::start(build, &arguments);
            if peer.says("listens ", 1, Duration::from_secs(10)) {
                let address = format!("127.0.0.1:{}", peer.log[0].trim_start_matches("listens "));
                return Server { peer, keys, address, work, tokens_made: 0 };
            }
        }
        panic!("no server of {build:?} starts");
    }

    /// Starts a program with so many clients, and so many tokens for each.
    fn client(&mut self, build: Build, clients: usize, tokens: usize) -> Peer {
        static FILES: AtomicUsize = AtomicUsize::new(0);
        let count = clients * tokens;
        let (first, number) = ((100 + self.tokens_made).to_string(), count.to_string());
        self.tokens_made += count;
        let made = lines(self.keys.maker, &["token", &self.keys.secret, &self.address, &first, &number]);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "interop-tokens-{}-{}",
            std::process::id(),
            FILES.fetch_add(1, Ordering::Relaxed)
        ));
        fs::write(&file, made.join("\n") + "\n").unwrap();
        let clients = clients.to_string();
        let mut arguments = vec!["client", file.to_str().unwrap(), &clients];
        let rest = self.work.arguments(self.work.up);
        arguments.extend(rest.iter().map(String::as_str));
        let mut peer = Peer::start(build, &arguments);
        // It has opened the file when it is connecting, and needs the name no more.
        peer.says("state 1", 1, Duration::from_secs(10));
        let _ = fs::remove_file(&file);
        peer
    }
}

const SOON: Duration = Duration::from_secs(15);

/// What is expected of one direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Every message, whole.
    All,
    /// Unreliable messages on a bad link: at least half, whole.
    Most,
    /// D33: an original sends unreliable messages of a multiple of 1100 bytes without the last 1100.
    Cut,
    /// D33: of 1100 bytes nothing is left, and this library gives a program no empty messages.
    Nothing,
    /// D34: the program that receives sends nothing, so an original acknowledges nothing.
    Stalled,
}

/// What came of one direction.
#[derive(Clone, Copy)]
struct Direction {
    expected: Expected,
    total: usize,
    got: Report,
}

impl Direction {
    fn holds(&self) -> bool {
        let Report { good, cut, bad, .. } = self.got;
        bad == 0
            && match self.expected {
                Expected::All => good == self.total && cut == 0,
                Expected::Most => good * 2 >= self.total && cut == 0,
                Expected::Cut => good == 0 && cut * 2 >= self.total,
                Expected::Nothing => good == 0 && cut == 0,
                Expected::Stalled => good >= 32 && cut == 0,
            }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Direction { total, got: Report { good, cut, bad, .. }, .. } = *self;
        match self.expected {
            _ if !self.holds() => write!(f, "**{good} of {total}, {cut} cut, {bad} bad**"),
            Expected::All => write!(f, "all"),
            Expected::Most => write!(f, "{good} of {total}"),
            Expected::Nothing => write!(f, "none (D33)"),
            Expected::Cut => write!(f, "cut (D33)"),
            Expected::Stalled => write!(f, "{good} of {total} (D34)"),
        }
    }
}

fn expected(sender: Build, receiver: Build, work: &Work) -> Expected {
    if work.reliable && !work.heartbeat && receiver == Original {
        Expected::Stalled
    } else if !work.reliable && work.size.is_multiple_of(1100) && sender == Original {
        if receiver == Ours && work.size == 1100 { Expected::Nothing } else { Expected::Cut }
    } else if !work.reliable && work.loss > 0 {
        Expected::Most
    } else {
        Expected::All
    }
}

/// Connects a client, and lets both ends do their work; up and down.
fn exchange(client: Build, server: Build, maker: Build, work: Work) -> Result<[Direction; 2], String> {
    let mut host = Server::start(server, maker, 60, work);
    let mut player = host.client(client, 1, 1);
    if !player.says("state 3", 1, SOON) || !host.peer.says("connected ", 1, SOON) {
        return Err(format!("not connected: {:?}, {:?}", player.log, host.peer.log));
    }
    let mut up =
        Direction { expected: expected(client, server, &work), total: work.up, got: Report::default() };
    let mut down = Direction {
        expected: expected(server, client, &work),
        total: work.down,
        got: Report::default(),
    };
    if work.up == 0 {
        up.expected = Expected::All;
    }
    if work.down == 0 {
        down.expected = Expected::All;
    }
    let certain = [up, down].iter().all(|way| way.expected == Expected::All);
    // What never comes is waited for as long as ten resends take.
    let begin = Instant::now();
    let (wait, longest) = (Duration::from_secs(if certain { 40 } else { 3 }), Duration::from_secs(40));
    loop {
        thread::sleep(Duration::from_millis(100));
        let (at_client, at_server) = (player.reports(), host.peer.reports());
        let ([at_client], [at_server]) = (&at_client[..], &at_server[..]) else {
            return Err(format!("connection lost: {:?}, {:?}", player.log, host.peer.log));
        };
        (up.got, down.got) = (*at_server, *at_client);
        let all = [up, down].iter().all(|way| way.expected == Expected::All && way.holds());
        let sent = at_client.sent == work.up && at_server.sent == work.down;
        if all || (sent && begin.elapsed() > wait) || begin.elapsed() > longest {
            return Ok([up, down]);
        }
    }
}

/// Runs the jobs, three at a time; the results are in their order.
fn run_all<J: Sync, R: Send>(jobs: &[J], run: impl Fn(&J) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some((number, job)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(number).map(|job| (number, job))
                } {
                    let result = run(job);
                    results.lock().unwrap().push((number, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The processors are few: one table at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn messages_arrive_between_every_pair_of_builds() {
    if programs().is_none() {
        return;
    }
    let _turn = TURN.lock();
    let both = |count, size, reliable| Work { up: count, down: count, size, reliable, ..Work::NOTHING };
    let silent = |up, down| Work { up, down, size: 100, heartbeat: false, ..Work::NOTHING };
    let scenarios = [
        ("20 reliable of 1 B, each way", both(20, 1, true)),
        ("100 unreliable of 1 B, each way", both(100, 1, false)),
        ("20 reliable of 1100 B, each way", both(20, 1100, true)),
        ("100 unreliable of 1100 B, each way", both(100, 1100, false)),
        ("20 reliable of 2200 B, each way", both(20, 2200, true)),
        ("100 unreliable of 2200 B, each way", both(100, 2200, false)),
        ("1 reliable of 300 kB, each way", both(1, 300_000, true)),
        ("5 unreliable of 50 kB, each way", both(5, 50_000, false)),
        ("2000 reliable of 100 B at once, each way", both(2000, 100, true)),
        ("200 reliable of 100 B, client to server alone", silent(200, 0)),
        ("200 reliable of 100 B, server to client alone", silent(0, 200)),
    ];
    let mut jobs = Vec::new();
    for loss in [0, 10] {
        for (row, (name, work)) in scenarios.iter().enumerate() {
            // Of 46 fragments one is always lost.
            if loss > 0 && !work.reliable && work.size > 10_000 {
                continue;
            }
            for (number, &(client, server)) in PAIRS.iter().enumerate() {
                let makers = if loss == 0 {
                    &[Ours, Original][..]
                } else {
                    &[[Ours, Original][(row + number) % 2]][..]
                };
                for &maker in makers {
                    jobs.push((*name, number, client, server, maker, Work { loss, ..*work }));
                }
            }
        }
    }
    let results =
        run_all(&jobs, |&(_, _, client, server, maker, work)| exchange(client, server, maker, work));

    let mut rows: Vec<(String, [String; 4])> = Vec::new();
    let mut failures = Vec::new();
    for ((name, number, client, server, maker, work), result) in jobs.iter().zip(&results) {
        let (cell, holds) = match result {
            Ok([up, down]) => {
                let cell = match (work.up, work.down) {
                    (_, 0) => up.to_string(),
                    (0, _) => down.to_string(),
                    _ if up.to_string() == down.to_string() => up.to_string(),
                    _ => format!("{up} up, {down} down"),
                };
                (cell, up.holds() && down.holds())
            }
            Err(error) => (format!("**{error}**"), false),
        };
        if !holds {
            failures.push(format!(
                "client {client:?}, server {server:?}, tokens of {maker:?}: {name}, {} % loss: {cell}",
                work.loss
            ));
        }
        let link = if work.loss == 0 { "clean" } else { "10 % lost, reordered" };
        let name = format!("{name}; {link}");
        if rows.last().is_none_or(|(last, _)| *last != name) {
            rows.push((name, Default::default()));
        }
        let place = &mut rows.last_mut().unwrap().1[*number];
        // The two makers' results are the same, or both are shown.
        if place.is_empty() {
            *place = cell;
        } else if *place != cell {
            *place += &format!("; {cell}");
        }
    }
    print_table("Messages", &rows);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn print_table(title: &str, rows: &[(String, [String; 4])]) {
    let mut text = format!("\n{title}: client, server\n\n{TABLE_HEAD}\n");
    for (name, cells) in rows {
        text += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    println!("{text}");
}

/// A scenario's cell, or what went wrong.
type Outcome = Result<String, String>;

fn check(holds: bool, what: &str, player: &Peer, host: &Server) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}: client {:?}, server {:?}", player.log, host.peer.log))
    }
}

/// A client that is connected.
fn connected(
    client: Build,
    server: Build,
    maker: Build,
    timeout: usize,
) -> Result<(Server, Peer), String> {
    let mut host = Server::start(server, maker, timeout, Work::NOTHING);
    let mut player = host.client(client, 1, 1);
    let both = player.says("state 3", 1, SOON) && host.peer.says("connected 100", 1, SOON);
    check(both, "not connected", &player, &host)?;
    Ok((host, player))
}

fn client_leaves(client: Build, server: Build, maker: Build) -> Outcome {
    let (mut host, mut player) = connected(client, server, maker, 60)?;
    player.order("disconnect");
    let both = player.says("state 0", 1, SOON) && host.peer.says("disconnected ", 1, SOON);
    check(both, "not noticed", &player, &host)?;
    Ok("noticed at once".to_owned())
}

fn client_is_kicked(client: Build, server: Build, maker: Build) -> Outcome {
    let (mut host, mut player) = connected(client, server, maker, 60)?;
    host.peer.order("kick");
    let both = player.says("state 0", 1, SOON) && host.peer.says("disconnected ", 1, SOON);
    check(both, "not noticed", &player, &host)?;
    Ok("noticed at once".to_owned())
}

fn client_is_killed(client: Build, server: Build, maker: Build) -> Outcome {
    let (mut host, mut player) = connected(client, server, maker, 6)?;
    player.running.child.kill().unwrap();
    let since = Instant::now();
    check(host.peer.says("disconnected ", 1, SOON), "not noticed", &player, &host)?;
    check(since.elapsed() > Duration::from_secs(2), "noticed too soon", &player, &host)?;
    Ok("server times out".to_owned())
}

fn server_is_killed(client: Build, server: Build, maker: Build) -> Outcome {
    let (mut host, mut player) = connected(client, server, maker, 6)?;
    host.peer.running.child.kill().unwrap();
    let since = Instant::now();
    check(player.says("state -4", 1, SOON), "not noticed", &player, &host)?;
    check(since.elapsed() > Duration::from_secs(2), "noticed too soon", &player, &host)?;
    Ok("client times out".to_owned())
}

fn full_server(client: Build, server: Build, maker: Build) -> Outcome {
    let mut host = Server::start(server, maker, 60, Work::NOTHING);
    let mut player = host.client(client, 33, 1);
    let all = player.says("state 3", 32, SOON) && player.says("state -1", 1, SOON);
    check(all && player.count("state 3") == 32, "not 32 and one denied", &player, &host)?;
    check(host.peer.says("connected ", 32, SOON), "not 32", &player, &host)?;
    Ok("32 connect, the 33rd is denied".to_owned())
}

/// The same client object a second time, with another token.
fn client_returns(client: Build, server: Build, maker: Build) -> Outcome {
    let work = Work { up: 20, down: 20, size: 100, ..Work::NOTHING };
    let mut host = Server::start(server, maker, 60, work);
    let mut player = host.client(client, 1, 2);
    let exchanged = |player: &mut Peer, host: &mut Server, within| {
        let end = Instant::now() + within;
        loop {
            let good = (player.reports(), host.peer.reports());
            let ([down], [up]) = (&good.0[..], &good.1[..]) else { return (0, 0) };
            if (up.good, down.good) == (20, 20) || Instant::now() > end {
                return (up.good, down.good);
            }
            thread::sleep(Duration::from_millis(100));
        }
    };
    check(player.says("state 3", 1, SOON), "not connected", &player, &host)?;
    check(host.peer.says("connected ", 1, SOON), "not connected", &player, &host)?;
    let first = exchanged(&mut player, &mut host, SOON);
    check(first == (20, 20), "first connection", &player, &host)?;
    player.order("disconnect");
    check(host.peer.says("disconnected ", 1, SOON), "not left", &player, &host)?;
    player.order("reconnect");
    check(player.says("state 3", 2, SOON), "not connected again", &player, &host)?;
    check(host.peer.says("connected ", 2, SOON), "not connected again", &player, &host)?;
    let within = if client == Ours { SOON } else { Duration::from_secs(3) };
    let (up, down) = exchanged(&mut player, &mut host, within);
    match client {
        Ours => {
            check((up, down) == (20, 20), &format!("again: {up} up, {down} down"), &player, &host)?;
            Ok("all of 20 reliable, each way".to_owned())
        }
        // D36: it keeps the numbers of the first connection.
        Original => Ok(format!("connects; {up} up, {down} down of 20 reliable (D36)")),
    }
}

#[test]
fn connections_begin_and_end_between_every_pair_of_builds() {
    if programs().is_none() {
        return;
    }
    let _turn = TURN.lock();
    type Scenario = fn(Build, Build, Build) -> Outcome;
    let scenarios: [(&str, Scenario); 6] = [
        ("the client disconnects", client_leaves),
        ("the server sends the client away", client_is_kicked),
        ("the client is killed", client_is_killed),
        ("the server is killed", server_is_killed),
        ("33 clients of a server for 32", full_server),
        ("the same client connects again", client_returns),
    ];
    let mut jobs = Vec::new();
    for (row, &(_, scenario)) in scenarios.iter().enumerate() {
        for (number, &(client, server)) in PAIRS.iter().enumerate() {
            jobs.push((scenario, client, server, [Ours, Original][(row + number) % 2]));
        }
    }
    let results = run_all(&jobs, |&(scenario, client, server, maker)| scenario(client, server, maker));
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    for ((name, _), outcomes) in scenarios.iter().zip(results.chunks(PAIRS.len())) {
        let mut cells = <[String; 4]>::default();
        for ((cell, outcome), pair) in cells.iter_mut().zip(outcomes).zip(PAIRS) {
            *cell = outcome.clone().unwrap_or_else(|_| "**failed**".to_owned());
            if let Err(error) = outcome {
                failures.push(format!("{name}, client and server {pair:?}: {error}"));
            }
        }
        rows.push(((*name).to_owned(), cells));
    }
    print_table("Connections", &rows);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Waits until every connection of the server and of the players' programs has got `messages` messages, in order.
fn all_get(messages: usize, connections: usize, host: &mut Server, players: &mut [Peer]) {
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let mut reports: Vec<Report> = players.iter_mut().flat_map(Peer::reports).collect();
        reports.extend(host.peer.reports());
        assert!(reports.iter().all(|report| report.bad == 0 && report.cut == 0), "{reports:?}");
        if reports.len() == 2 * connections && reports.iter().all(|report| report.good == messages) {
            return;
        }
        assert!(Instant::now() < end, "{reports:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn clients_of_the_original_and_ours_play_on_one_server_of_ours() {
    if programs().is_none() {
        return;
    }
    let _turn = TURN.lock();
    let work = Work { up: 50, down: 50, size: 200, ..Work::NOTHING };
    let mut host = Server::start(Ours, Original, 60, work);
    let mut players = [host.client(Original, 10, 1), host.client(Ours, 10, 1)];
    for player in &mut players {
        assert!(player.says("state 3", 10, SOON), "{:?}", player.log);
    }
    all_get(50, 20, &mut host, &mut players);
    println!(
        "\n10 clients of the original and 10 of ours, all on CUTE 1.00, on one server of ours: each has sent and got 50 reliable messages of 200 B\n"
    );
}

#[test]
fn clients_of_the_original_and_clients_of_cute_2_00_play_on_one_server() {
    if programs().is_none() {
        return;
    }
    let _turn = TURN.lock();
    let work = Work { up: 100, down: 100, size: 200, heartbeat: true, ..Work::NOTHING };
    let (old, new) = (Keys::new(Original, 1), Keys::new(Ours, 2));
    let mut host = Server::start_with(Ours, old, Some(&new), 60, work);
    let originals = host.client(Original, 20, 1);
    host.keys = new;
    let mut players = [originals, host.client(Ours, 20, 1)];
    for player in &mut players {
        assert!(player.says("state 3", 20, SOON), "{:?}", player.log);
    }
    all_get(100, 40, &mut host, &mut players);
    println!(
        "\n20 clients of the original on CUTE 1.00 and 20 of ours on CUTE 2.00 on one server of ours: each has sent and got 100 reliable messages of 200 B\n"
    );
}
