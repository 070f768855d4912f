//! What a connection costs when little or nothing is said, and what its statistics tell.

use crate::link::{Link, LinkConfig};
use crate::world::{World, pattern};
use crate::{ms, secs};
use cute_net::client::ClientState::{Connected, ConnectionTimedOut};
use cute_net::duration::Duration;
use cute_net::message::Delivery::*;
use cute_net::simulator::SimulatorConfig;

fn datagrams_of_client(world: &World) -> (usize, usize) {
    let client = world.clients[0].address;
    let from =
        world.recording.as_ref().unwrap().iter().filter(|datagram| datagram.from == client).count();
    (from, world.recording.as_ref().unwrap().len() - from)
}

/// Kilobits a second that the recorded datagrams take, up and down, with 28 bytes of IP and UDP headers
/// each.
fn kbps_of_client(world: &World, time: Duration) -> (f64, f64) {
    let client = world.clients[0].address;
    let sum = |up: bool| {
        let recording = world.recording.as_ref().unwrap().iter();
        let datagrams = recording.filter(|datagram| (datagram.from == client) == up);
        let bytes: usize = datagrams.map(|datagram| datagram.bytes.len() + 28).sum();
        bytes as f64 * 8.0 / 1000.0 / time.as_secs_f64()
    };
    (sum(true), sum(false))
}

#[test]
fn an_idle_pair_exchanges_a_ping_and_its_ack_a_second() {
    let network = SimulatorConfig { latency: ms(25), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(5));
    world.recording = Some(Vec::new());
    world.run(secs(30));
    let (up, down) = datagrams_of_client(&world);
    assert!((28..=32).contains(&up) && (28..=32).contains(&down), "{up} up, {down} down");
    let (up, down) = kbps_of_client(&world, secs(30));
    assert!(up <= 0.9 && down <= 0.9, "{up} up, {down} down");
    assert_eq!(world.state(0), Connected);
}

#[test]
fn a_short_timeout_means_more_keepalives() {
    let mut world = World::new(1);
    world.config.connection_timeout = Some(secs(1));
    world.restart_server(0);
    world.connect(1);
    world.run(secs(2));
    world.recording = Some(Vec::new());
    world.run(secs(10));
    // A PING of one end and the acknowledgement of the other, four times a second.
    let (up, down) = datagrams_of_client(&world);
    assert!((36..=56).contains(&up) && (36..=56).contains(&down), "{up} up, {down} down");
    assert_eq!(world.state(0), Connected);
}

#[test]
fn acknowledgements_are_not_acknowledged() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    world.client_sends(0, ReliableOrdered, b"one");
    world.run(ms(500));
    // The message, and one acknowledgement.
    let (up, down) = datagrams_of_client(&world);
    assert!(up <= 2 && down <= 2, "{up} up, {down} down");
}

#[test]
fn unreliable_traffic_earns_an_acknowledgement_every_third_packet_at_most() {
    let mut world = World::connected(1, 1);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    for _ in 0..600 {
        world.client_sends(0, Unreliable, &[7; 32]);
        world.step();
    }
    let (up, down) = datagrams_of_client(&world);
    assert!((600..=615).contains(&up), "{up}");
    // One for every fourth packet at 60 Hz: 50 ms.
    assert!((130..=205).contains(&down), "{down}");
}

/// At 60 Hz and a round trip of 40 ms: a snapshot of 200 bytes and an input of 32 bytes each tick, and two
/// reliable events of 40 bytes a second each way.
#[test]
fn the_shooter_load_stays_small() {
    let network = SimulatorConfig { latency: ms(20), ..Default::default() };
    let mut world = World::connected_over(1, 1, network);
    world.run(secs(1));
    world.recording = Some(Vec::new());
    let begun = world.now;
    for tick in 0..1800u64 {
        if tick % 30 == 0 {
            world.server_sends(0, ReliableOrdered, &pattern(40, tick));
            world.client_sends(0, ReliableOrdered, &pattern(40, tick));
        }
        world.server_sends(0, Unreliable, &pattern(200, tick));
        world.client_sends(0, Unreliable, &pattern(32, tick));
        world.step();
    }
    let (up, down) = kbps_of_client(&world, world.now.since(begun));
    assert!(up + down <= 163.0, "{up} up, {down} down");
    world.run(secs(1));
    assert_eq!((world.servers[0].received.len(), world.clients[0].received.len()), (1860, 1860));
}

