//! What the original sent: every transport packet is read, written again to the same bytes, and gives the
//! messages and acknowledgements that the original made of it; two whole sessions go through the engine.

use crate::pair::setup;
use cute_net::bytes::Writer;
use cute_net::client::{Client, ClientState};
use cute_net::connection::{Arrival, Context, End};
use cute_net::crypto::Key;
use cute_net::crypto::key_pair::SecretKey;
use cute_net::drop_reason::DropReason;
use cute_net::duration::Duration;
use cute_net::endpoint::{self, Path};
use cute_net::message::Message;
use cute_net::ready::{InboxBudget, Source};
use cute_net::server::{DEFAULT_MEMORY, Server, ServerConfig};
use cute_net::time::{Instant, Tick};
use cute_net::token::{PairKey, TokenKeys};
use cute_net::v1::attempt::{Answer, Attempt};
use cute_net::v1::connection::Connection;
use cute_net::v1::packet::{Accepted, Packet, PacketType, Side};
use cute_net::v1::packet_seal::PacketSeal;
use cute_net::v1::payload::{self, AckHeader, Body, Fragment};
use cute_net::v1::received_packets::{ReceivedPackets, Wants};
use cute_net::v1::sent_packets::{SentFragment, SentPackets};
use cute_net::v1::transport::Transport;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

