//! What the load of a busy server costs, beside the same load on ENet, which encrypts nothing, and on bare
//! sockets: processor time inside the server's calls. `cargo bench --bench load` builds the C programs of
//! this folder, runs them in turns, prints medians and ratios, and draws `target/load.svg`. Machines differ
//! and are shared: figures of one round stand beside each other, and a ratio is the median of the rounds'.
//! `CUTE_NET_ROUNDS` is how many there are, 5 unless set.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../c_examples/library.rs"]
mod library;

use library::{Language, SYSTEM_LIBRARIES, library_folder};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a program of this folder; `None` if it does not compile.
fn build(source: &str, name: &str, arguments: &[&str], with_library: bool) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = library_folder().join(name);
    let mut command = library::compiler(Language::C99);
    command.args(["-std=gnu11", "-O2", "-w"]).arg("-I").arg(root.join("include"));
    command.arg(root.join("benches").join(source)).arg("-o").arg(&out);
    if with_library {
        command.arg(library_folder().join("libcute_net.a")).args(SYSTEM_LIBRARIES);
    }
    let output = command.args(arguments).output().expect("the compiler runs");
    output.status.success().then_some(out)
}

/// The number in front of `unit` in what a program prints.
fn figure(text: &str, unit: &str) -> f64 {
    let end = text.find(unit).unwrap_or_else(|| panic!("no `{unit}` in: {text}"));
    text[..end].split_whitespace().next_back().and_then(|word| word.parse().ok()).unwrap()
}

