//! Clients and servers on real sockets, over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use cpu_time::ThreadTime;
use cute_net::client::ClientState;
use cute_net::crypto::key_pair;
use cute_net::drop_reason::DropReason;
use cute_net::host::{ClientHost, SendMode, ServerHost, ServerHostConfig};
use cute_net::message::Delivery;
#[path = "host/pair.rs"]
mod pair;

use pair::{APPLICATION, DT, Pair, UNIX};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// D17: in the original every zero-length datagram ends the receive loop of its update.
#[test]
fn d17_zero_length_datagrams_do_not_end_the_receive_loop() {
    let mut pair = Pair::at("127.0.0.1:0");
    let mut client = pair.client(1);
    let to = pair.server.bound_addresses().next().unwrap();
    let attacker = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..20u8 {
        for _ in 0..3 {
            attacker.send_to(&[], to).unwrap();
        }
        client.send(0, Delivery::Unreliable, 0, &[number]).unwrap();
    }
    // A slow machine reads a batch in an update; what ends the loop at an empty datagram needs more than twenty.
    let mut came = 0;
    for _ in 0..5 {
        pair.server.update(DT, UNIX);
        came += pair.messages().len();
    }
    assert_eq!(came, 20);
    assert_eq!(pair.dropped(DropReason::Size), 60);

    // And against a client, from whoever pretends to be its server.
    let at = client.bound_address().unwrap();
    for _ in 0..50 {
        attacker.send_to(&[], SocketAddr::new(to.ip(), at.port())).unwrap();
    }
    pair.server.send(0, 0, Delivery::Unreliable, 0, b"through").unwrap();
    client.update(DT, UNIX);
    assert_eq!(client.pop_message().unwrap().payload(), b"through");
}

/// D18: in the original one update lasts as long as a flood does.
#[test]
fn d18_an_update_ends_however_much_arrives() {
    let mut pair = Pair::at("127.0.0.1:0");
    let _client = pair.client(1);
    let to = pair.server.bound_addresses().next().unwrap();
    let attacker = UdpSocket::bind("127.0.0.1:0").unwrap();
    // More than an update may read, as far as the socket's buffer holds it.
    for _ in 0..6000 {
        let _ = attacker.send_to(&[0x80; 60], to);
    }
    let before = pair.server.counters().unwrap().received();
    let start = ThreadTime::now();
    pair.server.update(DT, UNIX);
    let took = start.elapsed();
    let read = pair.server.counters().unwrap().received() - before;
    // 64 + 64 x 32 datagrams and the rest of the batch that reached the limit.
    assert!(read <= 64 + 64 * 32 + 32, "{read}");
    assert!(took < Duration::from_millis(200), "{took:?}");
    for _ in 0..10 {
        pair.server.update(DT, UNIX);
    }
    assert!(pair.dropped(DropReason::UnknownConnection) > 2200);
}

/// A server hears of a reliable message in every update, and sends something in every tick after it.
#[test]
fn what_a_server_owes_goes_with_what_it_sends_every_tick() {
    // However long a datagram waited in the socket, the next update is soon enough.
    const DT: f64 = 0.014;
    for mode in [SendMode::Immediate, SendMode::Batched] {
        let mut pair = Pair::at("127.0.0.1:0");
        let mut client = pair.client(1);
        pair.server.set_send_mode(mode);
        let mut tick = |speaks: bool| {
            client.send(0, Delivery::ReliableOrdered, 0, b"event").unwrap();
            client.update(DT, UNIX);
            pair.server.update(DT, UNIX);
            if speaks {
                pair.server.send(0, 0, Delivery::Unreliable, 0, b"snapshot").unwrap();
                pair.server.flush();
            }
            let before = client.counters().received();
            client.update(0.0, UNIX);
            client.counters().received() - before
        };
        (0..4).for_each(|_| _ = tick(true));
        // One datagram a tick, though a busy machine may be late with some.
        let with_messages: u64 = (0..60).map(|_| tick(true)).sum();
        assert!((58..=63).contains(&with_messages), "{mode:?}: {with_messages}");
        // Once it falls silent, the next update but one sends what it owes by itself.
        let alone: u64 = (0..10).map(|_| tick(false)).sum();
        assert!((7..=12).contains(&alone), "{mode:?}: {alone}");
    }
}