fn read(file: &str) -> Value {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn number(case: &Value, field: &str) -> u64 {
    case[field].as_u64().unwrap_or_else(|| panic!("{field} of {case}"))
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    text(case, field).as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn transport() -> Transport {
    Transport::new(Duration::MAX, InboxBudget::DEFAULT)
}

fn assert_same_when_written_again(packet: &[u8]) {
    let (header, body) = payload::decode(packet).unwrap();
    let mut buffer = [0; 1280];
    let mut writer = Writer::new(&mut buffer);
    payload::encode(&header, &body.unwrap(), &mut writer);
    let size = writer.finish().unwrap();
    assert_eq!(buffer[..size], *packet);
}

/// One side of a recorded script.
struct Scripted {
    transport: Transport,
    received: ReceivedPackets,
    /// The newest packet that came, 65,536 for number 0: numbers wrap in one of the scripts.
    newest: u64,
    sent: SentPackets,
    /// Messages and indices of the reliable fragments that were sent and not acknowledged.
    unacknowledged: HashSet<(u64, u16)>,
}

impl Scripted {
    fn new() -> Scripted {
        Scripted {
            transport: transport(),
            received: ReceivedPackets::default(),
            newest: 65_535,
            sent: SentPackets::default(),
            unacknowledged: HashSet::new(),
        }
    }

    fn deliver(&mut self, bytes: &[u8]) -> Result<(), DropReason> {
        let header = payload::decode(bytes).unwrap().0;
        // The scripts do not say how packets were sealed: in the order of their numbers.
        let ahead = header.sequence.wrapping_sub(self.newest as u16) as i16;
        let packet = self.newest.saturating_add_signed(i64::from(ahead));
        let number = if packet > self.newest {
            Some(self.received.newest_number(header.sequence))
        } else {
            self.received.overtaken_number(header.sequence)
        };
        self.newest = self.newest.max(packet);
        if let Some(number) = number {
            self.received.insert(number, Wants::Nothing, Instant::ZERO);
            let Scripted { sent, unacknowledged, .. } = self;
            sent.on_header(&header, Instant::ZERO, |fragment| {
                unacknowledged.remove(&(fragment.message, fragment.index));
            });
        }
        self.transport.handle_payload(packet, bytes, Instant::ZERO, &Tick::default()).1
    }

    fn pop(&mut self) -> Option<Message> {
        self.transport.inbox().pop(Source::Packets)
    }

    /// Notes a packet that it sends.
    fn note(&mut self, header: &AckHeader, fragment: &Fragment<'_>) {
        assert_eq!(header.sequence, self.sent.next_number() as u16);
        let Fragment { message, index, .. } = *fragment;
        let message = u64::from(message);
        if fragment.reliable {
            self.unacknowledged.insert((message, index));
        }
        let reliable = fragment.reliable.then_some(SentFragment { slot: 0, message, index });
        self.sent.push(Instant::ZERO, reliable);
    }

    /// The packet that a bulk step stands for: a message of one fragment, numbered like the packet.
    fn emit(&mut self, reliable: bool, bytes: &[u8]) -> Vec<u8> {
        let (ack, bits) = self.received.take_header();
        let sequence = self.sent.next_number() as u16;
        let fragment = Fragment { reliable, message: sequence, count: 1, index: 0, bytes };
        let mut buffer = [0; 100];
        let mut writer = Writer::new(&mut buffer);
        let header = AckHeader { sequence, ack, bits };
        self.note(&header, &fragment);
        payload::encode(&header, &Body::Fragment(fragment), &mut writer);
        let size = writer.finish().unwrap();
        buffer[..size].to_vec()
    }
}

/// Does what a bulk step stands for: one side sends, the other takes it and, if `reply` says so, replies.
fn bulk(step: &Value, ends: &mut HashMap<&str, Scripted>, reliable: bool) {
    assert_eq!(text(step, "side"), "A");
    let data = bytes(step, "data");
    for _ in 0..number(step, "count") {
        let packet = ends.get_mut("A").unwrap().emit(reliable, &data);
        let two = ends.get_mut("B").unwrap();
        two.deliver(&packet).unwrap();
        assert_eq!(two.pop().unwrap().payload(), data);
        if reliable {
            let reply = two.emit(false, &bytes(step, "reply"));
            let one = ends.get_mut("A").unwrap();
            one.deliver(&reply).unwrap();
            assert_eq!(one.pop().unwrap().payload(), bytes(step, "reply"));
        }
    }
}

#[test]
fn every_transport_packet_is_read_written_the_same_and_acknowledged_the_same() {
    let vectors = read("cute_1_00_vectors.json");
    let mut packets = 0;
    for scenario in vectors["transport"]["scenarios"].as_array().unwrap() {
        let name = text(scenario, "name");
        let mut ends = HashMap::from([("A", Scripted::new()), ("B", Scripted::new())]);
        let mut emitted = HashMap::new();
        for step in scenario["steps"].as_array().unwrap() {
            match text(step, "op") {
                "emit" => {
                    let packet = bytes(step, "packet");
                    assert_same_when_written_again(&packet);
                    let (header, body) = payload::decode(&packet).unwrap();
                    let end = ends.get_mut(text(step, "side")).unwrap();
                    assert_eq!((header.ack, header.bits), end.received.take_header(), "{name}");
                    let Ok(Body::Fragment(fragment)) = body else { panic!("{name}") };
                    let expected = &step["transport_header"];
                    assert_eq!(u64::from(fragment.message), number(expected, "fragment_sequence"));
                    assert_eq!(u64::from(fragment.count), number(expected, "fragment_count"));
                    assert_eq!(u64::from(fragment.index), number(expected, "fragment_index"));
                    assert_eq!(u64::from(fragment.reliable), number(expected, "prefix"));
                    end.note(&header, &fragment);
                    emitted.insert(number(step, "id"), packet);
                    packets += 1;
                }
                "deliver" => {
                    let packet = &emitted[&number(step, "id")];
                    let end = ends.get_mut(text(step, "to")).unwrap();
                    let result = end.deliver(packet);
                    assert!(result.is_ok() || !step["ok"].as_bool().unwrap(), "{name}: {result:?}");
                }
                "received" => {
                    let end = ends.get_mut(text(step, "side")).unwrap();
                    let data = bytes(step, "data");
                    if data.is_empty() {
                        // D33: the original delivers what is left of the message, which is nothing.
                        assert!(end.pop().is_none(), "{name}");
                        continue;
                    }
                    let message = end.pop().expect(name);
                    assert_eq!(message.payload(), data, "{name}");
                    assert_eq!(message.info().reliable, step["reliable"].as_bool().unwrap(), "{name}");
                }
                "bulk_unreliable" => bulk(step, &mut ends, false),
                "bulk_reliable" => bulk(step, &mut ends, true),
                "unacked_fragments" => {
                    let unacknowledged = &ends[text(step, "side")].unacknowledged;
                    assert_eq!(unacknowledged.len() as u64, number(step, "count"), "{name}");
                }
                // What they lead to is emitted, or not delivered.
                "send" | "update" | "drop" => {}
                other => panic!("{name}: {other}"),
            }
        }
        for end in ends.values_mut() {
            assert!(end.pop().is_none(), "{name}");
        }
    }
    assert!(packets > 100, "{packets}");
}

#[test]
fn malformed_transport_packets_deliver_nothing() {
    let vectors = read("cute_1_00_vectors.json");
    let cases = vectors["transport"]["malformed"].as_array().unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let mut transport = transport();
        let packet = bytes(case, "packet");
        let result = transport.handle_payload(0, &packet, Instant::ZERO, &Tick::default()).1;
        let alone = payload::decode(&packet).is_ok_and(|(_, body)| body == Ok(Body::Nothing));
        let rejected = result.is_err() || alone;
        assert_eq!(rejected, case["must_reject"].as_bool().unwrap(), "{}", text(case, "name"));
        assert!(!rejected || transport.inbox().pop(Source::Packets).is_none());
    }
}

/// The recorded messages that `side` received.
fn messages(session: &Value, side: &str) -> Vec<Vec<u8>> {
    let log = session["log"].as_array().unwrap().iter();
    log.filter(|entry| entry["event"] == "received" && entry["side"] == side)
        .map(|entry| bytes(entry, "data"))
        .collect()
}

/// The datagrams that arrived in a direction.
fn arrived<'a>(session: &'a Value, direction: &'a str) -> impl Iterator<Item = (Instant, Vec<u8>)> + 'a {
    let log = session["log"].as_array().unwrap().iter();
    log.filter(move |entry| entry["kind"] == "datagram" && entry["direction"] == direction)
        .filter(|entry| entry["dropped"] == false)
        .map(|entry| {
            let seconds = entry["time"].as_f64().unwrap();
            (Instant::ZERO + Duration::from_secs_f64(seconds), bytes(entry, "bytes"))
        })
}

fn keys(session: &Value) -> TokenKeys {
    let key = |field| Key::new(bytes(&session["setup"], field).try_into().unwrap());
    TokenKeys {
        client_to_server: key("client_to_server_key"),
        server_to_client: key("server_to_client_key"),
    }
}

fn path(session: &Value) -> Path {
    let remote = endpoint::parse(text(&session["setup"], "server_address")).unwrap();
    Path { remote, local: None }
}

/// Feeds a connection what arrived; returns the messages in it and how it ended.
fn replay(
    context: &mut Context,
    connection: &mut Connection,
    path: Path,
    datagrams: impl Iterator<Item = (Instant, Vec<u8>)>,
) -> (Vec<Vec<u8>>, Option<End>) {
    let (mut taken, mut end) = (Vec::new(), None);
    for (at, mut datagram) in datagrams {
        context.advance(at);
        let result = connection.handle_packet(context, &Arrival { path, at }, &mut datagram);
        assert!(result.is_ok() || end.is_some(), "{result:?} at {at:?}");
        end = connection.poll_end().or(end);
        while let Some(message) = connection.inbox().pop(Source::Packets) {
            taken.push(message.payload().to_vec());
        }
        if end.is_some() {
            break;
        }
    }
    (taken, end)
}

#[test]
fn the_recorded_servers_datagrams_connect_a_client_and_give_it_their_messages() {
    for session in read("cute_1_00_session.json")["sessions"].as_array().unwrap() {
        let name = text(session, "name");
        let mut context = Context::new([0; 32]);
        let mut attempt = Some(Attempt::new(&keys(session)));
        let mut datagrams = arrived(session, "s2c");
        let mut connection = loop {
            let (at, mut datagram) = datagrams.next().unwrap();
            context.advance(at);
            match attempt.as_mut().unwrap().handle_packet(&mut datagram).unwrap() {
                Answer::Accepted(accepted) => {
                    assert_eq!(accepted.client_id, number(&session["setup"], "client_id"), "{name}");
                    let attempt = attempt.take().unwrap();
                    break attempt.into_connection(&context, path(session), accepted, setup());
                }
                Answer::Denied => panic!("{name}"),
                Answer::Challenged | Answer::Nothing => {
                    assert!(attempt.as_ref().unwrap().is_challenged(), "{name}");
                }
            }
        };
        let (taken, end) = replay(&mut context, &mut connection, path(session), datagrams);
        assert_eq!(taken, messages(session, "client"), "{name}");
        assert_eq!(end.is_some(), name.contains("server_disconnect"), "{name}: {end:?}");
    }
}

/// The whole client, with the recorded token and clock: the states that the original's client had, and its messages.
#[test]
fn a_client_with_the_recorded_token_goes_the_way_the_original_went() {
    for session in read("cute_1_00_session.json")["sessions"].as_array().unwrap() {
        let (name, setup) = (text(session, "name"), &session["setup"]);
        let unix = number(setup, "unix_time_at_start");
        let mut client = Client::new(number(setup, "application_id"));
        client.connect(&bytes(setup, "token").try_into().unwrap(), [7; 32]).unwrap();
        assert_eq!(client.servers().collect::<Vec<_>>(), [path(session).remote], "{name}");
        let (mut states, mut taken) = (vec![client.state()], Vec::new());
        for (at, mut datagram) in arrived(session, "s2c") {
            client.advance(at, unix + at.since(Instant::ZERO).as_secs());
            let _ = client.handle_datagram(&Arrival { path: path(session), at }, &mut datagram);
            client.handle_timeout(false);
            while client.poll_transmit(&mut [0; 1280]).is_some() {}
            if states.last() != Some(&client.state()) {
                states.push(client.state());
            }
            taken.extend(std::iter::from_fn(|| client.poll_message()).map(|m| m.payload().to_vec()));
        }
        assert_eq!(taken, messages(session, "client"), "{name}");
        if !name.contains("server_disconnect") {
            client.disconnect();
            assert_eq!(sent_by(&mut client), [PacketType::Disconnect as u8; 10], "{name}");
            states.push(client.state());
        }
        use ClientState::{Connected, Disconnected, SendingChallengeResponse, SendingConnectionRequest};
        let expected = [SendingConnectionRequest, SendingChallengeResponse, Connected, Disconnected];
        assert_eq!(states, expected, "{name}");
    }
}

/// The first bytes of what a client sends.
fn sent_by(client: &mut Client) -> Vec<u8> {
    let mut buffer = [0; 1280];
    std::iter::from_fn(|| client.poll_transmit(&mut buffer).map(|_| buffer[0])).collect()
}

/// The whole server, with the recorded keys and clock: it challenges whom the original challenged. The recorded
/// echo is that of another challenge, which the original did not look at (D22).
#[test]
fn a_server_with_the_recorded_keys_challenges_the_recorded_client_and_takes_no_recorded_echo() {
    for session in read("cute_1_00_session.json")["sessions"].as_array().unwrap() {
        let (name, setup) = (text(session, "name"), &session["setup"]);
        let config = ServerConfig {
            application_id: number(setup, "application_id"),
            keys: vec![PairKey::new(&SecretKey(bytes(setup, "sk").try_into().unwrap())).unwrap()],
            max_clients: 32,
            connection_timeout: Some(Duration::from_secs(number(setup, "connection_timeout"))),
            resend_ceiling: Duration::from_millis(100),
            memory: DEFAULT_MEMORY,
            max_outgoing_rate: None,
            max_incoming_rate: None,
            largest_datagram: 1280,
        };
        let mut server = Server::new(config, &[path(session).remote], &[], [7; 32]);
        let unix = number(setup, "unix_time_at_start");
        let mut challenges = Vec::new();
        for (at, mut datagram) in arrived(session, "c2s") {
            server.advance(at, unix + at.since(Instant::ZERO).as_secs());
            let kind = PacketType::of(datagram[0]).unwrap();
            let result = server.handle_datagram(&Arrival { path: path(session), at }, &mut datagram);
            let expected = match kind {
                PacketType::ConnectToken => Ok(()),
                PacketType::ChallengeResponse => Err(DropReason::Cookie),
                _ => Err(DropReason::UnknownAddress),
            };
            assert_eq!(result, expected, "{name}");
            server.handle_timeout(false);
            let mut buffer = [0; 1280];
            while let Some(transmit) = server.poll_transmit(&mut buffer) {
                let mut seal = PacketSeal::new(Side::Client, &keys(session));
                let packet = seal.open(&mut buffer[..transmit.size]).unwrap();
                assert!(matches!(packet, Packet::ChallengeRequest(_)), "{name}");
                challenges.push(kind);
            }
        }
        assert!(
            !challenges.is_empty() && challenges.iter().all(|&kind| kind == PacketType::ConnectToken)
        );
        assert_eq!(server.connected(), 0, "{name}");
    }
}

#[test]
fn the_recorded_clients_datagrams_give_a_server_their_messages() {
    for session in read("cute_1_00_session.json")["sessions"].as_array().unwrap() {
        let name = text(session, "name");
        let mut context = Context::new([0; 32]);
        let accepted = Accepted { client_id: 1, max_clients: 32, connection_timeout: 10 };
        let seal = PacketSeal::new(Side::Server, &keys(session));
        let mut connection = Connection::new_server(&context, seal, path(session), accepted, setup());
        let datagrams = arrived(session, "c2s").filter(|(_, datagram)| datagram[0] != 0);
        let (taken, end) = replay(&mut context, &mut connection, path(session), datagrams);
        assert_eq!(taken, messages(session, "server"), "{name}");
        assert_eq!(end.is_some(), !name.contains("server_disconnect"), "{name}: {end:?}");
    }
}