fn run(program: &Path, arguments: &[usize]) -> String {
    // A thousand sockets in one process, each with its own descriptor.
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let command = format!("ulimit -n 65536 2>/dev/null; exec \"$0\" {}", arguments.join(" "));
    let output = Command::new("sh").arg("-c").arg(command).arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{} {arguments:?}: {text}", program.display());
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn ratio(over: &[f64], under: &[f64]) -> f64 {
    median(over.iter().zip(under).map(|(over, under)| over / under).collect())
}

/// Everything measured in one round, in microseconds.
#[derive(Default)]
struct Series {
    bare: Vec<f64>,
    enet: Vec<f64>,
    batched: Vec<f64>,
    immediate: Vec<f64>,
    /// On the program's thread, while another one makes the system calls of sending.
    threaded: Vec<f64>,
}

/// One figure against what it must reach.
struct Line {
    what: String,
    value: f64,
    limit: f64,
    unit: &'static str,
}

const MESSAGE: &str = " us/msg";

fn main() {
    let rounds: usize = std::env::var("CUTE_NET_ROUNDS").map_or(5, |rounds| rounds.parse().unwrap());
    let ours = |name, define: &str| {
        build("cn_tick.c", name, &["-DCN_SERVER_MAX_CLIENTS=2000", define], true)
            .expect("the load compiles")
    };
    let batched = ours("load-batched", "-DBATCHED");
    let immediate = ours("load-immediate", "-DIMMEDIATE");
    let threaded = ours("load-threaded", "-DTHREADED");
    let bogus = build("bogus_token.c", "load-bogus", &[], true).expect("the flood compiles");
    let bare = build("raw_tick.c", "load-bare", &[], false).expect("the bare load compiles");
    let enet = build("enet_tick.c", "load-enet", &["-lenet"], false);
    if enet.is_none() {
        println!("ENet is not installed, and not compared with: apt-get install -y libenet-dev\n");
    }

    let loads = [
        ("31 clients, 32 B up and 200 B down", [32, 200], [1.10, 1.25]),
        ("31 clients, 1,000 B up and down", [1000, 1000], [1.25, 1.40]),
    ];
    let mut measured = [Series::default(), Series::default()];
    let mut many = Series::default();
    let (mut connect, mut enet_connect, mut idle, mut forged) = (vec![], vec![], vec![], vec![]);
    let mut send_thread = vec![];
    for _ in 0..rounds {
        for ((_, [up, down], _), series) in loads.iter().zip(&mut measured) {
            series.bare.push(figure(&run(&bare, &[31, 600, *up, *down, 1]), MESSAGE));
            if let Some(enet) = &enet {
                let text = run(enet, &[31, 600, *up, *down, 30]);
                series.enet.push(figure(&text, MESSAGE));
                enet_connect.push(figure(&text["enet".len()..], " us\n"));
            }
            let text = run(&batched, &[31, 600, *up, *down, 30]);
            series.batched.push(figure(&text, MESSAGE));
            connect.push(figure(&text, " us cpu each"));
            series.immediate.push(figure(&run(&immediate, &[31, 600, *up, *down, 30]), MESSAGE));
            let text = run(&threaded, &[31, 600, *up, *down, 30]);
            series.threaded.push(figure(&text, MESSAGE));
            send_thread.push(figure(&text[text.find("other threads").unwrap()..], " us/message"));
        }
        many.bare.push(figure(&run(&bare, &[1000, 200, 32, 200, 1]), MESSAGE));
        if let Some(enet) = &enet {
            many.enet.push(figure(&run(enet, &[1000, 200, 32, 200, 30]), MESSAGE));
        }
        many.threaded.push(figure(&run(&threaded, &[1000, 200, 32, 200, 30]), MESSAGE));
        let text = run(&batched, &[1000, 200, 32, 200, 30]);
        many.batched.push(figure(&text, MESSAGE));
        idle.push(figure(&text[text.find("idle").unwrap()..], " us/tick") / 1000.0);
        forged.push(figure(&run(&bogus, &[32_000]), " us each"));
    }

    println!("Server's processor time for a message, in microseconds, medians of {rounds} rounds\n");
    println!(
        "{:<40} | {:>5} | {:>5} | {:>7} | {:>9} | {:>8}",
        "", "bare", "ENet", "batched", "immediate", "threaded"
    );
    let show = |values: &Vec<f64>| match values.is_empty() {
        true => "-".to_owned(),
        false => format!("{:.2}", median(values.clone())),
    };
    let mut bars = Vec::new();
    let rows = loads.iter().map(|(name, ..)| *name).zip(&measured);
    for (name, series) in rows.chain([("1,000 clients, 32 B up and 200 B down", &many)]) {
        let Series { bare, enet, batched, immediate, threaded } = series;
        let cells = [bare, enet, batched, immediate, threaded].map(show);
        let [bare, enet, batched, immediate, threaded] = &cells;
        println!("{name:<40} | {bare:>5} | {enet:>5} | {batched:>7} | {immediate:>9} | {threaded:>8}");
        bars.push((name, cells));
    }
    println!("threaded: on the program's thread; the sending thread needs {} more", show(&send_thread));

    let mut lines = Vec::new();
    for ((name, _, [limit_batched, limit_immediate]), series) in loads.iter().zip(&measured) {
        if enet.is_some() {
            let mut line = |mode, values: &[f64], limit| {
                let what = format!("{name}, {mode}: of ENet's");
                lines.push(Line { what, value: ratio(values, &series.enet), limit, unit: "times" });
            };
            line("batched", &series.batched, *limit_batched);
            line("sends inside the call", &series.immediate, *limit_immediate);
        }
    }
    let growth = |one: &[f64], other: &[f64]| -> Vec<f64> {
        one.iter().zip(other).map(|(one, other)| one / other).collect()
    };
    let own = growth(&many.batched, &measured[0].batched);
    let bare = growth(&many.bare, &measured[0].bare);
    let mut line = |what: &str, value, limit, unit| {
        lines.push(Line { what: what.to_owned(), value, limit, unit });
    };
    line(
        "growth of a message from 31 to 1,000 clients: of bare sockets'",
        ratio(&own, &bare),
        1.10,
        "times",
    );
    if enet.is_some() {
        let enet = growth(&many.enet, &measured[0].enet);
        line("the same: of ENet's, whose clients have memory too", ratio(&own, &enet), 1.10, "times");
    }
    line("an idle update, per connected client", median(idle), 0.1, "us");
    line("one complete connect", median(connect), 20.0, "us");
    line("one bogus token datagram", median(forged), 2.5, "us");
    println!("\n{:<75} | measured | at most", "");
    for Line { what, value, limit, unit } in &lines {
        let mark = if value > limit { " (missed)" } else { "" };
        println!("{what:<75} | {value:>8.2} | {limit} {unit}{mark}");
    }
    if !enet_connect.is_empty() {
        println!("\nENet's connect, in about half the datagrams: {:.1} us", median(enet_connect));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/load.svg");
    std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).unwrap();
    std::fs::write(path, svg(&bars).unwrap()).unwrap();
    println!("\ntarget/load.svg shows the first table");
}

/// A group of bars for each load, a bar for each program.
fn svg(groups: &[(&str, [String; 5])]) -> Result<String, std::fmt::Error> {
    const PROGRAMS: [(&str, &str); 5] = [
        ("bare sockets", "#9a9a9a"),
        ("ENet, unencrypted", "#b8550f"),
        ("cute_net, batched", "#1b6ca8"),
        ("cute_net, sends inside the call", "#2e8b57"),
        ("cute_net, threaded: program's thread", "#7b5aa6"),
    ];
    const WIDTH: f64 = 330.0;
    const HEIGHT: f64 = 220.0;
    const BAR: f64 = 46.0;
    let values: Vec<[f64; 5]> = groups
        .iter()
        .map(|(_, cells)| cells.each_ref().map(|cell| cell.parse().unwrap_or(0.0)))
        .collect();
    let highest = values.iter().flatten().fold(1.0, |highest: f64, &value| highest.max(value));
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='340' font-family='sans-serif' \
         font-size='12'>\n<rect width='100%' height='100%' fill='white'/>\n<text x='20' y='22' \
         font-size='14'>Processor time of the server for a message, microseconds</text>\n",
        WIDTH * groups.len() as f64 + 40.0
    );
    for (place, (name, colour)) in PROGRAMS.iter().enumerate() {
        let x = 20 + 210 * place;
        writeln!(out, "<rect x='{x}' y='36' width='12' height='12' fill='{colour}'/>")?;
        writeln!(out, "<text x='{}' y='46'>{name}</text>", x + 18)?;
    }
    for (number, ((name, _), values)) in groups.iter().zip(&values).enumerate() {
        let left = WIDTH * number as f64 + 20.0;
        for (place, (value, (_, colour))) in values.iter().zip(PROGRAMS).enumerate() {
            if *value == 0.0 {
                continue;
            }
            let height = HEIGHT * value / highest;
            let (x, y) = (left + (BAR + 8.0) * place as f64, 300.0 - height);
            writeln!(
                out,
                "<rect x='{x:.0}' y='{y:.1}' width='{BAR}' height='{height:.1}' fill='{colour}'/>"
            )?;
            writeln!(
                out,
                "<text x='{:.0}' y='{:.1}' text-anchor='middle'>{value:.2}</text>",
                x + BAR / 2.0,
                y - 4.0
            )?;
        }
        writeln!(out, "<text x='{left}' y='320'>{name}</text>")?;
    }
    out.push_str("</svg>\n");
    Ok(out)
}