/// Updates both ends until the client has `count` messages, and returns them.
fn messages_of(pair: &mut Pair, client: &mut ClientHost, count: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for _ in 0..2000 {
        pair.server.update(DT, UNIX);
        client.update(DT, UNIX);
        messages.extend(std::iter::from_fn(|| client.pop_message()).map(|it| it.payload().to_vec()));
        if messages.len() >= count {
            break;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    messages
}

#[test]
fn a_thread_sends_everything_in_order_and_ends_with_the_server() {
    let mut pair = Pair::at("127.0.0.1:0");
    let mut client = pair.client(1);
    pair.server.set_send_mode(SendMode::Threaded);
    let sent: Vec<Vec<u8>> = (0..2000u32).map(|number| number.to_le_bytes().to_vec()).collect();
    for (number, message) in sent.iter().enumerate() {
        pair.server.send(0, 0, Delivery::ReliableOrdered, 0, message).unwrap();
        // There and back while much is on its way.
        match number {
            700 => pair.server.set_send_mode(SendMode::Immediate),
            1400 => pair.server.set_send_mode(SendMode::Threaded),
            _ => {}
        }
    }
    assert_eq!(messages_of(&mut pair, &mut client, sent.len()), sent);

    let big = vec![7; 3_000_000];
    pair.server.send(0, 0, Delivery::ReliableOrdered, 0, &big).unwrap();
    assert_eq!(messages_of(&mut pair, &mut client, 1), [big]);

    // The stop waits for the thread: the news of it has left, and the port is free.
    let at = pair.server.bound_addresses().next().unwrap();
    pair.server.stop();
    for _ in 0..100 {
        // On a slow machine one update does not read all that came before the news.
        client.update(DT, UNIX);
    }
    assert_eq!(client.state(), ClientState::Disconnected);
    pair.server.start(&[at]).unwrap();
    let token = pair.token(2, &[at]);
    client.connect(&token).unwrap();
    for _ in 0..2000 {
        client.update(DT, UNIX);
        pair.server.update(DT, UNIX);
        std::thread::sleep(Duration::from_micros(200));
    }
    assert_eq!(client.state(), ClientState::Connected);
}

/// Where the system can: a flood is thinned before the socket, and nothing is once it is over.
#[cfg(target_os = "linux")]
#[test]
fn d18_players_do_not_wait_behind_a_flood_and_strangers_only_for_as_long_as_it_lasts() {
    let mut pair = Pair::at("127.0.0.1:0");
    let mut client = pair.client(1);
    let to = pair.server.bound_addresses().next().unwrap();
    let attacker = UdpSocket::bind("127.0.0.1:0").unwrap();
    let noise_for = |pair: &mut Pair, count: usize, dt: f64| {
        let before = pair.server.counters().unwrap().received();
        for _ in 0..count {
            attacker.send_to(&[0x80; 60], to).unwrap();
        }
        pair.server.update(dt, UNIX);
        pair.server.counters().unwrap().received() - before
    };
    let noise = |pair: &mut Pair, count: usize| noise_for(pair, count, DT);
    // A batch is read however slow the machine is.
    assert_eq!(noise(&mut pair, 32), 32, "no more than an update reads is no flood");
    // On a slow machine too an update has the time to see that it is one, and little passes until all that waited is
    // read: strangers are thinned no more meanwhile.
    noise_for(&mut pair, 6000, 0.1);
    let rest = |pair: &mut Pair| {
        std::iter::from_fn(|| Some(noise_for(pair, 0, 0.001)).filter(|&read| read > 0)).sum::<u64>()
    };
    rest(&mut pair);
    let share = noise_for(&mut pair, 2000, 0.001) + rest(&mut pair);
    // One in four.
    assert!((150..700).contains(&share), "{share}");
    // A player's come all, and one that comes now gets in.
    for number in 0..200u8 {
        client.send(0, Delivery::Unreliable, 0, &[number]).unwrap();
        noise(&mut pair, 50);
    }
    assert_eq!(pair.messages().len(), 200);
    let token = pair.token(2, &[to]);
    let mut late = ClientHost::new(0, APPLICATION);
    late.connect(&token).unwrap();
    let mut updates = 0;
    while late.state() != ClientState::Connected {
        late.update(DT, UNIX);
        noise(&mut pair, 50);
        updates += 1;
        assert!(updates < 60 * 20, "{:?}", late.state());
    }
    // Of its own packets none is held for a stranger's.
    for number in 0..200u8 {
        late.send(0, Delivery::Unreliable, 0, &[number]).unwrap();
        noise(&mut pair, 50);
    }
    assert_eq!(pair.messages().len(), 200);
    for _ in 0..150 {
        noise(&mut pair, 0);
    }
    assert_eq!(noise(&mut pair, 32), 32, "the flood is over");
}

#[test]
fn a_client_whose_server_is_not_there_reads_on_past_icmp_errors() {
    let mut pair = Pair::at("127.0.0.1:0");
    // A port that nobody listens on, nor any other test: the system answers with ICMP "port unreachable".
    let closed = UdpSocket::bind("127.0.0.2:0").unwrap().local_addr().unwrap();
    let open = pair.server.bound_addresses().next().unwrap();
    let token = pair.token(1, &[closed, open]);
    let client = pair.client_with(&token, 400);

    // A server whose client has crashed sends on, and serves the others.
    let mut other = pair.client(2);
    drop_without_a_word(client);
    for number in 0..100u8 {
        let _ = pair.server.send(0, 0, Delivery::Unreliable, 0, &[number]);
        pair.server.send(1, 0, Delivery::Unreliable, 0, &[number]).unwrap();
        pair.server.update(DT, UNIX);
    }
    // On a slow machine one update does not read them all.
    (0..4).for_each(|_| other.update(DT, UNIX));
    assert_eq!(std::iter::from_fn(|| other.pop_message()).count(), 100);
}

/// What a crash does: the socket is closed, and nobody is told.
fn drop_without_a_word(client: ClientHost) {
    // The simulator swallows the farewell.
    let mut client = client;
    let nothing = cute_net::host::simulator_config(0.0, 0.0, 1.0, 0.0);
    client.set_simulator(nothing, 1);
    drop(client);
}

#[test]
fn both_families_of_address_connect_from_one_token() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut pair = Pair::at(address);
        let mut client = pair.client(1);
        assert_eq!(client.bound_address().unwrap().is_ipv6(), address.starts_with('['));
        client.send(0, Delivery::ReliableOrdered, 0, b"hello").unwrap();
        client.update(DT, UNIX);
        pair.server.update(DT, UNIX);
        assert_eq!(pair.messages(), [b"hello"]);
    }
    // A dead server of one family, then a live one of the other.
    let mut pair = Pair::at("127.0.0.1:0");
    let open = pair.server.bound_addresses().next().unwrap();
    let token = pair.token(1, &["[::1]:1".parse().unwrap(), open]);
    pair.client_with(&token, 400);
}

