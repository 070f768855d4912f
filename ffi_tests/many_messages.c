/* More reliable packets than 16 bits can count, on both protocols. */
#include "check.h"

static void seventy_thousand_reliable_packets_arrive_in_order(void)
{
    enum { COUNT = 70000 };
    session_t session;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    cn_server_event_t event;
    int sent = 0, got = 0, tick;
    session_start(&session);
    session_connect(&session, client, 1);
    for (tick = 0; tick < 10000 && got < COUNT; ++tick) {
        int burst;
        for (burst = 0; burst < 500 && sent < COUNT && sent - got < 2000; ++burst, ++sent)
            CHECK_OK(cn_client_send(client, &sent, (int)sizeof(sent), true));
        cn_client_update(client, TICK, unix_now());
        cn_server_update(session.server, TICK, unix_now());
        while (cn_server_pop_event(session.server, &event)) {
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            CHECK(event.u.payload_packet.size == (int)sizeof(got) && *(int*)event.u.payload_packet.data == got);
            ++got;
            cn_server_free_packet(session.server, 0, event.u.payload_packet.data);
        }
    }
    CHECK(got == COUNT);
    cn_client_destroy(client);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    seventy_thousand_reliable_packets_arrive_in_order();
    original_keys = true;
    seventy_thousand_reliable_packets_arrive_in_order();
    return 0;
}