#[test]
fn statistics_tell_the_truth() {
    for (latency, loss) in [(0, 0.0), (50, 0.0), (50, 0.1), (100, 0.25)] {
        let network = SimulatorConfig { latency: ms(latency), loss, ..Default::default() };
        let mut world = World::connected_over(3, 1, network);
        world.recording = Some(Vec::new());
        for tick in 0..600u64 {
            world.server_sends(0, Unreliable, &pattern(180, tick));
            world.client_sends(0, Unreliable, &pattern(60, tick));
            if tick % 10 == 0 {
                world.client_sends(0, ReliableOrdered, &pattern(60, tick));
                world.server_sends(0, ReliableOrdered, &pattern(60, tick));
            }
            world.step();
        }
        let client = world.clients[0].address;
        let sent = |from_client: bool| {
            let recording = world.recording.as_ref().unwrap();
            let bytes: usize = recording
                .iter()
                .filter(|d| (d.from == client) == from_client)
                .map(|d| d.bytes.len())
                .sum();
            bytes as f64 * 8.0 / 1000.0 / 10.0
        };
        let near = |name: &str, value: f64, truth: f64, slack: f64| {
            assert!(
                (value - truth).abs() <= truth * 0.1 + slack,
                "{name}: {value} instead of {truth}, loss {loss}"
            );
        };
        let up = world.clients[0].client.connection().unwrap();
        let down = world.servers[0].server.connection(0).unwrap();
        for (connection, out, incoming) in [(up, true, false), (down, false, true)] {
            let statistics = connection.statistics();
            // A datagram takes at least a tick here, each way.
            let truth = 2.0 * (latency as f64).max(16.7) + if latency > 0 { 16.7 } else { 0.0 };
            near("rtt", connection.rtt().unwrap().as_secs_f64() * 1000.0, truth, 10.0);
            near("out", statistics.outgoing_kbps(world.now), sent(out), 0.0);
            near("in", statistics.incoming_kbps(world.now), sent(incoming) * (1.0 - loss), 3.0);
            // Four seconds of 60 packets: the sample's own spread is four per cent.
            near("loss", statistics.packet_loss(world.now), loss, 0.045);
        }
    }
}