/// A token that lists the wildcard address a server is bound to means this machine.
#[test]
fn a_token_may_list_the_wildcard_address_of_a_server_on_this_machine() {
    let mut pair = Pair::at("0.0.0.0:0");
    let mut client = pair.client(1);
    client.send(0, Delivery::Unreliable, 0, b"hello").unwrap();
    pair.server.update(DT, UNIX);
    assert_eq!(pair.messages(), [b"hello"]);
}

#[test]
fn several_servers_and_clients_share_a_process_and_threads_share_nothing() {
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut pairs: Vec<_> = (0..3).map(|_| Pair::at("127.0.0.1:0")).collect();
                let mut clients: Vec<_> = pairs.iter_mut().map(|pair| pair.client(thread)).collect();
                for number in 0..50u8 {
                    for (client, pair) in clients.iter_mut().zip(&mut pairs) {
                        client.send(0, Delivery::ReliableOrdered, 0, &[thread as u8, number]).unwrap();
                        client.update(DT, UNIX);
                        pair.server.update(DT, UNIX);
                    }
                }
                for pair in &mut pairs {
                    let messages = pair.messages();
                    assert_eq!(messages.len(), 50);
                    assert!(
                        messages
                            .iter()
                            .zip(0..)
                            .all(|(message, number)| *message == [thread as u8, number])
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_bulk_transfer_over_loopback_arrives() {
    let mut pair = Pair::at("127.0.0.1:0");
    let mut client = pair.client(1);
    let message: Vec<u8> = (0..20 << 20).map(|at: u32| (at * 7 + (at >> 8)) as u8).collect();
    client.send(0, Delivery::ReliableOrdered, 0, &message).unwrap();
    let mut came = Vec::new();
    for _ in 0..20_000 {
        client.update(0.002, UNIX);
        pair.server.update(0.002, UNIX);
        came = pair.messages();
        if !came.is_empty() {
            break;
        }
    }
    assert!(came == [message]);
}

/// D45: which port a server at port 0 got can be asked; and another server can't have it.
#[test]
fn d45_the_port_that_the_system_chose_can_be_asked() {
    let pair = Pair::at("127.0.0.1:0");
    let address = pair.server.bound_addresses().next().unwrap();
    assert_ne!(address.port(), 0);
    let (public, secret) = key_pair::generate().unwrap();
    let mut second = ServerHost::new(ServerHostConfig::new(APPLICATION, public, secret), 1);
    let error = second.start(&[address]).unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
    assert_eq!(second.bound_addresses().next(), None);
}

/// Loopback takes datagrams of any size; where the system marks them not to be cut, they grow to Ethernet's.
#[test]
fn a_transfer_over_a_socket_grows_its_datagrams() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut pair = Pair::at(address);
        let mut client = pair.client(1);
        let bytes: Vec<u8> = (0..8 << 20).map(|at| (at % 251) as u8).collect();
        let expected = match (cfg!(target_os = "linux"), address.starts_with('[')) {
            (true, false) => 1472,
            (true, true) => 1452,
            (false, _) => 1200,
        };
        // Where the machine has other work, sockets overflow, and probes are lost like everything else.
        let mut largest = 0;
        for _transfer in 0..5 {
            client.send(0, Delivery::ReliableOrdered, 0, &bytes).unwrap();
            let mut came = Vec::new();
            for _ in 0..2000 {
                client.update(DT, UNIX);
                pair.server.update(DT, UNIX);
                largest = largest.max(client.connection().unwrap().largest_datagram());
                came.extend(pair.messages());
                if !came.is_empty() {
                    break;
                }
            }
            assert!(came.iter().eq([&bytes]));
            if largest == expected {
                break;
            }
        }
        assert_eq!(largest, expected);
    }
}

/// Where no later moment can be told from now, everything would be due for ever, and no update would end.
#[test]
fn steps_without_end_use_up_no_clock() {
    let mut pair = Pair::at("127.0.0.1:0");
    let mut client = pair.client(1);
    for _ in 0..200 {
        client.update(f64::INFINITY, UNIX);
        pair.server.update(f64::INFINITY, UNIX);
    }
    let mut another = pair.client(2);
    for _ in 0..200 {
        another.update(f64::INFINITY, UNIX);
    }
    let server = pair.server.bound_addresses().next().unwrap();
    let token = pair.token(3, &[server]);
    another.connect(&token).unwrap();
    for _ in 0..5 {
        another.update(f64::INFINITY, UNIX);
        pair.server.update(f64::INFINITY, UNIX);
    }
    assert_eq!(another.state(), ClientState::Connected);
}
