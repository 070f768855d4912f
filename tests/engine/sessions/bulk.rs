//! Thousands of messages one way, and nothing the other way.

use crate::world::{World, pattern};
use crate::{ms, secs};
use cute_net::message::Delivery::ReliableOrdered;
use cute_net::simulator::SimulatorConfig;

const MESSAGES: u64 = 10_000;

#[test]
fn ten_thousand_reliable_messages_one_way_arrive_in_order_at_any_loss() {
    for (loss, longest) in [(0.0, 5), (0.05, 10), (0.25, 60), (0.5, 200)] {
        for down in [false, true] {
            let network = SimulatorConfig { latency: ms(20), loss, ..Default::default() };
            let mut world = World::connected_over(7, 1, network);
            for number in 0..MESSAGES {
                let message = pattern(50, number);
                if down {
                    world.server_sends(0, ReliableOrdered, &message);
                } else {
                    world.client_sends(0, ReliableOrdered, &message);
                }
            }
            let arrived = |world: &World| {
                world.servers[0].received.len() + world.clients[0].received.len() >= MESSAGES as usize
            };
            world.run_until(secs(longest), arrived);
            world.run(secs(1));
            let came: Vec<_> = if down {
                world.clients[0].received.iter().map(|(_, bytes)| bytes).collect()
            } else {
                world.servers[0].received.iter().map(|(_, _, bytes)| bytes).collect()
            };
            assert!(came.into_iter().eq(&(0..MESSAGES).map(|n| pattern(50, n)).collect::<Vec<_>>()));
        }
    }
}