/// How a number of the statistics compares with the truth: its name, itself and what it should be.
type Told = (&'static str, f64, f64);

/// What the statistics of both ends tell after five seconds over a link that delays each datagram by 40 ms and
/// 0 to `jitter` more, each way: the sum of two such delays is a third of `jitter` from its mean, on average.
fn told_after_five_seconds(seed: u64, tick: u64, jitter: u64, loss: f64) -> Vec<Told> {
    let config = LinkConfig {
        seed,
        clients: 1,
        round_trip: ms(80),
        loss,
        jitter: ms(jitter),
        rate: 100_000_000,
        queue: 10_000_000,
        tick: ms(tick),
        mtu: 1472,
        by_timer: false,
    };
    let mut link = Link::connected(config);
    let start = link.now();
    let at = |number: u64| start + ms(number * tick);
    let ticks = 5000 / tick;
    let mut sent = vec![(link.sent, link.sent_up)];
    for number in 1..=ticks {
        link.send(0, 0, Unreliable, &pattern(400, number));
        link.send(0, 0, ReliableOrdered, &pattern(100, number));
        let client = &mut link.world.clients[0].client;
        client.send(0, Unreliable, 0, &pattern(150, number)).unwrap();
        client.send(0, ReliableOrdered, 0, &pattern(50, number)).unwrap();
        link.run_until(at(number), |_| false);
        sent.push((link.sent, link.sent_up));
    }
    let client = link.world.clients[0].client.connection().unwrap();
    let server = link.world.servers[0].server.connection(0).unwrap();
    let now = link.now();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let mut told = Vec::new();
    for connection in [client, server] {
        told.push(("rtt", milliseconds(connection.rtt().unwrap()), (80 + jitter) as f64));
        told.push(("jitter", milliseconds(connection.statistics().jitter()), jitter as f64 / 3.0));
    }
    let kbps = |bytes: u64| bytes as f64 * 8.0 / 4000.0;
    let from = ticks - 4000 / tick;
    // What became of the newest packets is not known yet.
    let open = (80 + jitter + 2 * tick) / tick;
    let down: Vec<_> = sent.iter().map(|(down, _)| *down).collect();
    let up: Vec<_> = sent.iter().map(|(_, up)| *up).collect();
    for (sender, receiver, sent, crossed) in
        [(server, client, down, &link.crossed), (client, server, up, &link.crossed_up)]
    {
        let left = |from: u64, to: u64| {
            let (from, to) = (sent[from as usize], sent[to as usize]);
            (to.0 - from.0, to.1 - from.1)
        };
        told.push(("out", sender.statistics().outgoing_kbps(now), kbps(left(from, ticks).1)));
        let lately = crossed.iter().filter(|crossed| crossed.at >= at(from));
        let bytes = lately.map(|crossed| crossed.size as u64).sum();
        told.push(("in", receiver.statistics().incoming_kbps(now), kbps(bytes)));
        let (from, to) = (from - open, ticks - open);
        let arrived = crossed.iter().filter(|crossed| {
            let left = crossed.at - crossed.wait - ms(40);
            left >= at(from) && left < at(to)
        });
        let lost = 1.0 - arrived.count() as f64 / left(from, to).0 as f64;
        told.push(("loss", sender.statistics().packet_loss(now), lost));
    }
    told
}

#[test]
fn statistics_are_within_a_tenth_of_the_truth_after_five_seconds() {
    const SEEDS: u64 = 8;
    // Above the interval of its packets a jitter makes them overtake each other, and some are not measured.
    for (tick, jitter, loss) in [(5, 0, 0.0), (5, 4, 0.1), (5, 10, 0.2), (16, 12, 0.1)] {
        let mut jitters = 0.0;
        for seed in 0..SEEDS {
            for (name, value, truth) in told_after_five_seconds(seed, tick, jitter, loss) {
                let slack = match name {
                    // Of 300 round trips that are drawn at random, the mean deviation is itself one of a
                    // spread of four per cent: each is within two tenths, and on average within one.
                    "jitter" => truth * 0.2 + 0.1,
                    // The four seconds that count are some tenths of a second older or newer.
                    "loss" => truth * 0.1 + 0.01,
                    _ => truth * 0.1,
                };
                assert!(
                    (value - truth).abs() <= slack,
                    "{name}: {value} instead of {truth}; tick {tick}, jitter {jitter}, seed {seed}"
                );
                if name == "jitter" {
                    jitters += value / (2 * SEEDS) as f64;
                }
            }
        }
        let truth = jitter as f64 / 3.0;
        assert!((jitters - truth).abs() <= truth * 0.1 + 0.05, "{jitters} instead of {truth}");
    }
}

#[test]
fn no_timer_is_due_right_after_an_update() {
    let network = SimulatorConfig { latency: ms(30), jitter: ms(5), loss: 0.1, ..Default::default() };
    let mut world = World::connected_over(5, 2, network);
    for tick in 0..1200u64 {
        if tick % 7 == 0 && tick < 600 {
            world.client_sends(0, ReliableOrdered, &pattern(3000, tick));
            world.server_sends(0, ReliableUnordered, &pattern(200_000, tick));
            world.server_sends(1, Unreliable, &pattern(100, tick));
        }
        let queued = world.clients[0].client.poll_timeout();
        assert!(tick % 7 != 0 || tick >= 600 || queued == Some(world.now), "{queued:?}");
        world.step();
        // The programs have taken messages since, and the other end may be told that it may send more.
        (0..2).for_each(|client| world.flush_client(client));
        world.flush_server(0);
        for client in &world.clients {
            let due = client.client.poll_timeout().unwrap();
            assert!(due > world.now && due <= world.now + secs(2), "{due:?} at {:?}", world.now);
        }
        let due = world.servers[0].server.poll_timeout().unwrap();
        assert!(due > world.now && due <= world.now + secs(2), "{due:?} at {:?}", world.now);
    }
}

/// What an idle client of a server may cost is held by a counting allocator elsewhere; here, that an
/// update of a server with idle clients touches only those that have something to do.
#[test]
fn a_thousand_idle_clients_send_only_keepalives() {
    let mut world = World::new(1);
    world.config.max_clients = 1000;
    world.restart_server(0);
    world.tick = ms(50);
    for id in 0..1000 {
        world.connect(id);
    }
    world.run(secs(3));
    assert_eq!(world.servers[0].server.connected(), 1000);
    world.recording = Some(Vec::new());
    world.run(secs(2));
    let count = world.recording.as_ref().unwrap().len();
    assert!((3500..=4500).contains(&count), "{count}");
}

#[test]
fn a_timeout_of_less_than_a_second_is_no_timeout_of_never() {
    let mut world = World::new(1);
    world.config.connection_timeout = Some(ms(500));
    world.restart_server(0);
    let client = world.connect(1);
    world.run_until(secs(5), |world| world.state(client) == Connected);
    world.servers[0].runs = false;
    world.run(secs(2));
    assert_eq!(world.state(client), ConnectionTimedOut);
}

/// At rates of updates that are too fast to acknowledge at each.
#[test]
fn a_server_acknowledges_at_the_update_that_is_nearest_to_25_ms() {
    for hertz in [85, 90, 100, 110, 120, 144, 240, 1000] {
        let mut world = World::connected(1, 1);
        world.tick = Duration::from_secs(1) / hertz;
        world.run(secs(2));
        let server = world.servers[0].address;
        for _ in 0..10 {
            world.client_sends(0, ReliableOrdered, b"x");
            world.step();
            // It leaves in this update and arrives in the next.
            let sent = world.now;
            world.recording = Some(Vec::new());
            while !world.recording.as_ref().unwrap().iter().any(|datagram| datagram.from == server) {
                world.step();
            }
            let waited = world.now.since(sent).saturating_sub(world.tick);
            assert!(waited <= ms(25) + world.tick / 2, "{waited:?} at {hertz} Hz");
            world.run(ms(300));
        }
    }
}
